//! The recorder: group commit of facts.
//!
//! While the last commit of a lane runs, the facts of concurrent requests are queued. The next transaction takes all of them
//! (up to the size of a batch), and every request is answered after the commit that covers it. So each fact costs only its
//! share of a commit, and a version's row is locked by a few large transactions instead of many small ones. Workspaces are
//! independent of each other, and so are, for the most part, lines: where the database writes side by side, a few lanes share
//! them. What two lanes have in common is decided by the locks, as between nodes.
//!
//! Merging is idempotent, so a batch that fails is simply retried in halves, until the fact that fails by itself is isolated.
//! That one is kept as it arrived, and the rest succeed.

mod batch;
mod erase;
mod queue;
mod sweep;

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, oneshot};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use self::erase::Retention;
use self::queue::{Lane, Pending, Queues};
use crate::domain::book::Applied;
use crate::domain::clock::{Clock, Timestamp};
use crate::domain::fact::{Fact, Kept};
use crate::domain::id::{LineId, WorkspaceId};
use crate::live::Hub;
use crate::storage::ledger::Revisions;
use crate::storage::parked;
use crate::storage::record::{Offered, Rules};
use crate::storage::{Database, StorageError, Tenant};

/// How many lanes a workspace has where the database writes side by side.
const LANES: u32 = 4;

/// The result of recording a fact.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recorded {
    /// It was merged, or was known already.
    Merged,
    /// It refers to something that is not known yet, and waits for it.
    Parked,
    /// It came too late: the message is canceled, or claimed by somebody else, and must not be sent.
    Refused,
    /// It was kept as it arrived, because it could not be understood or belongs to nothing.
    Kept,
}

/// Why facts were not recorded. They can safely be submitted again, since merging is idempotent.
#[derive(Debug, Clone, thiserror::Error)]
pub enum RecordError {
    /// Too many facts are waiting already.
    #[error("too many facts are waiting to be recorded")]
    Full,
    /// The database failed.
    #[error("the database failed")]
    Storage(#[source] Arc<StorageError>),
    /// The server is shutting down.
    #[error("the server is shutting down")]
    Closed,
}

/// The settings of the recorder.
#[derive(Debug, Clone)]
pub struct RecorderSettings {
    /// The most facts that may wait, over all workspaces. Beyond that, requests are refused, and the provider retries.
    pub queue_facts: usize,
    /// The most facts in one transaction.
    pub batch_facts: usize,
    /// The most transactions at a time.
    pub batches: usize,
    /// What applies to all facts.
    pub rules: Rules,
    /// The time between two sweeps of the parked facts.
    pub sweep_interval: Duration,
}

/// Records facts. Cheap to clone.
#[derive(Clone)]
pub struct Recorder(Arc<Inner>);

struct Inner {
    db: Database,
    hub: Hub,
    clock: Arc<dyn Clock>,
    tasks: TaskTracker,
    settings: RecorderSettings,
    queues: Queues,
    /// One permit for each fact that may still be queued.
    capacity: Arc<Semaphore>,
    /// One permit for each transaction that may still begin.
    batches: Semaphore,
    /// Notified when a flow or an agent said something that is to be sent.
    said: Arc<Notify>,
}

impl Recorder {
    /// A recorder that writes to `db` and then wakes the subscribers of `hub`. Its work runs on `tasks`. `said` is notified
    /// when something is to be sent.
    pub fn new(
        db: Database,
        hub: Hub,
        clock: Arc<dyn Clock>,
        tasks: TaskTracker,
        said: Arc<Notify>,
        settings: RecorderSettings,
    ) -> Self {
        let capacity = Arc::new(Semaphore::new(settings.queue_facts));
        let (queues, batches) = (Queues::default(), Semaphore::new(settings.batches));
        Self(Arc::new(Inner { db, hub, clock, tasks, settings, queues, capacity, batches, said }))
    }

    /// Sweeps the parked facts regularly until `shutdown`.
    pub async fn sweep(self, shutdown: CancellationToken) {
        sweep::run(&self, shutdown).await;
    }

    /// Records facts of one workspace, and returns a result for each, in order, once they are committed. Of what is offered as
    /// a line's, the first is recorded first.
    pub async fn record(
        &self,
        workspace: WorkspaceId,
        line: Option<LineId>,
        facts: Vec<Fact>,
    ) -> Result<Vec<Recorded>, RecordError> {
        if facts.is_empty() {
            return Ok(Vec::new());
        }
        self.offer(self.0.lane(workspace, line), facts.into_iter().map(Offered::fresh).collect()).await
    }

    /// Keeps payloads that cannot be assigned to a workspace.
    pub async fn keep(&self, kept: &[Kept]) -> Result<(), RecordError> {
        let keep = parked::keep_unknown(&self.0.db, kept, self.0.clock.now());
        keep.await.map_err(|error| RecordError::Storage(Arc::new(error)))
    }

    /// Does what has to follow a commit of another writer on this node: wakes the subscribers of the changed versions, and
    /// offers again the facts that are parked for the keys that became known.
    pub async fn committed(&self, workspace: WorkspaceId, revisions: &Revisions, known: &[String]) {
        self.0.hub.wake(revisions);
        let (tenant, lane) = (Tenant::new(self.0.db.clone(), workspace), self.0.lane(workspace, None));
        if self.0.offer_waiting(&tenant, lane, known).await {
            self.0.tasks.spawn(drain(Arc::clone(&self.0), lane));
        }
    }

    async fn offer(&self, lane: Lane, offered: Vec<Offered>) -> Result<Vec<Recorded>, RecordError> {
        let permit = self.0.reserve(offered.len())?;
        let (reply, answer) = oneshot::channel();
        if self.0.queues.push(lane, Pending { offered, waiting: Some((reply, permit)) }) {
            self.0.tasks.spawn(drain(Arc::clone(&self.0), lane));
        }
        answer.await.unwrap_or(Err(RecordError::Closed))
    }
}

impl From<&Applied> for Recorded {
    fn from(applied: &Applied) -> Self {
        match applied {
            Applied::Merged => Self::Merged,
            Applied::Waits(_) => Self::Parked,
            Applied::Refused => Self::Refused,
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

    fn lane(&self, workspace: WorkspaceId, line: Option<LineId>) -> Lane {
        Lane::of(workspace, line, if self.db.writes_side_by_side() { LANES } else { 1 })
    }

    /// How many facts wait.
    fn queued(&self) -> usize {
        self.settings.queue_facts.saturating_sub(self.capacity.available_permits())
    }

    /// Reserves room in the queue for some facts. It is held until they are recorded, even if the client disconnects.
    fn reserve(&self, facts: usize) -> Result<OwnedSemaphorePermit, RecordError> {
        let facts = u32::try_from(facts.min(self.settings.queue_facts)).map_err(|_| RecordError::Full)?;
        Arc::clone(&self.capacity).try_acquire_many_owned(facts).map_err(|_| RecordError::Full)
    }
}

/// Drains the queue of a lane, even if recording a batch panics.
async fn drain(inner: Arc<Inner>, lane: Lane) {
    while AssertUnwindSafe(inner.drain(lane)).catch_unwind().await.is_err() {
        tracing::error!("recording a batch panicked; its requests fail");
    }
}
