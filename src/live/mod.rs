//! The hub that subscribers listen to.
//!
//! A node reads what is new in a version once, however many clients watch it. Writers on this node wake the hub right after
//! their commit. For commits of other nodes, a single statement polls the revisions of all versions that are watched here:
//! there is no broker and no notification that could be lost. Metrics ([`metrics`], [`conversations`]) and sends ([`sends`]) are conflated to
//! the latest. Changes ([`changes`], [`sessions`]) are read from the log, from each client's own position, so a slow client falls behind
//! and catches up but misses nothing, as long as the log reaches back ([`trim`]).
//!
//! May import `domain` and `storage`.

mod changes;
mod conversations;
mod latest;
mod metrics;
mod sends;
mod sessions;
mod tail;
mod trim;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

pub use self::changes::LogError;
use self::latest::Latest;
pub use self::sends::Progress;
use self::tail::Tail;
pub use self::trim::Trimmer;
use crate::domain::id::{ConversationId, SendId, VersionId};
use crate::domain::metrics::Metrics;
use crate::rounds::Rounds;
use crate::storage::ledger::Revisions;
use crate::storage::{self, Database, StorageError, Tenant};

/// Who subscribes.
#[derive(Clone)]
pub struct Subscriber {
    /// The workspace's data.
    pub tenant: Tenant,
    /// When it is cancelled, the stream gives what is known by then as its last items, without waiting, and ends.
    pub ending: CancellationToken,
}

/// What a subscriber to metrics follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Followed {
    /// One version.
    Version(VersionId),
    /// The conversation's current version, also after another one is published.
    Current(ConversationId),
}

/// Notifies subscribers of changes. Cheap to clone.
#[derive(Clone)]
pub struct Hub(Arc<Inner>);

struct Inner {
    db: Database,
    versions: Mutex<HashMap<VersionId, Arc<Watched>>>,
    currents: Mutex<HashMap<ConversationId, watch::Sender<Option<VersionId>>>>,
    sends: Mutex<HashMap<SendId, Weak<Latest<Progress>>>>,
}

/// A version that somebody watches on this node.
struct Watched {
    /// The latest revision known on this node; -1 before any is known.
    revision: watch::Sender<i64>,
    /// The latest metrics that were read.
    metrics: Latest<Metrics>,
    /// The latest changes that were read.
    tail: tokio::sync::Mutex<Tail>,
}

impl Hub {
    /// A hub over `db`, without subscribers.
    pub fn new(db: Database) -> Self {
        let (versions, currents, sends) = Default::default();
        Self(Arc::new(Inner { db, versions, currents, sends }))
    }

    /// Wakes the subscribers of versions that a commit of this node changed.
    pub fn wake(&self, revisions: &Revisions) {
        let versions = self.0.versions.lock().unwrap_or_else(PoisonError::into_inner);
        for (version, revision) in revisions {
            if let Some(watched) = versions.get(version) {
                watched.advance(*revision);
            }
        }
    }

    /// Polls for other nodes' commits every `interval` until `shutdown`. While nobody watches, no statement is sent.
    pub async fn poll(self, interval: Duration, shutdown: CancellationToken) {
        let mut rounds = Rounds::every(interval, shutdown);
        while rounds.next().await {
            self.refresh().await;
        }
    }

    /// The version's entry, which lives as long as anybody holds it.
    fn watch(&self, version: VersionId) -> Arc<Watched> {
        let mut versions = self.0.versions.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(versions.entry(version).or_default())
    }

    fn watch_current(&self, conversation: ConversationId) -> watch::Receiver<Option<VersionId>> {
        let mut currents = self.0.currents.lock().unwrap_or_else(PoisonError::into_inner);
        currents.entry(conversation).or_insert_with(|| watch::Sender::new(None)).subscribe()
    }

    /// What is read of a send for everybody who watches it.
    fn latest_of(&self, send: SendId) -> Arc<Latest<Progress>> {
        let mut sends = self.0.sends.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(latest) = sends.get(&send).and_then(Weak::upgrade) {
            return latest;
        }
        sends.retain(|_, latest| latest.strong_count() > 0);
        let latest = Arc::default();
        sends.insert(send, Arc::downgrade(&latest));
        latest
    }

    /// Reads what changed of everything watched here, and drops what nobody watches any more.
    async fn refresh(&self) {
        let (versions, conversations) = (self.watched_versions(), self.watched_conversations());
        if let Err(error) = self.read_news(&versions, &conversations).await {
            tracing::warn!(error = &error as &dyn std::error::Error, "cannot read the revisions of watched versions");
        }
    }

    async fn read_news(&self, versions: &[VersionId], conversations: &[ConversationId]) -> Result<(), StorageError> {
        if !versions.is_empty() {
            let revisions = storage::changes::revisions(&self.0.db, versions).await?;
            self.wake(&revisions.into_iter().collect());
        }
        if !conversations.is_empty() {
            let current = storage::changes::current_versions(&self.0.db, conversations).await?;
            self.announce_current(current);
        }
        Ok(())
    }

    /// Tells which version was the current one a moment ago, if nobody has told yet.
    fn introduce_current(&self, conversation: ConversationId, version: VersionId) {
        let currents = self.0.currents.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(sender) = currents.get(&conversation) {
            sender.send_if_modified(|known| known.is_none() && known.replace(version).is_none());
        }
    }

    fn announce_current(&self, current: impl IntoIterator<Item = (ConversationId, VersionId)>) {
        let currents = self.0.currents.lock().unwrap_or_else(PoisonError::into_inner);
        for (conversation, version) in current {
            if let Some(sender) = currents.get(&conversation) {
                sender.send_if_modified(|known| known.replace(version) != Some(version));
            }
        }
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
        Self { revision: watch::Sender::new(-1), metrics: Latest::default(), tail: tokio::sync::Mutex::default() }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::domain::id::new_key;

    #[tokio::test]
    async fn a_poll_takes_one_statement_for_all_that_is_watched_and_none_while_nobody_watches() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}?mode=rwc", folder.path().join("bluetick.db").display());
        let mut db = Database::connect(&url, 1).await.unwrap();
        db.migrate().await.unwrap();
        let statements = Arc::new(AtomicUsize::new(0));
        let counted = statements.clone();
        db.observe(move |_| {
            counted.fetch_add(1, Ordering::Relaxed);
        });
        let hub = Hub::new(db);
        let polled = async || {
            hub.refresh().await;
            statements.swap(0, Ordering::Relaxed)
        };
        assert_eq!(polled().await, 0);
        let watched: Vec<_> = (0..50).map(|_| hub.watch(new_key().into())).collect();
        assert_eq!(polled().await, 1);
        let current = hub.watch_current(new_key().into());
        assert_eq!(polled().await, 2);
        drop((watched, current));
        assert_eq!(polled().await, 0);
    }
}
