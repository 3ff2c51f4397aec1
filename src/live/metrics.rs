//! A subscriber to metrics: the latest figures, at its own pace.

use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{self, Stream};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::{Followed, Hub, Subscriber, Watched};
use crate::domain::id::{ConversationId, VersionId};
use crate::domain::metrics::Metrics;
use crate::storage::{StorageError, Tenant, changes, metrics};

/// A subscriber to metrics.
pub(super) struct Follower {
    hub: Hub,
    tenant: Tenant,
    ending: CancellationToken,
    followed: Followed,
    current: Option<watch::Receiver<Option<VersionId>>>,
    watched: Option<(VersionId, Arc<Watched>, watch::Receiver<i64>)>,
    /// The version and revision shown last.
    shown: Option<(VersionId, i64)>,
    interval: Duration,
    next: Instant,
    /// Whether the last item was given.
    ended: bool,
}

impl Hub {
    /// The present metrics at once, then the latest after each change, at most one item per `interval`.
    pub fn metrics(
        &self,
        subscriber: Subscriber,
        followed: Followed,
        interval: Duration,
    ) -> impl Stream<Item = Result<Arc<Metrics>, StorageError>> + Send + use<> {
        Follower::new(self, subscriber, followed, interval).stream()
    }
}

impl Follower {
    pub(super) fn new(hub: &Hub, subscriber: Subscriber, followed: Followed, interval: Duration) -> Self {
        let Subscriber { tenant, ending } = subscriber;
        Self {
            hub: hub.clone(),
            tenant,
            ending,
            followed,
            current: None,
            watched: None,
            shown: None,
            interval,
            next: Instant::now(),
            ended: false,
        }
    }

    /// What it is given.
    pub(super) fn stream(self) -> impl Stream<Item = Result<Arc<Metrics>, StorageError>> + Send + use<> {
        stream::try_unfold(self, |mut follower| async move {
            let metrics = follower.next().await?;
            Ok(metrics.map(|metrics| (metrics, follower)))
        })
    }

    /// Takes over metrics of the conversation's current version that were read a moment ago, for all who watch it.
    pub(super) async fn begin_with(&mut self, conversation: ConversationId, metrics: Metrics) {
        let (version, revision) = (metrics.head().id, metrics.head().revision);
        self.current = Some(self.hub.watch_current(conversation));
        self.hub.introduce_current(conversation, version);
        self.watch(version);
        if let Some((_, watched, _)) = &self.watched {
            watched.metrics.offer(revision, metrics).await;
            watched.advance(revision);
        }
    }

    async fn next(&mut self) -> Result<Option<Arc<Metrics>>, StorageError> {
        if self.ended {
            return Ok(None);
        }
        tokio::select! {
            () = sleep_until(self.next) => {}
            () = self.ending.cancelled() => {}
        }
        loop {
            // What changes from here on is no part of the last item.
            self.ended = self.ending.is_cancelled();
            let Some(version) = self.version().await? else { return Ok(None) };
            self.watch(version);
            let Some(metrics) = self.read().await? else { return Ok(None) };
            let newest = (version, metrics.head().revision);
            if self.shown != Some(newest) {
                self.shown = Some(newest);
                self.next = Instant::now() + self.interval;
                return Ok(Some(metrics));
            }
            if self.ended {
                return Ok(None);
            }
            self.changed().await;
        }
    }

    /// The version to show now; `None` if the conversation does not exist.
    async fn version(&mut self) -> Result<Option<VersionId>, StorageError> {
        let conversation = match self.followed {
            Followed::Version(version) => return Ok(Some(version)),
            Followed::Current(conversation) => conversation,
        };
        let known = self.current.as_mut().and_then(|current| *current.borrow_and_update());
        if known.is_some() {
            return Ok(known);
        }
        self.current.get_or_insert_with(|| self.hub.watch_current(conversation));
        let found = changes::current_versions(self.tenant.database(), &[conversation]).await?;
        let found = found.get(&conversation).copied();
        if let Some(version) = found {
            self.hub.introduce_current(conversation, version);
        }
        Ok(found)
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
        let read = async |_| {
            let Some(metrics) = metrics::find_many(&self.tenant, &[*version]).await?.remove(version) else {
                return Ok(None);
            };
            // Those who wait for this reading then know that it is the present.
            watched.advance(metrics.head().revision);
            Ok(Some((metrics.head().revision, metrics)))
        };
        watched.metrics.at_least(|| *revision.borrow_and_update(), Duration::MAX, read).await
    }

    /// Waits until the version changes, another version becomes the current one, or the subscriber is to end.
    async fn changed(&mut self) {
        let Some((_, _, revision)) = &mut self.watched else { return };
        let current = async {
            match &mut self.current {
                Some(current) => drop(current.changed().await),
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = revision.changed() => {}
            () = current => {}
            () = self.ending.cancelled() => {}
        }
    }
}
