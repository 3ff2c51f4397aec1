//! When a message or a line is tried again. Pure arithmetic: what happened and what the provider asks for in, a delay out.

use std::time::Duration;

use crate::domain::id::MessageId;
use crate::whatsapp::answer::Trouble;

/// How attempts that fail for one kind of trouble are spaced, and how many there are.
struct Schedule {
    /// The delay after the first attempt.
    first: Duration,
    /// By how much each delay exceeds the one before.
    factor: u32,
    /// The longest delay, unless the provider asks for more.
    most: Duration,
    /// How many attempts are made before the message fails.
    attempts: u32,
}

/// The delay before the first probe of a stopped line. It doubles with each probe.
const FIRST_PROBE: Duration = Duration::from_secs(30);
/// The longest delay between two probes.
const MAX_PROBE: Duration = Duration::from_mins(15);

/// The delay before the provider is called again for a message that did not get there.
const RECONNECT: Duration = Duration::from_secs(5);

/// The share of a delay by which messages are spread, so that those rejected together are not retried together.
const SPREAD: f64 = 0.5;

/// The delay before the next attempt at a message; `None` if its attempts are used up.
pub(super) fn next_attempt(
    trouble: Trouble,
    message: MessageId,
    attempt: u32,
    asked: Option<Duration>,
) -> Option<Duration> {
    let schedule = schedule(trouble);
    (attempt < schedule.attempts).then(|| delay(&schedule, message, attempt, asked))
}

/// The delay before the next attempt at a message that certainly did not arrive. It counts as none of its attempts: the
/// provider may be unreachable for hours, and nothing is lost by waiting. Meanwhile the whole line slows down.
pub(super) fn next_connection(message: MessageId, asked: Option<Duration>) -> Duration {
    spread_out(RECONNECT.max(asked.unwrap_or_default()), message)
}

/// The delay before the next probe of a line that was probed so often since it stopped.
pub(super) fn next_probe(probes: u32) -> Duration {
    FIRST_PROBE.saturating_mul(2_u32.saturating_pow(probes)).min(MAX_PROBE)
}

const fn schedule(trouble: Trouble) -> Schedule {
    let (first, factor, most, attempts) = match trouble {
        Trouble::Unclear => (Duration::from_secs(2), 2, Duration::from_mins(1), 3),
        Trouble::Unavailable => (Duration::from_secs(1), 2, Duration::from_mins(5), 8),
        Trouble::Maintenance => (Duration::from_mins(1), 2, Duration::from_mins(5), 6),
        Trouble::Throttled => (Duration::from_secs(1), 2, Duration::from_mins(5), 10),
        // The provider's own advice: 4 to the power of X seconds, with X from 0.
        Trouble::Pair => (Duration::from_secs(1), 4, Duration::from_secs(1_024), 7),
    };
    Schedule { first, factor, most, attempts }
}

/// The delay after an attempt, counted from 1, and never less than what the provider asks for.
fn delay(schedule: &Schedule, message: MessageId, attempt: u32, asked: Option<Duration>) -> Duration {
    let growth = schedule.factor.saturating_pow(attempt.saturating_sub(1));
    let delay = schedule.first.saturating_mul(growth).min(schedule.most);
    spread_out(delay.max(asked.unwrap_or_default()), message)
}

fn spread_out(delay: Duration, message: MessageId) -> Duration {
    delay.mul_f64(1.0 + SPREAD * spread(message))
}

/// A number from 0 to 1 that differs between messages: ids end in random bits.
fn spread(message: MessageId) -> f64 {
    let random = u16::try_from(message.0.as_u128() & 0xffff).unwrap_or_default();
    f64::from(random) / f64::from(u16::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;

    const TROUBLES: [Trouble; 5] =
        [Trouble::Unclear, Trouble::Unavailable, Trouble::Maintenance, Trouble::Throttled, Trouble::Pair];

    /// The message that is spread the least.
    fn message() -> MessageId {
        Uuid::nil().into()
    }

    fn seconds(trouble: Trouble) -> Vec<u64> {
        let delays = (1..).map_while(|attempt| next_attempt(trouble, message(), attempt, None));
        delays.map(|delay| delay.as_secs()).collect()
    }

    #[test]
    fn delays_grow_and_end_as_each_kind_of_trouble_wants() {
        assert_eq!(seconds(Trouble::Unclear), [2, 4]);
        assert_eq!(seconds(Trouble::Unavailable), [1, 2, 4, 8, 16, 32, 64]);
        assert_eq!(seconds(Trouble::Maintenance), [60, 120, 240, 300, 300]);
        assert_eq!(seconds(Trouble::Throttled), [1, 2, 4, 8, 16, 32, 64, 128, 256]);
        assert_eq!(seconds(Trouble::Pair), [1, 4, 16, 64, 256, 1_024]);
    }

    #[test]
    fn a_connection_is_tried_again_as_the_provider_asks() {
        assert_eq!(next_connection(message(), None), RECONNECT);
        assert_eq!(next_connection(message(), Some(Duration::from_secs(9))), Duration::from_secs(9));
    }

    #[test]
    fn probes_become_rarer() {
        let delays: Vec<_> = [0, 1, 4, u32::MAX].map(next_probe).to_vec();
        assert_eq!(delays, [30, 60, 480, 900].map(Duration::from_secs));
    }

    proptest! {
        #[test]
        fn a_delay_is_never_less_than_what_the_provider_asks_for(
            id: u128, attempt in 1..20_u32, asked in 0..100_000_u64, at in 0..TROUBLES.len(),
        ) {
            let asked = Duration::from_secs(asked);
            let message = Uuid::from_u128(id).into();
            let trouble = TROUBLES[at];
            if let Some(delay) = next_attempt(trouble, message, attempt, Some(asked)) {
                let plain = next_attempt(trouble, self::message(), attempt, None).unwrap();
                prop_assert!(delay >= asked.max(plain));
                prop_assert!(delay <= asked.max(plain).mul_f64(1.5 + 1e-9));
            }
        }
    }
}
