//! The streams of a subscriber.

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

/// A version's metrics are read at most so often, however many watch and however fast it changes.
const MIN_READ_INTERVAL: Duration = Duration::from_millis(50);

/// After so long without a change a tick comes all the same: a send may become due, or complete by deployments that are not
/// their users' latest, neither of which is in the version's log.
const MAX_TICK_INTERVAL: Duration = Duration::from_secs(1);

/// How many changes a client is given in one go.
const BATCH_SIZE: usize = 500;

pub(super) fn metrics(
    hub: Hub,
    tenant: Tenant,
    followed: Followed,
    every: Duration,
) -> impl Stream<Item = Result<Arc<Metrics>, StorageError>> + Send + use<> {
    let subscriber = Follower { hub, tenant, current: None, watched: None, shown: None, every, next: Instant::now() };
    let start = (subscriber, followed);
    stream::try_unfold(start, |(mut follower, followed)| async move {
        let metrics = follower.next(followed).await?;
        Ok(metrics.map(|metrics| (metrics, (follower, followed))))
    })
}

pub(super) fn changes(
    hub: &Hub,
    tenant: Tenant,
    version: VersionId,
    after: Option<i64>,
) -> impl Stream<Item = Result<Change, StorageError>> + Send + use<> {
    let watched = hub.watch(version);
    let revision = watched.revision.subscribe();
    let reader = LogReader { tenant, version, watched, revision, position: after };
    let chunks = stream::try_unfold(reader, |mut reader| async move {
        let chunk = reader.next().await?;
        Ok::<_, StorageError>(chunk.map(|chunk| (chunk, reader)))
    });
    chunks.map_ok(|chunk| stream::iter(chunk.into_iter().map(Ok))).try_flatten()
}

pub(super) fn ticks(hub: &Hub, version: VersionId, every: Duration) -> impl Stream<Item = ()> + Send + use<> {
    let watched = hub.watch(version);
    let revision = watched.revision.subscribe();
    let start = (watched, revision, None::<Instant>);
    stream::unfold(start, move |(watched, mut revision, last)| async move {
        if let Some(last) = last {
            tokio::time::sleep_until(last + every).await;
            if let Ok(changed) = tokio::time::timeout(MAX_TICK_INTERVAL, revision.changed()).await {
                changed.ok()?;
            }
        }
        revision.mark_unchanged();
        Some(((), (watched, revision, Some(Instant::now()))))
    })
    .fuse()
}

/// A subscriber of metrics.
struct Follower {
    hub: Hub,
    tenant: Tenant,
    current: Option<watch::Receiver<Option<VersionId>>>,
    watched: Option<(VersionId, Arc<Watched>, watch::Receiver<i64>)>,
    /// The version and revision shown last.
    shown: Option<(VersionId, i64)>,
    every: Duration,
    next: Instant,
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
                self.next = Instant::now() + self.every;
                return Ok(Some(metrics));
            }
            self.change().await;
        }
    }

    /// The version to show now; none where the conversation is not there.
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

    /// Waits until the version changes or another one is the current one.
    async fn change(&mut self) {
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
    /// Metrics of at least the wanted revision: those read for another subscriber where they serve.
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

    /// Changes behind a revision: from the shared tail where it reaches, otherwise from the log.
    async fn changes(&self, tenant: &Tenant, version: VersionId, after: i64) -> Result<Vec<Change>, StorageError> {
        let limit = BATCH_SIZE;
        let mut tail = self.tail.lock().await;
        match tail.after(after, limit) {
            Some(changes) if !changes.is_empty() => return Ok(changes),
            // At the head: whoever comes first reads for all.
            Some(_) => {
                let changes = changes::after(tenant, version, after, limit as u64).await?;
                tail.append(&changes);
                return Ok(changes);
            }
            None => {}
        }
        let empty = tail.head().is_none();
        if !empty {
            // Far behind: a reading of one's own, which keeps nobody waiting.
            drop(tail);
            return changes::after(tenant, version, after, limit as u64).await;
        }
        let changes = changes::after(tenant, version, after, limit as u64).await?;
        tail.append(&changes);
        Ok(changes)
    }
}

/// A subscriber's own position in a version's log.
struct LogReader {
    tenant: Tenant,
    version: VersionId,
    watched: Arc<Watched>,
    revision: watch::Receiver<i64>,
    /// The last revision received; none before the present one was found out.
    position: Option<i64>,
}

impl LogReader {
    /// The next changes, waiting for them.
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
