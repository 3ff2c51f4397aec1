//! The pace of a line: how far apart its calls begin.
//!
//! Calls are evenly spaced, without bursts, since after a burst some second would exceed the rate. The spacing is a little
//! wider than the rate alone asks for, because the network delays some calls and not others, and the provider counts them as
//! they arrive. When the provider says that it gets too much, the pace is halved; it recovers by a twentieth of the rate a
//! second.

use std::num::NonZeroU32;
use std::time::Duration;

use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use tokio::time::Instant;

/// The differences between the delays of calls for which the spacing makes up.
const JITTER: Duration = Duration::from_millis(20);

/// The pace is not slowed down below this share of the rate.
const MIN_SHARE: f64 = 1.0 / 64.0;
/// The share of the rate by which the pace recovers each second.
const RECOVERY: f64 = 0.05;
const SECOND: Duration = Duration::from_secs(1);
/// The longest time for which the whole line waits at the provider's request.
const MAX_REST: Duration = Duration::from_mins(1);

/// The pace of a line.
pub(super) struct Pace {
    messages_per_second: u32,
    /// The share of the rate that is used at present.
    share: f64,
    /// When the share last changed.
    changed: Instant,
    /// Nothing is called before this instant.
    rests_until: Instant,
    limiter: DefaultDirectRateLimiter,
}

impl Pace {
    /// A pace at the full rate. Its first call waits, too, since whoever served the line before may have made one just now.
    pub(super) fn new(messages_per_second: u32, now: Instant) -> Self {
        let limiter = limiter(messages_per_second, 1.0);
        Self { messages_per_second, share: 1.0, changed: now, rests_until: now, limiter }
    }

    /// Waits for the next turn, and takes it.
    pub(super) async fn turn(&self) {
        tokio::time::sleep_until(self.rests_until).await;
        self.limiter.until_ready().await;
    }

    /// Changes the rate, if it is another one.
    pub(super) fn set_rate(&mut self, messages_per_second: u32) {
        if self.messages_per_second != messages_per_second {
            self.messages_per_second = messages_per_second;
            self.limiter = limiter(messages_per_second, self.share);
        }
    }

    /// Slows down because the provider gets too much, and rests for as long as it asks. Calls that were under way together
    /// are rejected together, and count once.
    pub(super) fn slow_down(&mut self, now: Instant, asked: Option<Duration>) {
        self.rests_until = self.rests_until.max(now + asked.unwrap_or_default().min(MAX_REST));
        if self.share > MIN_SHARE && (self.share >= 1.0 || now >= self.changed + SECOND) {
            self.set_share((self.share / 2.0).max(MIN_SHARE), now);
        }
    }

    /// Recovers gently from having slowed down.
    pub(super) fn recover(&mut self, now: Instant) {
        if self.share < 1.0 && now >= self.changed + SECOND {
            self.set_share((self.share + RECOVERY).min(1.0), now);
        }
    }

    fn set_share(&mut self, share: f64, now: Instant) {
        self.share = share;
        self.changed = now;
        self.limiter = limiter(self.messages_per_second, share);
    }
}

/// How far apart calls begin.
fn spacing(messages_per_second: u32, share: f64) -> Duration {
    (SECOND + JITTER).div_f64(f64::from(messages_per_second.max(1)) * share)
}

/// A limiter whose first turn comes after one spacing.
fn limiter(messages_per_second: u32, share: f64) -> DefaultDirectRateLimiter {
    let quota = Quota::with_period(spacing(messages_per_second, share));
    let quota = quota.unwrap_or_else(|| Quota::per_second(NonZeroU32::MIN)).allow_burst(NonZeroU32::MIN);
    let limiter = RateLimiter::direct(quota);
    // A fresh limiter has a turn to give at once, which is not due to us.
    let _ = limiter.check();
    limiter
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_of_a_second_stay_below_the_rate_even_if_the_network_delays_the_first() {
        for rate in [1, 2, 7, 20, 80, 1_000] {
            let last = spacing(rate, 1.0) * rate;
            assert!(last > SECOND + Duration::from_millis(19), "{rate}: {last:?}");
            assert!(last < SECOND + Duration::from_millis(21), "{rate}: {last:?}");
        }
    }

    #[test]
    fn the_pace_is_halved_once_a_second_and_recovers_by_a_twentieth() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut pace = Pace::new(80, start);
        pace.slow_down(start, None);
        pace.slow_down(start, None);
        assert!((pace.share - 0.5).abs() < 1e-9);
        pace.slow_down(at(1), None);
        assert!((pace.share - 0.25).abs() < 1e-9);
        pace.recover(at(1));
        assert!((pace.share - 0.25).abs() < 1e-9);
        pace.recover(at(2));
        assert!((pace.share - 0.3).abs() < 1e-9);
        (3..30).for_each(|second| pace.recover(at(second)));
        assert!((pace.share - 1.0).abs() < 1e-9);
    }

    #[test]
    fn the_pace_never_comes_to_a_standstill() {
        let start = Instant::now();
        let mut pace = Pace::new(80, start);
        (0..60).for_each(|second| pace.slow_down(start + Duration::from_secs(second), None));
        assert!((pace.share - MIN_SHARE).abs() < 1e-9);
    }

    #[test]
    fn the_whole_line_rests_as_long_as_the_provider_asks_but_not_for_hours() {
        let start = Instant::now();
        let mut pace = Pace::new(80, start);
        pace.slow_down(start, Some(Duration::from_secs(7)));
        assert_eq!(pace.rests_until, start + Duration::from_secs(7));
        pace.slow_down(start, Some(Duration::from_hours(7)));
        assert_eq!(pace.rests_until, start + MAX_REST);
    }
}
