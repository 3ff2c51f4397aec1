//! What was read last of something, so that all who watch it share one read.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::{Instant, sleep_until};

use crate::storage::StorageError;

/// The least time between two reads of the same thing, however many subscribers it has and however fast it changes.
const MIN_INTERVAL: Duration = Duration::from_millis(50);

/// What was read last; nothing before the first read.
pub(super) struct Latest<T>(Mutex<Option<Reading<T>>>);

/// What was read, and when.
struct Reading<T> {
    value: Arc<T>,
    /// The revision of which it is at least.
    revision: i64,
    at: Instant,
}

impl<T> Latest<T> {
    /// The value at the revision that `announced` tells, or later: what another subscriber has read, unless that is older
    /// or was read more than `max_age` ago. While one reads, the others wait for what it finds, and only then look at what
    /// is announced. `None` if `read`, which also tells the revision, finds nothing.
    pub(super) async fn at_least(
        &self,
        announced: impl FnOnce() -> i64,
        max_age: Duration,
        read: impl AsyncFnOnce(i64) -> Result<Option<(i64, T)>, StorageError>,
    ) -> Result<Option<Arc<T>>, StorageError> {
        let mut last = self.0.lock().await;
        let announced = announced();
        if let Some(reading) = &*last {
            if reading.revision >= announced && reading.at.elapsed() <= max_age {
                return Ok(Some(Arc::clone(&reading.value)));
            }
            sleep_until(reading.at + MIN_INTERVAL).await;
        }
        let at = Instant::now();
        let Some((revision, value)) = read(announced).await? else { return Ok(None) };
        let value = Arc::new(value);
        *last = Some(Reading { value: Arc::clone(&value), revision, at });
        Ok(Some(value))
    }

    /// Puts a value there that was read on another way, unless a newer one is there.
    pub(super) async fn offer(&self, revision: i64, value: T) {
        let mut last = self.0.lock().await;
        if last.as_ref().is_none_or(|reading| reading.revision < revision) {
            *last = Some(Reading { value: Arc::new(value), revision, at: Instant::now() });
        }
    }
}

impl<T> Default for Latest<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use futures_util::future::join_all;

    use super::*;

    #[tokio::test]
    async fn a_reading_is_shared_until_it_is_outdated() {
        let (latest, reads) = (Latest::default(), AtomicU32::new(0));
        let ask = async |announced, max_age| {
            let read = async |announced| Ok(Some((announced, reads.fetch_add(1, Ordering::Relaxed) + 1)));
            *latest.at_least(|| announced, max_age, read).await.unwrap().unwrap()
        };
        let long = Duration::from_hours(1);
        assert_eq!(join_all((0..100).map(|_| ask(5, long))).await, [1; 100]);
        assert_eq!(ask(3, long).await, 1);
        assert_eq!(ask(6, long).await, 2);
        assert_eq!(ask(6, Duration::ZERO).await, 3);
    }

    #[tokio::test]
    async fn reads_keep_their_distance_however_fast_something_changes() {
        let (latest, start) = (Latest::default(), Instant::now());
        for revision in 1..=4 {
            latest.at_least(|| revision, Duration::MAX, async |now| Ok(Some((now, ())))).await.unwrap();
        }
        assert!(start.elapsed() >= MIN_INTERVAL * 3);
    }

    #[tokio::test]
    async fn what_fails_or_is_not_there_is_asked_for_again() {
        let latest = Latest::default();
        let failed = latest.at_least(|| 1, Duration::MAX, async |_| Err(StorageError::Corrupt("row"))).await;
        assert!(failed.is_err());
        assert_eq!(latest.at_least(|| 1, Duration::MAX, async |_| Ok(None)).await.unwrap(), None);
        let found = latest.at_least(|| 1, Duration::MAX, async |_| Ok(Some((1, 7)))).await;
        assert_eq!(found.unwrap(), Some(Arc::new(7)));
    }
}
