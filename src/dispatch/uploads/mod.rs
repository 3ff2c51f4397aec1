//! Lists of users, taken in row by row, of any length: nothing of a list is kept in memory but one batch.
//!
//! The rows are staged in batches as they arrive. When the list is complete, one transaction makes the send, and the
//! preparer makes its deployments. A list that is not completed leaves nothing: whoever received it removes what it staged,
//! and what a dead node left is swept.

mod digest;
mod sweep;
mod upload;

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use upload::Upload;

use super::recipient::Recipient;
use super::sends::SubmissionFault;
use crate::domain::clock::{Clock, Timestamp};
use crate::domain::id::{ConversationId, SendId, WorkspaceId};
use crate::storage::{Database, StorageError, Tenant};

/// The most lists that a node receives at once.
const SLOTS: usize = 4;

/// How many refused rows are told; the others are only counted.
const MAX_REFUSED_ROWS: usize = 1_000;

/// What is to be done with a list.
#[derive(Debug, Clone)]
pub struct Order {
    /// The conversation to send.
    pub conversation: ConversationId,
    /// When to send; immediately if that is absent or in the past.
    pub scheduled_at: Option<Timestamp>,
    /// How long after its acceptance an undelivered message expires; the template's category decides if that is absent.
    pub time_to_live: Option<Duration>,
    /// Repeating a list under the same key returns the send that was made of the first one.
    pub idempotency_key: Option<String>,
    /// Whether rows that are refused are left out, rather than the whole list being refused.
    pub skip_invalid: bool,
}

/// A row of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListRow {
    /// The line of the list on which it begins, from 1.
    pub line: u64,
    /// The user, or why the row cannot be read.
    pub user: Result<Recipient, String>,
}

/// Rows that are refused.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Refused {
    /// How many there are.
    pub count: u64,
    /// The first of them.
    pub rows: Vec<RefusedRow>,
}

/// A row that is refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RefusedRow {
    /// The line of the list on which it begins, from 1.
    pub line: u64,
    /// Why.
    pub reason: String,
}

/// A list that was received.
#[derive(Debug)]
pub struct Received {
    /// The send that was made of it.
    pub send: SendId,
    /// How many users it has.
    pub total_users: i32,
    /// How many rows were left out because of a phone that the list had already.
    pub duplicates: i64,
    /// The rows that were left out because they were refused.
    pub refused: Refused,
    /// Whether the send was made of the same list before.
    pub repeated: bool,
}

/// Why no send is made of a list.
#[derive(Debug)]
pub enum UploadFault {
    /// The submission is refused, for the same reasons as any other.
    Submission(SubmissionFault),
    /// Rows are refused, and it was not asked to leave them out; or no others are there.
    Rows(Refused),
    /// There are no rows.
    Empty,
}

/// Takes lists in. Cheap to clone.
#[derive(Clone)]
pub struct Uploads(Arc<Parts>, Arc<Semaphore>);

/// The right to receive a list, until it is dropped.
pub type Slot = OwnedSemaphorePermit;

/// What taking lists in needs.
pub struct Parts {
    /// The database for staged users.
    pub db: Database,
    /// The clock for due times, and for finding what was abandoned.
    pub clock: Arc<dyn Clock>,
    /// Notifies the preparer of this node that users were staged.
    pub staged: Arc<Notify>,
    /// The tracker on which lists are received.
    pub tasks: TaskTracker,
    /// How long a list may pause between two pieces.
    pub stall: Duration,
}

impl Uploads {
    /// Takes lists in with these parts.
    pub fn new(parts: Parts) -> Self {
        Self(Arc::new(parts), Arc::new(Semaphore::new(SLOTS)))
    }

    /// The data of a workspace.
    pub fn tenant(&self, workspace: WorkspaceId) -> Tenant {
        Tenant::new(self.0.db.clone(), workspace)
    }

    /// The current instant.
    pub fn now(&self) -> Timestamp {
        self.0.clock.now()
    }

    /// The right to receive a list, if this node does not receive as many as it can.
    pub fn slot(&self) -> Option<Slot> {
        Arc::clone(&self.1).try_acquire_owned().ok()
    }

    /// Begins to receive a list. One whose key is known already is only compared.
    pub async fn begin(
        &self,
        workspace: WorkspaceId,
        order: Order,
    ) -> Result<Result<Upload, UploadFault>, StorageError> {
        Upload::begin(self.clone(), self.tenant(workspace), order).await
    }

    /// Runs to its end what receives a list, even if nobody waits for it any more: then it is what cleans up.
    pub fn receive<T: Send + 'static>(&self, receiving: impl Future<Output = T> + Send + 'static) -> JoinHandle<T> {
        self.0.tasks.spawn(receiving)
    }

    /// How long a list may pause between two pieces.
    pub fn stall(&self) -> Duration {
        self.0.stall
    }

    /// Removes abandoned lists regularly until `shutdown`.
    pub async fn sweep(self, shutdown: CancellationToken) {
        sweep::run(&self.0, shutdown).await;
    }
}

impl Refused {
    fn add(&mut self, line: u64, reason: String) {
        self.count += 1;
        if self.rows.len() < MAX_REFUSED_ROWS {
            self.rows.push(RefusedRow { line, reason });
        }
    }
}
