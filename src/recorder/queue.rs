//! The queues of facts that wait to be recorded, one per workspace.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, oneshot};

use super::{RecordError, Recorded};
use crate::domain::id::WorkspaceId;
use crate::storage::record::Offered;

/// The facts of a request, or parked facts that are offered again, for which nobody waits.
pub(super) struct Pending {
    pub(super) offered: Vec<Offered>,
    /// Where to send the results, and the facts' permit for the queue.
    pub(super) waiting: Option<(Reply, OwnedSemaphorePermit)>,
}

/// The channel for the results.
pub(super) type Reply = oneshot::Sender<Result<Vec<Recorded>, RecordError>>;

/// A queue per workspace. A workspace is in the map exactly as long as a task is draining its queue.
#[derive(Default)]
pub(super) struct Queues(Mutex<HashMap<WorkspaceId, VecDeque<Pending>>>);

impl Queues {
    /// Adds a request. Returns whether a task must be started to drain the queue.
    pub(super) fn push(&self, workspace: WorkspaceId, pending: Pending) -> bool {
        let mut queues = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let idle = !queues.contains_key(&workspace);
        queues.entry(workspace).or_default().push_back(pending);
        idle
    }

    /// Takes whole requests with at most `facts` facts in total, or a single larger request. `None` if the queue is empty; the
    /// workspace is then idle.
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
