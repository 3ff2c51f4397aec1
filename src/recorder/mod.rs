//! The recorder: facts in, one commit for many, then wake the watchers.
//!
//! While a workspace's last commit runs, what concurrent requests bring in collects; the next transaction takes all of it
//! (up to a batch), and every request is answered after the commit. So a fact alone costs its share of a commit, and a
//! version's row is locked by few large transactions instead of many small ones. Workspaces go side by side.
//!
//! Merging is idempotent, so a batch that fails is simply tried again: in halves, until the fact that fails alone is found.
//! That one is kept as it came, and the rest succeeds.

mod batch;
mod queue;
mod sweep;

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::queue::{Pending, Queues};
use crate::domain::book::Applied;
use crate::domain::clock::{Clock, Timestamp};
use crate::domain::fact::{Fact, Kept};
use crate::domain::id::WorkspaceId;
use crate::live::Hub;
use crate::storage::ledger::Revisions;
use crate::storage::parked::{self, Parking};
use crate::storage::record::Offered;
use crate::storage::{Database, StorageError, Tenant};

/// What became of a fact.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recorded {
    /// Merged, or known already.
    Merged,
    /// It names something not known yet, and waits for it.
    Parked,
    /// It was kept as it came: it could not be understood, or belongs nowhere.
    Kept,
}

/// Why facts were not recorded. They may be offered again: merging twice changes nothing.
#[derive(Debug, Clone, thiserror::Error)]
pub enum RecordError {
    /// Too many facts wait already.
    #[error("too many facts are waiting to be recorded")]
    Full,
    /// The database failed.
    #[error("the database failed")]
    Storage(#[source] Arc<StorageError>),
    /// The server is shutting down.
    #[error("the server is shutting down")]
    Closed,
}

/// How the recorder works.
#[derive(Debug, Clone, Copy)]
pub struct RecorderSettings {
    /// How many facts may wait in all; more are refused, so that the provider keeps them.
    pub queue_facts: usize,
    /// How many facts go into one transaction.
    pub batch_facts: usize,
    /// How long facts that name something unknown wait.
    pub parking: Parking,
    /// How often parked facts are looked through.
    pub sweep_interval: Duration,
}

/// The door for facts. Cheap to clone.
#[derive(Clone)]
pub struct Recorder(Arc<Inner>);

struct Inner {
    db: Database,
    hub: Hub,
    clock: Arc<dyn Clock>,
    tasks: TaskTracker,
    settings: RecorderSettings,
    queues: Queues,
    places: Arc<Semaphore>,
}

impl Recorder {
    /// A recorder that writes to `db` and then wakes the subscribers of `hub`. Its work runs on `tasks`.
    pub fn new(db: Database, hub: Hub, clock: Arc<dyn Clock>, tasks: TaskTracker, settings: RecorderSettings) -> Self {
        let places = Arc::new(Semaphore::new(settings.queue_facts));
        Self(Arc::new(Inner { db, hub, clock, tasks, settings, queues: Queues::default(), places }))
    }

    /// Looks through parked facts again and again until `shutdown`.
    pub async fn sweep(self, shutdown: CancellationToken) {
        sweep::run(&self, shutdown).await;
    }

    /// Records facts of one workspace and answers once they are committed: one answer for each, in order.
    pub async fn record(&self, workspace: WorkspaceId, facts: Vec<Fact>) -> Result<Vec<Recorded>, RecordError> {
        if facts.is_empty() {
            return Ok(Vec::new());
        }
        self.offer(workspace, facts.into_iter().map(Offered::fresh).collect()).await
    }

    /// Keeps what cannot be told to any workspace.
    pub async fn keep(&self, kept: &[Kept]) -> Result<(), RecordError> {
        let keep = parked::keep_unknown(&self.0.db, kept, self.0.clock.now());
        keep.await.map_err(|error| RecordError::Storage(Arc::new(error)))
    }

    /// Does what follows a commit, for another writer of this node: wakes the watchers of these versions, and offers again
    /// what waited for these keys.
    pub async fn committed(&self, workspace: WorkspaceId, revisions: &Revisions, known: &[String]) {
        self.0.hub.wake(revisions);
        let tenant = Tenant::new(self.0.db.clone(), workspace);
        if self.0.offer_waiting(&tenant, known).await {
            self.0.tasks.spawn(drain(Arc::clone(&self.0), workspace));
        }
    }

    async fn offer(&self, workspace: WorkspaceId, offered: Vec<Offered>) -> Result<Vec<Recorded>, RecordError> {
        let places = self.0.places(offered.len())?;
        let (reply, answer) = oneshot::channel();
        if self.0.queues.push(workspace, Pending { offered, waiting: Some((reply, places)) }) {
            self.0.tasks.spawn(drain(Arc::clone(&self.0), workspace));
        }
        answer.await.unwrap_or(Err(RecordError::Closed))
    }
}

impl From<&Applied> for Recorded {
    fn from(applied: &Applied) -> Self {
        match applied {
            Applied::Merged => Self::Merged,
            Applied::Waits(_) => Self::Parked,
            Applied::Nowhere(_) => Self::Kept,
        }
    }
}

impl std::fmt::Debug for Recorder {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Recorder").field("settings", &self.0.settings).finish_non_exhaustive()
    }
}

impl Inner {
    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Places in the queue for so many facts. They are held until the facts are recorded, also when their client leaves.
    fn places(&self, facts: usize) -> Result<OwnedSemaphorePermit, RecordError> {
        let facts = u32::try_from(facts.min(self.settings.queue_facts)).map_err(|_| RecordError::Full)?;
        Arc::clone(&self.places).try_acquire_many_owned(facts).map_err(|_| RecordError::Full)
    }
}

/// Drains a workspace's queue to its end, whatever happens to a batch on the way.
async fn drain(inner: Arc<Inner>, workspace: WorkspaceId) {
    while AssertUnwindSafe(inner.drain(workspace)).catch_unwind().await.is_err() {
        tracing::error!("recording a batch panicked; its requests are refused");
    }
}
