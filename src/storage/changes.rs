//! The log of a version's changes, and the revisions that watchers follow.

use super::Database;
use super::{Found, StorageError, Tenant};
use crate::domain::id::{ConversationId, VersionId};
use crate::domain::user::Change;

/// The changes of a version behind a revision, in order, at most `limit`.
pub async fn after(
    tenant: &Tenant,
    version: VersionId,
    revision: i64,
    limit: u64,
) -> Result<Vec<Change>, StorageError> {
    todo!()
}

/// The present revisions of versions that are watched on this node, of whatever workspace.
pub async fn revisions(db: &Database, versions: &[VersionId]) -> Found<VersionId, i64> {
    todo!()
}

/// The current versions of conversations that are watched on this node, of whatever workspace.
pub async fn current_versions(db: &Database, conversations: &[ConversationId]) -> Found<ConversationId, VersionId> {
    todo!()
}
