//! The recorder: facts in, one commit for many, wake the watchers.

use crate::domain::fact::Fact;
use crate::domain::id::WorkspaceId;
use crate::storage::StorageError;

/// What became of a fact.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recorded {
    /// Merged, or known already.
    Merged,
    /// It names something not known yet, and waits for it.
    Parked,
    /// It was kept as it came: it could not be understood, or matches nothing.
    Kept,
}

/// Why facts were not recorded. None of them is stored then, or all may be offered again: merging twice changes nothing.
#[derive(Debug, Clone, thiserror::Error)]
pub enum RecordError {
    /// Too many facts wait already.
    #[error("too many facts are waiting to be recorded")]
    Full,
    /// The database failed.
    #[error("the database failed")]
    Storage(#[source] std::sync::Arc<StorageError>),
    /// The server is shutting down.
    #[error("the server is shutting down")]
    Closed,
}

/// The door for facts. Cheap to clone.
#[derive(Clone)]
pub struct Recorder {}

impl Recorder {
    /// Records facts of one workspace and answers once they are committed: one answer for each, in order.
    pub async fn record(&self, workspace: WorkspaceId, facts: Vec<Fact>) -> Result<Vec<Recorded>, RecordError> {
        todo!()
    }
}
