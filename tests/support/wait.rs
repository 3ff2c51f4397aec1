//! Waiting for conditions.

use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

/// How long to wait before a test fails. Generous, since test machines may be slow; a passing test does not wait this long.
const TIMEOUT: Duration = Duration::from_secs(60);

/// The time between two checks.
const PAUSE: Duration = Duration::from_millis(20);

/// Checks a condition until it returns a value.
pub(crate) async fn until<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + TIMEOUT;
    loop {
        if let Some(seen) = look().await {
            return seen;
        }
        assert!(Instant::now() < deadline, "within {TIMEOUT:?} it did not happen that {what}");
        sleep(PAUSE).await;
    }
}

/// The result of a future, which must complete in time.
pub(crate) async fn soon<T>(what: &str, coming: impl Future<Output = T>) -> T {
    timeout(TIMEOUT, coming).await.unwrap_or_else(|_| panic!("within {TIMEOUT:?} there was no {what}"))
}
