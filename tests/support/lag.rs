//! How late this process is at times: what a busy machine adds to everything that it measures.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

const PAUSE: Duration = Duration::from_millis(1);

/// Watches how late this process is, until it is dropped.
pub(crate) struct LagMeter {
    worst: Arc<AtomicU64>,
    watching: JoinHandle<()>,
}

impl LagMeter {
    pub(crate) fn start() -> Self {
        let worst: Arc<AtomicU64> = Arc::default();
        let seen = Arc::clone(&worst);
        let watching = tokio::spawn(async move {
            loop {
                let begin = Instant::now();
                sleep(PAUSE).await;
                let late = begin.elapsed().saturating_sub(PAUSE).as_micros();
                seen.fetch_max(u64::try_from(late).unwrap_or(u64::MAX), Ordering::Relaxed);
            }
        });
        Self { worst, watching }
    }

    /// The most that this process was late so far.
    pub(crate) fn worst(&self) -> Duration {
        Duration::from_micros(self.worst.load(Ordering::Relaxed))
    }
}

impl Drop for LagMeter {
    fn drop(&mut self) {
        self.watching.abort();
    }
}
