//! The limit on messages to the same user: WhatsApp grants a line 45 at once, and another one every 6 seconds.
//!
//! It is kept per line by the node that serves it. A node that takes over starts afresh; WhatsApp then rejects what is too
//! much, and only that user waits.

use std::num::NonZeroU32;
use std::time::Duration;

use governor::clock::{Clock, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};

use crate::domain::id::ContactId;

/// How many messages may go to a user at once.
const BURST: NonZeroU32 = NonZeroU32::MIN.saturating_add(44);
/// How long it takes until one more may.
const REFILL: Duration = Duration::from_secs(6);

/// The number of users from which those who may be sent to freely again are forgotten.
const FORGET_FROM: usize = 10_000;

/// The limits of the users of a line.
pub(super) struct Pairs {
    limits: DefaultKeyedRateLimiter<ContactId>,
    clock: DefaultClock,
}

impl Pairs {
    pub(super) fn new() -> Self {
        let quota = Quota::with_period(REFILL).unwrap_or_else(|| Quota::per_minute(BURST)).allow_burst(BURST);
        Self { limits: RateLimiter::keyed(quota), clock: DefaultClock::default() }
    }

    /// Counts a message to a user, or tells how long that user has to wait for it.
    pub(super) fn take(&self, contact: ContactId) -> Result<(), Duration> {
        if self.limits.len() >= FORGET_FROM {
            self.limits.retain_recent();
        }
        self.limits.check_key(&contact).map_err(|not_yet| not_yet.wait_time_from(self.clock.now()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::id::new_key;

    #[test]
    fn a_user_gets_a_burst_and_then_waits_while_others_do_not() {
        let (pairs, one, other) = (Pairs::new(), new_key().into(), new_key().into());
        assert!((0..45).all(|_| pairs.take(one).is_ok()));
        let wait = pairs.take(one).unwrap_err();
        assert!(wait > Duration::from_secs(5) && wait <= REFILL, "{wait:?}");
        assert!(pairs.take(other).is_ok());
    }
}
