//! A subscriber to changes, with a position of its own in a version's log.

use std::sync::Arc;

use futures_util::stream::{self, Stream, StreamExt, TryStreamExt};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::{Hub, Subscriber, Watched};
use crate::domain::id::VersionId;
use crate::domain::user::Change;
use crate::storage::{StorageError, Tenant, changes};

/// The most changes read from the log at a time.
const BATCH_SIZE: usize = 500;

/// Why a subscriber to changes is given no more.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// Reading failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The next change was removed from the log.
    #[error("the changes after revision {after} are no longer in the log, which begins after revision {trimmed}")]
    Trimmed {
        /// The last revision that the subscriber was given.
        after: i64,
        /// The last revision that was removed.
        trimmed: i64,
    },
}

/// A subscriber's own position in a version's log.
struct LogReader {
    tenant: Tenant,
    ending: CancellationToken,
    version: VersionId,
    watched: Arc<Watched>,
    revision: watch::Receiver<i64>,
    /// The last revision received; `None` until the present one has been read.
    position: Option<i64>,
    /// The last revision to give, once the subscriber is to end.
    end: Option<i64>,
}

impl Hub {
    /// Every change of the version after the revision `after`, in order; after the present revision if that is `None`.
    pub fn changes(
        &self,
        subscriber: Subscriber,
        version: VersionId,
        after: Option<i64>,
    ) -> impl Stream<Item = Result<Change, LogError>> + Send + use<> {
        let watched = self.watch(version);
        let revision = watched.revision.subscribe();
        let Subscriber { tenant, ending } = subscriber;
        let reader = LogReader { tenant, ending, version, watched, revision, position: after, end: None };
        let chunks = stream::try_unfold(reader, |mut reader| async move {
            let chunk = reader.next().await?;
            Ok::<_, LogError>(chunk.map(|chunk| (chunk, reader)))
        });
        chunks.map_ok(|chunk| stream::iter(chunk).map(Ok)).try_flatten()
    }
}

impl LogReader {
    /// The next changes; waits until there are any. `None` if the version does not exist, or after the last one.
    async fn next(&mut self) -> Result<Option<Vec<Change>>, LogError> {
        loop {
            let announced = *self.revision.borrow_and_update();
            let Some(position) = self.position().await? else { return Ok(None) };
            if self.ending.is_cancelled() && position >= *self.end.get_or_insert(announced) {
                return Ok(None);
            }
            // Before anything is announced here, there may be something.
            if announced > position || announced < 0 {
                let changes = self.watched.changes(&self.tenant, self.version, position).await?;
                if !changes.is_empty() {
                    return self.advance(position, changes).map(Some);
                }
            }
            tokio::select! {
                changed = self.revision.changed() => if changed.is_err() { return Ok(None) },
                () = self.ending.cancelled() => {}
            }
        }
    }

    /// Takes changes that follow the position, without a gap.
    fn advance(&mut self, position: i64, changes: Vec<Change>) -> Result<Vec<Change>, LogError> {
        if let Some(trimmed) = changes.first().map(|first| first.revision - 1).filter(|before| *before != position) {
            return Err(LogError::Trimmed { after: position, trimmed });
        }
        self.position = changes.last().map(|last| last.revision);
        Ok(changes)
    }

    async fn position(&mut self) -> Result<Option<i64>, StorageError> {
        if self.position.is_none() {
            self.position = changes::extent(&self.tenant, self.version).await?.map(|extent| extent.revision);
        }
        Ok(self.position)
    }
}

impl Watched {
    /// The changes after a revision: from the shared tail as far as it reaches, otherwise from the log.
    async fn changes(&self, tenant: &Tenant, version: VersionId, after: i64) -> Result<Vec<Change>, StorageError> {
        let mut tail = self.tail.lock().await;
        if let Some(changes) = tail.after(after, BATCH_SIZE).filter(|changes| !changes.is_empty()) {
            return Ok(changes);
        }
        let read = changes::after(tenant, version, after, BATCH_SIZE as u64);
        if tail.head().is_some_and(|head| head > after) {
            // Too far behind for the tail: this subscriber reads for itself and makes nobody wait.
            drop(tail);
            return read.await;
        }
        // At the head, the first to come reads for all.
        let changes = read.await?;
        tail.append(&changes);
        Ok(changes)
    }
}
