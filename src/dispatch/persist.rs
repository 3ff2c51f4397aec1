//! Persistence with what must not be left undone while the database is unavailable.

use std::time::Duration;

use super::worker::WorkerError;
use crate::recorder::RecordError;

/// The delay after the first attempt. It doubles with each attempt.
const FIRST_DELAY: Duration = Duration::from_millis(100);
/// The longest delay between two attempts.
const MAX_DELAY: Duration = Duration::from_secs(5);
/// The number of attempts, which take about a minute. Messages that are not settled by then stay claimed, and their outcome
/// becomes unknown.
const MAX_ATTEMPTS: u32 = 16;

/// Runs `work` until it succeeds, fails for a reason that retries cannot help, or was attempted too often.
pub(super) async fn persist<T, F>(work: impl Fn() -> F) -> Result<T, WorkerError>
where
    F: Future<Output = Result<T, WorkerError>>,
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

    /// Whether something that succeeds at the n-th attempt succeeded, and the number of attempts.
    async fn attempt(succeeds_at: u32, error: fn() -> RecordError) -> (bool, u32) {
        let tries = AtomicU32::new(0);
        let done = persist(|| async {
            let nth = tries.fetch_add(1, Ordering::Relaxed) + 1;
            if nth == succeeds_at { Ok(()) } else { Err(error().into()) }
        });
        (done.await.is_ok(), tries.into_inner())
    }

    #[tokio::test]
    async fn temporary_failures_are_retried() {
        assert_eq!(attempt(3, || RecordError::Full).await, (true, 3));
    }

    #[tokio::test]
    async fn nothing_is_retried_during_shutdown() {
        assert_eq!(attempt(3, || RecordError::Closed).await, (false, 1));
    }
}
