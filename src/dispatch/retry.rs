//! Trying again what must not be left undone, while the database is away.

use std::time::Duration;

use super::worker::WorkerError;
use crate::recorder::RecordError;

/// The first delay; it doubles with each try.
const FIRST_DELAY: Duration = Duration::from_millis(100);
/// The longest delay.
const MAX_DELAY: Duration = Duration::from_secs(5);
/// Tries in all: for about a minute. What is not done by then stays claimed, and counts as an unknown outcome.
const MAX_ATTEMPTS: u32 = 16;

/// Does something until it succeeds, or the patience is at an end.
pub(super) async fn retry<F>(work: impl Fn() -> F) -> Result<(), WorkerError>
where
    F: Future<Output = Result<(), WorkerError>>,
{
    let mut delay = FIRST_DELAY;
    for _ in 1..MAX_ATTEMPTS {
        match work().await {
            Err(error) if may_pass(&error) => tokio::time::sleep(delay).await,
            done => return done,
        }
        delay = (delay * 2).min(MAX_DELAY);
    }
    work().await
}

const fn may_pass(error: &WorkerError) -> bool {
    matches!(error, WorkerError::Storage(_) | WorkerError::Record(RecordError::Storage(_) | RecordError::Full))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    /// The result of something that succeeds at the n-th try, and how often it was tried.
    async fn tried(succeeds_at: u32, error: fn() -> RecordError) -> (bool, u32) {
        let tries = AtomicU32::new(0);
        let done = retry(|| async {
            let nth = tries.fetch_add(1, Ordering::Relaxed) + 1;
            if nth == succeeds_at { Ok(()) } else { Err(error().into()) }
        });
        (done.await.is_ok(), tries.into_inner())
    }

    #[tokio::test]
    async fn what_fails_for_a_while_is_tried_again() {
        assert_eq!(tried(3, || RecordError::Full).await, (true, 3));
    }

    #[tokio::test]
    async fn nothing_is_tried_again_at_a_shutdown() {
        assert_eq!(tried(3, || RecordError::Closed).await, (false, 1));
    }
}
