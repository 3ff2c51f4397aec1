//! The streams that subscribers receive: metrics, changes and ticks.

use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{self, Stream, StreamExt, TryStreamExt};
use tokio::sync::watch;
use tokio::time::Instant;

use super::{Followed, Hub, Watched};
use crate::domain::id::VersionId;
use crate::domain::metrics::Metrics;
use crate::domain::user::Change;
use crate::storage::{StorageError, Tenant, changes, metrics};

/// The least time between two reads of a version's metrics, however many subscribers it has and however fast it changes.
const MIN_READ_INTERVAL: Duration = Duration::from_millis(50);

/// The longest time between two ticks. They come without a change too, since the version's log shows neither that a send
/// becomes due nor that it completes by deployments that are not their users' latest.
const MAX_TICK_INTERVAL: Duration = Duration::from_secs(1);

/// The most changes read from the log at a time.
const BATCH_SIZE: usize = 500;

/// A subscriber to metrics.
struct Follower {
    hub: Hub,
    tenant: Tenant,
    current: Option<watch::Receiver<Option<VersionId>>>,
    watched: Option<(VersionId, Arc<Watched>, watch::Receiver<i64>)>,
    /// The version and revision shown last.
    shown: Option<(VersionId, i64)>,
    interval: Duration,
    next: Instant,
}

/// A subscriber's own position in a version's log.
struct LogReader {
    tenant: Tenant,
    version: VersionId,
    watched: Arc<Watched>,
    revision: watch::Receiver<i64>,
    /// The last revision received; `None` until the present one has been read.
    position: Option<i64>,
}

impl Hub {
    /// The present metrics at once, then the latest after each change, at most one item per `interval`.
    pub fn metrics(
        &self,
        tenant: Tenant,
        followed: Followed,
        interval: Duration,
    ) -> impl Stream<Item = Result<Arc<Metrics>, StorageError>> + Send + use<> {
        let subscriber = Follower {
            hub: self.clone(),
            tenant,
            current: None,
            watched: None,
            shown: None,
            interval,
            next: Instant::now(),
        };
        stream::try_unfold((subscriber, followed), |(mut follower, followed)| async move {
            let metrics = follower.next(followed).await?;
            Ok(metrics.map(|metrics| (metrics, (follower, followed))))
        })
    }

    /// Every change of the version after the revision `after`, in order; after the present revision if that is `None`.
    pub fn changes(
        &self,
        tenant: Tenant,
        version: VersionId,
        after: Option<i64>,
    ) -> impl Stream<Item = Result<Change, StorageError>> + Send + use<> {
        let watched = self.watch(version);
        let revision = watched.revision.subscribe();
        let reader = LogReader { tenant, version, watched, revision, position: after };
        let chunks = stream::try_unfold(reader, |mut reader| async move {
            let chunk = reader.next().await?;
            Ok::<_, StorageError>(chunk.map(|chunk| (chunk, reader)))
        });
        chunks.map_ok(|chunk| stream::iter(chunk.into_iter().map(Ok))).try_flatten()
    }

    /// An item at once, one after each change of the version, and one a second while nothing changes; at most one per
    /// `interval`. For subscribers that then read something of their own.
    pub fn ticks(&self, version: VersionId, interval: Duration) -> impl Stream<Item = ()> + Send + use<> {
        let watched = self.watch(version);
        let revision = watched.revision.subscribe();
        let start = (watched, revision, None::<Instant>);
        stream::unfold(start, move |(watched, mut revision, last)| async move {
            if let Some(last) = last {
                tokio::time::sleep_until(last + interval).await;
                if let Ok(changed) = tokio::time::timeout(MAX_TICK_INTERVAL, revision.changed()).await {
                    changed.ok()?;
                }
            }
            revision.mark_unchanged();
            Some(((), (watched, revision, Some(Instant::now()))))
        })
        .fuse()
    }
}

impl Follower {
    async fn next(&mut self, followed: Followed) -> Result<Option<Arc<Metrics>>, StorageError> {
        tokio::time::sleep_until(self.next).await;
        loop {
            let Some(version) = self.version(followed).await? else { return Ok(None) };
            self.watch(version);
            let Some(metrics) = self.read().await? else { return Ok(None) };
            let newest = (version, metrics.head().revision);
            if self.shown != Some(newest) {
                self.shown = Some(newest);
                self.next = Instant::now() + self.interval;
                return Ok(Some(metrics));
            }
            self.changed().await;
        }
    }

    /// The version to show now; `None` if the conversation does not exist.
    async fn version(&mut self, followed: Followed) -> Result<Option<VersionId>, StorageError> {
        let conversation = match followed {
            Followed::Version(version) => return Ok(Some(version)),
            Followed::Current(conversation) => conversation,
        };
        let known = self.current.as_mut().and_then(|current| *current.borrow_and_update());
        if known.is_some() {
            return Ok(known);
        }
        self.current.get_or_insert_with(|| self.hub.watch_current(conversation));
        let found = changes::current_versions(self.tenant.database(), &[conversation]).await?;
        Ok(found.get(&conversation).copied())
    }

    fn watch(&mut self, version: VersionId) {
        if self.watched.as_ref().is_none_or(|(watched, ..)| *watched != version) {
            let watched = self.hub.watch(version);
            let revision = watched.revision.subscribe();
            self.watched = Some((version, watched, revision));
        }
    }

    async fn read(&mut self) -> Result<Option<Arc<Metrics>>, StorageError> {
        let Some((version, watched, revision)) = &mut self.watched else { return Ok(None) };
        let wanted = *revision.borrow_and_update();
        watched.metrics(&self.tenant, *version, wanted).await
    }

    /// Waits until the version changes or another version becomes the current one.
    async fn changed(&mut self) {
        let Some((_, _, revision)) = &mut self.watched else { return };
        match &mut self.current {
            None => drop(revision.changed().await),
            Some(current) => tokio::select! {
                _ = revision.changed() => {}
                _ = current.changed() => {}
            },
        }
    }
}

impl Watched {
    /// Metrics of at least the wanted revision, if possible those that were read for another subscriber.
    async fn metrics(
        &self,
        tenant: &Tenant,
        version: VersionId,
        wanted: i64,
    ) -> Result<Option<Arc<Metrics>>, StorageError> {
        let mut newest = self.metrics.lock().await;
        if let Some((read_at, metrics)) = &*newest {
            if wanted >= 0 && metrics.head().revision >= wanted {
                return Ok(Some(Arc::clone(metrics)));
            }
            tokio::time::sleep_until(*read_at + MIN_READ_INTERVAL).await;
        }
        let Some(metrics) = metrics::find_many(tenant, &[version]).await?.remove(&version) else { return Ok(None) };
        let metrics = Arc::new(metrics);
        *newest = Some((Instant::now(), Arc::clone(&metrics)));
        self.advance(metrics.head().revision);
        Ok(Some(metrics))
    }

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

impl LogReader {
    /// The next changes; waits until there are any. `None` if the version does not exist.
    async fn next(&mut self) -> Result<Option<Vec<Change>>, StorageError> {
        loop {
            self.revision.mark_unchanged();
            let Some(position) = self.position().await? else { return Ok(None) };
            let changes = self.watched.changes(&self.tenant, self.version, position).await?;
            if let Some(last) = changes.last() {
                self.position = Some(last.revision);
                return Ok(Some(changes));
            }
            if self.revision.changed().await.is_err() {
                return Ok(None);
            }
        }
    }

    async fn position(&mut self) -> Result<Option<i64>, StorageError> {
        if self.position.is_none() {
            let revisions = changes::revisions(self.tenant.database(), &[self.version]).await?;
            self.position = revisions.get(&self.version).copied();
        }
        Ok(self.position)
    }
}
