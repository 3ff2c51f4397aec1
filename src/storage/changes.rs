//! The log of a version's changes, and the revisions that subscribers follow.

use super::Database;
use super::query::Query;
use super::row::Row;
use super::{Found, StorageError, Tenant};
use crate::domain::id::{ConversationId, VersionId};
use crate::domain::user::{Change, ChangeKinds};

/// The changes of a version after a revision, in order, at most `limit`.
pub async fn after(
    tenant: &Tenant,
    version: VersionId,
    revision: i64,
    limit: u64,
) -> Result<Vec<Change>, StorageError> {
    let mut query = Query::of(tenant);
    let (version, revision) = (query.bind(version.0), query.bind(revision));
    let sql = format!(
        "SELECT revision, user_id, at, kinds, cell_before, cell FROM changes \
         WHERE workspace_id = $1 AND version_id = {version} AND revision > {revision} ORDER BY revision LIMIT {limit}"
    );
    query.all(sql, read).await
}

/// The present revisions of versions, in any workspace, that are watched on this node.
pub async fn revisions(db: &Database, versions: &[VersionId]) -> Found<VersionId, i64> {
    let mut query = Query::anywhere(db);
    let among = query.among("id", versions);
    let sql = format!("SELECT id, revision FROM versions WHERE {among}");
    let revisions = query.all(sql, |row| Ok((row.id()?, row.value()?))).await?;
    Ok(revisions.into_iter().collect())
}

/// The current versions of conversations, in any workspace, that are watched on this node.
pub async fn current_versions(db: &Database, conversations: &[ConversationId]) -> Found<ConversationId, VersionId> {
    let mut query = Query::anywhere(db);
    let among = query.among("conversations.id", conversations);
    let sql = format!(
        "SELECT conversations.id, versions.id FROM conversations \
         JOIN versions ON versions.conversation_id = conversations.id AND versions.number = conversations.versions \
         WHERE {among}"
    );
    let current = query.all(sql, |row| Ok((row.id()?, row.id()?))).await?;
    Ok(current.into_iter().collect())
}

fn read(row: &mut Row<'_>) -> Result<Change, StorageError> {
    Ok(Change {
        revision: row.value()?,
        user: row.id()?,
        at: row.time()?,
        kinds: ChangeKinds::from_bits(row.value()?),
        before: row.optional_cell()?,
        after: row.cell()?,
    })
}
