//! The queues of facts that wait to be recorded, one per lane.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, oneshot};

use super::{RecordError, Recorded};
use crate::domain::id::{LineId, WorkspaceId};
use crate::storage::record::Offered;

/// The facts of a request, or parked facts that are offered again, for which nobody waits.
pub(super) struct Pending {
    pub(super) offered: Vec<Offered>,
    /// Where to send the results, and the facts' permit for the queue.
    pub(super) waiting: Option<(Reply, OwnedSemaphorePermit)>,
}

/// The channel for the results.
pub(super) type Reply = oneshot::Sender<Result<Vec<Recorded>, RecordError>>;

/// Facts of a lane are recorded one batch after the other, those of several lanes side by side. What is reported of a line
/// keeps to one lane, and so does what belongs to no line in particular.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Lane {
    pub(super) workspace: WorkspaceId,
    number: u128,
}

/// A queue per lane. A lane is in the map exactly as long as a task is draining its queue.
#[derive(Default)]
pub(super) struct Queues(Mutex<HashMap<Lane, VecDeque<Pending>>>);

impl Lane {
    /// The lane of a line, of so many that a workspace has.
    pub(super) fn of(workspace: WorkspaceId, line: Option<LineId>, lanes: u32) -> Self {
        // The end of an id is random.
        let number = line.map_or(0, |line| line.0.as_u128() % u128::from(lanes.max(1)));
        Self { workspace, number }
    }
}

impl Queues {
    /// Adds a request. Returns whether a task must be started to drain the queue.
    pub(super) fn push(&self, lane: Lane, pending: Pending) -> bool {
        let mut queues = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let idle = !queues.contains_key(&lane);
        queues.entry(lane).or_default().push_back(pending);
        idle
    }

    /// Takes whole requests with at most `facts` facts in total, or a single larger request. `None` if the queue is empty; the
    /// lane is then idle.
    pub(super) fn take(&self, lane: Lane, facts: usize) -> Option<Vec<Pending>> {
        let mut queues = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let queue = queues.get_mut(&lane)?;
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
            queues.remove(&lane);
            return None;
        }
        Some(taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::id::new_key;

    #[test]
    fn lines_share_a_few_lanes_and_keep_to_theirs() {
        let workspace = WorkspaceId(new_key());
        let lines: Vec<LineId> = (0..200).map(|_| LineId(new_key())).collect();
        let of_lines = || lines.iter().map(|line| Lane::of(workspace, Some(*line), 4));
        assert_eq!(of_lines().collect::<std::collections::HashSet<_>>().len(), 4);
        assert!(of_lines().eq(of_lines()));
        assert!(lines.iter().all(|line| Lane::of(workspace, Some(*line), 1) == Lane::of(workspace, None, 4)));
    }
}
