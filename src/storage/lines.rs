//! Lines.

use super::{Found, StorageError, Tenant};
use crate::domain::clock::Timestamp;
use crate::domain::id::LineId;
use crate::domain::line::Line;

/// Creates a line; `false` where its provider's id is taken, in whatever workspace.
pub async fn create(tenant: &Tenant, line: &Line, now: Timestamp) -> Result<bool, StorageError> {
    todo!()
}

/// Lines by id.
pub async fn find_many(tenant: &Tenant, ids: &[LineId]) -> Found<LineId, Line> {
    todo!()
}

/// All lines of the workspace, oldest first.
pub async fn list(tenant: &Tenant) -> Result<Vec<Line>, StorageError> {
    todo!()
}
