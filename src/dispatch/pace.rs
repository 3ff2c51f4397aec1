//! The pace of a line: how far apart its calls begin.
//!
//! Calls are evenly spaced. A few may follow each other at once, to make up for timers that are late by a millisecond or two;
//! the spacing allows for them, and for the network, which delays some calls and not others, so that no second exceeds the
//! rate where the provider counts. When the provider says that it gets too much, the pace is halved; it recovers by a
//! twentieth of the rate a second.

use std::num::NonZeroU32;
use std::time::Duration;

use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use tokio::time::Instant;

/// The differences between the delays of calls for which the spacing makes up.
const JITTER: Duration = Duration::from_millis(10);

/// The share of a second's calls that may follow each other at once.
const BURST: f64 = 0.01;
/// The rate from which late timers cost more than a burst does, in calls a second.
const BURST_FROM: f64 = 30.0;

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

/// How many calls may follow each other at once.
fn burst(calls_per_second: f64) -> NonZeroU32 {
    if calls_per_second < BURST_FROM {
        return NonZeroU32::MIN;
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is between 1 and 10")]
    let made_up = (calls_per_second * BURST).max(1.0) as u32;
    NonZeroU32::MIN.saturating_add(made_up)
}

/// How far apart calls begin: in any second, late ones and those of a burst included, there are no more than the rate allows.
fn spacing(calls_per_second: f64) -> Duration {
    let others = f64::from(burst(calls_per_second).get() - 1);
    // Rounded up to a nanosecond.
    (SECOND + JITTER).div_f64(calls_per_second - others) + Duration::from_nanos(1)
}

/// A limiter whose first turn comes after one spacing.
fn limiter(messages_per_second: u32, share: f64) -> DefaultDirectRateLimiter {
    let calls_per_second = f64::from(messages_per_second.max(1)) * share;
    let burst = burst(calls_per_second);
    let quota = Quota::with_period(spacing(calls_per_second)).unwrap_or_else(|| Quota::per_second(NonZeroU32::MIN));
    let limiter = RateLimiter::direct(quota.allow_burst(burst));
    // A fresh limiter has turns to give at once, which are not due to us.
    let _ = limiter.check_n(burst);
    limiter
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_second_has_more_calls_than_the_rate_allows_and_hardly_fewer() {
        for rate in 1..=1_000_u32 {
            let (rate, spacing) = (f64::from(rate), spacing(f64::from(rate)).as_secs_f64());
            // Calls of a little more than a second, which the network may press into one, after a whole burst.
            let most = ((SECOND + JITTER).as_secs_f64() / spacing - 1e-6).ceil() + f64::from(burst(rate).get() - 1);
            assert!(most <= rate, "{rate}: {most}");
            assert!(1.0 / spacing > rate * 0.95, "{rate}: {spacing}");
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
