//! The hub that subscribers listen to.
//!
//! A node reads each version's news once, however many clients watch. Whoever writes on this node wakes the hub right after
//! the commit; for other nodes' commits one statement every few milliseconds reads the revisions of all versions that
//! anybody watches here. No broker and no listener, hence nothing to lose. Metrics are conflated to the newest; changes are
//! read from the log from each client's own position, so a slow client falls behind and catches up but loses nothing.

mod follow;
mod tail;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::Stream;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use self::tail::Tail;
use crate::domain::id::{ConversationId, VersionId};
use crate::domain::metrics::Metrics;
use crate::domain::user::Change;
use crate::recorder::Wake;
use crate::storage::ledger::Revisions;
use crate::storage::{Database, StorageError, Tenant, changes};

/// What a subscriber of metrics follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Followed {
    /// One version.
    Version(VersionId),
    /// Whatever version of the conversation is the current one.
    Current(ConversationId),
}

/// Tells subscribers of changes. Cheap to clone.
#[derive(Clone)]
pub struct Hub(Arc<Inner>);

struct Inner {
    db: Database,
    versions: Mutex<HashMap<VersionId, Arc<Watched>>>,
    currents: Mutex<HashMap<ConversationId, watch::Sender<Option<VersionId>>>>,
}

/// A version that somebody watches on this node.
struct Watched {
    /// The newest revision known here.
    revision: watch::Sender<i64>,
    /// The newest metrics read, and when.
    metrics: tokio::sync::Mutex<Option<(tokio::time::Instant, Arc<Metrics>)>>,
    /// The newest changes read.
    tail: tokio::sync::Mutex<Tail>,
}

impl Hub {
    /// A hub over `db`, without watchers.
    pub fn new(db: Database) -> Self {
        Self(Arc::new(Inner { db, versions: Mutex::default(), currents: Mutex::default() }))
    }

    /// Looks for other nodes' commits every `poll` until `shutdown`, while anybody watches.
    pub async fn poll(self, poll: Duration, shutdown: CancellationToken) {
        let mut ticks = tokio::time::interval(poll);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return,
                _ = ticks.tick() => self.look().await,
            }
        }
    }

    /// The present metrics at once, then the newest after each change, never faster than `every`.
    pub fn metrics(
        &self,
        tenant: Tenant,
        followed: Followed,
        every: Duration,
    ) -> impl Stream<Item = Result<Arc<Metrics>, StorageError>> + Send + use<> {
        follow::metrics(self.clone(), tenant, followed, every)
    }

    /// Every change of the version behind `after`, in order; behind the present revision where it is none.
    pub fn changes(
        &self,
        tenant: Tenant,
        version: VersionId,
        after: Option<i64>,
    ) -> impl Stream<Item = Result<Change, StorageError>> + Send + use<> {
        follow::changes(self, tenant, version, after)
    }

    /// An item at once, after each change of the version, and now and then without one, never faster than `every`: for
    /// whoever then reads something of their own.
    pub fn ticks(&self, version: VersionId, every: Duration) -> impl Stream<Item = ()> + Send + use<> {
        follow::ticks(self, version, every)
    }

    /// The version's entry; it stays while anybody holds it.
    fn watch(&self, version: VersionId) -> Arc<Watched> {
        let mut versions = self.0.versions.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(versions.entry(version).or_default())
    }

    fn watch_current(&self, conversation: ConversationId) -> watch::Receiver<Option<VersionId>> {
        let mut currents = self.0.currents.lock().unwrap_or_else(PoisonError::into_inner);
        currents.entry(conversation).or_insert_with(|| watch::Sender::new(None)).subscribe()
    }

    /// Reads the news of whatever is watched, and forgets what no longer is.
    async fn look(&self) {
        let (versions, conversations) = (self.watched_versions(), self.watched_conversations());
        if let Err(error) = self.look_at(&versions, &conversations).await {
            tracing::warn!(error = &error as &dyn std::error::Error, "the revisions of watched versions were not read");
        }
    }

    async fn look_at(&self, versions: &[VersionId], conversations: &[ConversationId]) -> Result<(), StorageError> {
        if !versions.is_empty() {
            let revisions = changes::revisions(&self.0.db, versions).await?;
            self.wake(&revisions.into_iter().collect());
        }
        if !conversations.is_empty() {
            let current = changes::current_versions(&self.0.db, conversations).await?;
            let currents = self.0.currents.lock().unwrap_or_else(PoisonError::into_inner);
            for (conversation, version) in current {
                if let Some(sender) = currents.get(&conversation) {
                    sender.send_if_modified(|known| known.replace(version) != Some(version));
                }
            }
        }
        Ok(())
    }

    fn watched_versions(&self) -> Vec<VersionId> {
        let mut versions = self.0.versions.lock().unwrap_or_else(PoisonError::into_inner);
        versions.retain(|_, watched| Arc::strong_count(watched) > 1);
        versions.keys().copied().collect()
    }

    fn watched_conversations(&self) -> Vec<ConversationId> {
        let mut currents = self.0.currents.lock().unwrap_or_else(PoisonError::into_inner);
        currents.retain(|_, sender| sender.receiver_count() > 0);
        currents.keys().copied().collect()
    }
}

impl Wake for Hub {
    fn wake(&self, revisions: &Revisions) {
        let versions = self.0.versions.lock().unwrap_or_else(PoisonError::into_inner);
        for (version, revision) in revisions {
            if let Some(watched) = versions.get(version) {
                watched.advance(*revision);
            }
        }
    }
}

impl Watched {
    fn advance(&self, revision: i64) {
        self.revision.send_if_modified(|known| {
            let newer = revision > *known;
            *known = revision.max(*known);
            newer
        });
    }
}

impl Default for Watched {
    fn default() -> Self {
        Self {
            revision: watch::Sender::new(-1),
            metrics: tokio::sync::Mutex::default(),
            tail: tokio::sync::Mutex::default(),
        }
    }
}
