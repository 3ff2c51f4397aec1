//! Waiting for what happens by itself.

use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

/// What has not happened by then does not happen. Machines that run tests may be slow, and nobody waits this long for a
/// test that passes.
const TIMEOUT: Duration = Duration::from_secs(60);

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(20);

/// Looks until there is something to see.
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

/// What comes in time.
pub(crate) async fn soon<T>(what: &str, coming: impl Future<Output = T>) -> T {
    timeout(TIMEOUT, coming).await.unwrap_or_else(|_| panic!("within {TIMEOUT:?} there was no {what}"))
}
