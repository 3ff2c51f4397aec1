//! The log of a version's changes, and the revisions that subscribers follow.

use sea_orm::DatabaseTransaction;

use super::Database;
use super::query::{Query, belongs};
use super::row::Row;
use super::{Found, StorageError, Tenant};
use crate::domain::clock::Timestamp;
use crate::domain::id::{ConversationId, VersionId};
use crate::domain::user::{Change, ChangeKinds};

/// The part of its log that a version has: the changes after `trimmed`, up to and including `revision`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extent {
    /// The last revision that was removed; 0 while the log is whole.
    pub trimmed: i64,
    /// The revision of the last change; 0 while there is none.
    pub revision: i64,
}

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

/// Which part of its log a version has; `None` if there is no such version.
pub async fn extent(tenant: &Tenant, version: VersionId) -> Result<Option<Extent>, StorageError> {
    let mut query = Query::of(tenant);
    let version = query.bind(version.0);
    let sql = format!("SELECT trimmed, revision FROM versions WHERE workspace_id = $1 AND id = {version}");
    query.first(sql, |row| Ok(Extent { trimmed: row.value()?, revision: row.value()? })).await
}

/// Up to `limit` versions, in any workspace, whose log begins with a change recorded before `time`.
pub async fn beginning_before(db: &Database, time: Timestamp, limit: u32) -> Result<Vec<VersionId>, StorageError> {
    let mut query = Query::anywhere(db);
    let time = query.bind(time.micros());
    let sql = format!(
        "SELECT versions.id FROM versions JOIN changes ON changes.version_id = versions.id \
         AND changes.revision = versions.trimmed + 1 WHERE changes.at < {time} LIMIT {limit}"
    );
    query.ids(sql).await
}

/// Removes changes recorded before `time` from the beginning of a version's log, at most `limit`. Returns how many.
pub async fn trim(db: &Database, version: VersionId, time: Timestamp, limit: u32) -> Result<u64, StorageError> {
    let transaction = db.begin().await?;
    let Some(last) = last_before(&transaction, version, time, limit).await? else { return Ok(0) };
    // The row is locked before the log is touched, as whoever appends to it does.
    let mut query = Query::on(&transaction);
    let (id, last_place) = (query.bind(version.0), query.bind(last));
    let sql = format!("UPDATE versions SET trimmed = {last_place} WHERE id = {id} AND trimmed < {last_place}");
    query.execute(sql).await?;
    let mut query = Query::on(&transaction);
    let (id, last) = (query.bind(version.0), query.bind(last));
    let removed = query.execute(format!("DELETE FROM changes WHERE version_id = {id} AND revision <= {last}")).await?;
    transaction.commit().await?;
    Ok(removed)
}

/// The last of a log's first changes that was recorded before `time`.
async fn last_before(
    db: &DatabaseTransaction,
    version: VersionId,
    time: Timestamp,
    limit: u32,
) -> Result<Option<i64>, StorageError> {
    let mut query = Query::on(db);
    let (version, time) = (query.bind(version.0), query.bind(time.micros()));
    let sql = format!(
        "SELECT revision FROM (SELECT revision, at FROM changes WHERE version_id = {version} \
         ORDER BY revision LIMIT {limit}) AS first_changes WHERE at < {time} ORDER BY revision DESC LIMIT 1"
    );
    query.number(sql).await
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

/// The newest versions of conversations, at most so many of each, with their present revisions.
pub async fn newest_versions(
    tenant: &Tenant,
    conversations: &[ConversationId],
    most: u32,
) -> Result<Vec<(VersionId, i64)>, StorageError> {
    let mut query = Query::of(tenant);
    let among = query.among("conversations.id", conversations);
    let sql = format!(
        "SELECT versions.id, versions.revision FROM conversations \
         JOIN versions ON versions.conversation_id = conversations.id AND versions.number > conversations.versions - {most} \
         WHERE {} AND {among}",
        belongs("conversations.workspace_id", "$1")
    );
    query.all(sql, |row| Ok((row.id()?, row.value()?))).await
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
