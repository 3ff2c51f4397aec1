//! What waits to be recorded, by workspace.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, oneshot};

use super::{RecordError, Recorded};
use crate::domain::id::WorkspaceId;
use crate::storage::record::Offered;

/// A request's facts. Those that we offer again ourselves have nobody waiting.
pub(super) struct Pending {
    pub(super) offered: Vec<Offered>,
    /// Whoever waits for the answer, and the places that the facts take.
    pub(super) waiting: Option<(Reply, OwnedSemaphorePermit)>,
}

/// Where the answer goes.
pub(super) type Reply = oneshot::Sender<Result<Vec<Recorded>, RecordError>>;

/// A queue per workspace. A workspace is in the map exactly while a task drains its queue.
#[derive(Default)]
pub(super) struct Queues(Mutex<HashMap<WorkspaceId, VecDeque<Pending>>>);

impl Queues {
    /// Adds a request; tells whether a task must be started to drain the queue.
    pub(super) fn push(&self, workspace: WorkspaceId, pending: Pending) -> bool {
        let mut queues = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let idle = !queues.contains_key(&workspace);
        queues.entry(workspace).or_default().push_back(pending);
        idle
    }

    /// Takes whole requests of together at most `facts` facts, or a single larger one; `None`, and the workspace is idle,
    /// where nothing waits.
    pub(super) fn take(&self, workspace: WorkspaceId, facts: usize) -> Option<Vec<Pending>> {
        let mut queues = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let queue = queues.get_mut(&workspace)?;
        let mut taken: Vec<Pending> = Vec::new();
        let mut sum = 0;
        while let Some(next) = queue.front() {
            sum += next.offered.len();
            if !taken.is_empty() && sum > facts {
                break;
            }
            taken.extend(queue.pop_front());
        }
        if taken.is_empty() {
            queues.remove(&workspace);
            return None;
        }
        Some(taken)
    }
}
