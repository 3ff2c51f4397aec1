//! Time as a value: instants in microseconds, and the clock that reads them.

use std::fmt;
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};

/// An instant, in microseconds since 1970-01-01 UTC: the unit in which times are stored and compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub struct Timestamp(i64);

impl Default for Timestamp {
    /// The beginning of time.
    fn default() -> Self {
        Self::MIN
    }
}

/// A source of time. It is passed in wherever time matters, so that tests control it.
pub trait Clock: Send + Sync + 'static {
    /// The current time.
    fn now(&self) -> Timestamp;
}

/// How far ahead of our own clock a reported time may be. Clocks differ, but nothing is reported before it happens.
pub const MAX_CLOCK_SKEW: Duration = Duration::from_mins(5);

/// The system clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Timestamp {
    /// The earliest valid instant, 1970-01-01. It also stands for "never" in sort keys, which cannot be null.
    pub const MIN: Self = Self(0);
    /// The first instant that is too late to be valid, 2100-01-01. Later times are assumed to be errors of the sender.
    pub const END: Self = Self(4_102_444_800_000_000);

    const MICROS_PER_SECOND: i64 = 1_000_000;

    /// The instant so many microseconds after 1970-01-01 UTC; `None` outside 1970 to 2099.
    pub const fn from_micros(micros: i64) -> Option<Self> {
        if micros >= Self::MIN.0 && micros < Self::END.0 { Some(Self(micros)) } else { None }
    }

    /// The instant so many whole seconds after 1970-01-01 UTC, which is how the provider counts; `None` outside 1970 to 2099.
    pub const fn from_seconds(seconds: i64) -> Option<Self> {
        match seconds.checked_mul(Self::MICROS_PER_SECOND) {
            Some(micros) => Self::from_micros(micros),
            None => None,
        }
    }

    /// Parses RFC 3339 and truncates to microseconds; `None` if the text is malformed or outside 1970 to 2099.
    pub fn parse(text: &str) -> Option<Self> {
        let instant = DateTime::parse_from_rfc3339(text).ok()?;
        Self::from_micros(instant.timestamp_micros())
    }

    /// Microseconds since 1970-01-01 UTC.
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// Whole seconds since 1970-01-01 UTC, rounded down.
    pub const fn seconds(self) -> i64 {
        self.0 / Self::MICROS_PER_SECOND
    }

    /// The start of this instant's second. The provider counts in whole seconds, so what it reports at second 5 may have
    /// happened after what we saw at 5.4.
    #[must_use]
    pub const fn floor_to_second(self) -> Self {
        Self(self.0 - self.0 % Self::MICROS_PER_SECOND)
    }

    /// The start of this instant's minute.
    #[must_use]
    pub const fn floor_to_minute(self) -> Self {
        Self(self.0 - self.0 % (60 * Self::MICROS_PER_SECOND))
    }

    /// This instant plus a duration, capped at the latest valid instant.
    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        let micros = i64::try_from(duration.as_micros()).unwrap_or(i64::MAX);
        Self(self.0.saturating_add(micros).min(Self::END.0 - 1))
    }

    /// This instant minus a duration, but not before the earliest valid instant.
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
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the system clock")]
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
    fn refuses_implausible_years() {
        for text in ["0000-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "2100-01-01T00:00:00Z", "yesterday", ""] {
            assert_eq!(Timestamp::parse(text), None, "{text}");
        }
        assert_eq!(Timestamp::from_seconds(i64::MAX), None);
    }

    #[test]
    fn seconds_and_minutes_round_down() {
        let instant = Timestamp::from_micros(5_400_000).unwrap();
        assert_eq!(instant.floor_to_second().micros(), 5_000_000);
        let instant = Timestamp::from_seconds(2 * 60 + 59).unwrap();
        assert_eq!(instant.floor_to_minute().seconds(), 2 * 60);
    }
}
