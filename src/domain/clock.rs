//! Time as a value: instants in microseconds, and the clock that tells them.

use std::fmt;
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};

/// An instant: microseconds since 1970-01-01 UTC. What databases store and orders compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub struct Timestamp(i64);

/// Tells the time. Passed in wherever time matters, so that tests decide what time it is.
pub trait Clock: Send + Sync + 'static {
    /// The present instant.
    fn now(&self) -> Timestamp;
}

/// How far ahead of our own clock a reported time may be. Clocks differ, but nothing is reported before it happens.
pub const MAX_CLOCK_SKEW: Duration = Duration::from_mins(5);

/// The machine's own clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Timestamp {
    /// The first instant that is accepted from outside, 1970-01-01. It also stands for "never" where an order needs a key.
    pub const MIN: Self = Self(0);
    /// The first instant that is refused, 2100-01-01: later years are faults of the sender, not plans.
    pub const END: Self = Self(4_102_444_800_000_000);

    const MICROS_PER_SECOND: i64 = 1_000_000;

    /// An instant from its microseconds; `None` outside 1970 to 2099.
    pub const fn from_micros(micros: i64) -> Option<Self> {
        if micros >= Self::MIN.0 && micros < Self::END.0 { Some(Self(micros)) } else { None }
    }

    /// An instant from whole seconds, as the provider counts; `None` outside 1970 to 2099.
    pub const fn from_seconds(seconds: i64) -> Option<Self> {
        match seconds.checked_mul(Self::MICROS_PER_SECOND) {
            Some(micros) => Self::from_micros(micros),
            None => None,
        }
    }

    /// Parses RFC 3339, dropping what is finer than a microsecond; `None` where it is none or outside 1970 to 2099.
    pub fn parse(text: &str) -> Option<Self> {
        let instant = DateTime::parse_from_rfc3339(text).ok()?;
        Self::from_micros(instant.timestamp_micros())
    }

    /// Microseconds since 1970.
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// Whole seconds since 1970, rounded down.
    pub const fn seconds(self) -> i64 {
        self.0 / Self::MICROS_PER_SECOND
    }

    /// The beginning of this instant's second. The provider counts in whole seconds, so what it says happened at second
    /// 5 may have happened after what we saw at 5.4.
    #[must_use]
    pub const fn floor_to_second(self) -> Self {
        Self(self.0 - self.0 % Self::MICROS_PER_SECOND)
    }

    /// This instant plus a duration, at most the last one accepted.
    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        let micros = i64::try_from(duration.as_micros()).unwrap_or(i64::MAX);
        Self(self.0.saturating_add(micros).min(Self::END.0 - 1))
    }

    /// This instant less a duration, at least the first one accepted.
    #[must_use]
    pub fn minus(self, duration: Duration) -> Self {
        let micros = i64::try_from(duration.as_micros()).unwrap_or(i64::MAX);
        Self(self.0.saturating_sub(micros).max(Self::MIN.0))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = DateTime::<Utc>::from_timestamp_micros(self.0)
            .map(|instant| instant.to_rfc3339_opts(SecondsFormat::AutoSi, true))
            .unwrap_or_default();
        formatter.write_str(&text)
    }
}

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the machine's clock")]
    fn now(&self) -> Timestamp {
        let micros = Utc::now().timestamp_micros();
        Timestamp::from_micros(micros).unwrap_or(Timestamp::MIN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_and_writes_rfc_3339_to_the_microsecond() {
        let instant = Timestamp::parse("2026-11-22T12:00:00.1234567+02:00").unwrap();
        assert_eq!(instant.to_string(), "2026-11-22T10:00:00.123456Z");
        assert_eq!(Timestamp::parse(&instant.to_string()), Some(instant));
    }

    #[test]
    fn refuses_years_that_nobody_means() {
        for text in ["0000-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "2100-01-01T00:00:00Z", "yesterday", ""] {
            assert_eq!(Timestamp::parse(text), None, "{text}");
        }
        assert_eq!(Timestamp::from_seconds(i64::MAX), None);
    }

    #[test]
    fn seconds_round_down() {
        let instant = Timestamp::from_micros(5_400_000).unwrap();
        assert_eq!(instant.floor_to_second().micros(), 5_000_000);
    }
}
