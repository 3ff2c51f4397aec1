//! The metrics of versions: tallies, read together with the revision.

use super::conversations::CONVERSATIONS;
use super::query::{Query, belongs};
use super::row::Row;
use super::source::Source;
use super::{Found, StorageError, Tenant};
use crate::domain::conversation::Conversation;
use crate::domain::id::{ConversationId, VersionId};
use crate::domain::metrics::{Metrics, VersionHead};
use crate::domain::standing::Cell;
use crate::domain::tally::Tally;

/// The columns of a version's metrics. The whole tally is one text, since a version has some dozens of cells and each row
/// would repeat what stands beside it.
const COLUMNS: &str = "versions.id, versions.number, versions.revision, \
    coalesce(versions.changed_at, versions.published_at), versions.total_deployments, \
    (SELECT string_agg(tally.cell || ':' || tally.users, ',') FROM tally \
     WHERE tally.version_id = versions.id AND tally.users > 0)";

/// The metrics of versions, in one statement, so that each version's figures and revision are of the same instant.
pub async fn find_many(tenant: &Tenant, versions: &[VersionId]) -> Found<VersionId, Metrics> {
    let mut query = Query::of(tenant);
    let among = query.among("versions.id", versions);
    let sql = format!("SELECT {COLUMNS} FROM versions WHERE versions.workspace_id = $1 AND {among}");
    let metrics = query.all(sql, read).await?;
    Ok(metrics.into_iter().map(|metrics| (metrics.head().id, metrics)).collect())
}

/// Conversations, each with its current version's metrics: what is nearly always wanted together, in one statement.
pub async fn with_conversations(
    tenant: &Tenant,
    ids: &[ConversationId],
) -> Found<ConversationId, (Conversation, Metrics)> {
    let mut query = Query::of(tenant);
    let among = query.among("conversations.id", ids);
    let Source { columns, joins, read: read_conversation, .. } = CONVERSATIONS;
    let belongs = belongs("conversations.workspace_id", "$1");
    let sql = format!("SELECT {columns}, {COLUMNS} FROM conversations {joins} WHERE {belongs} AND {among}");
    let found = query.all(sql, |row| Ok((read_conversation(row)?, read(row)?))).await?;
    Ok(found.into_iter().map(|found| (found.0.id, found)).collect())
}

fn read(row: &mut Row<'_>) -> Result<Metrics, StorageError> {
    let head = VersionHead {
        id: row.id()?,
        number: row.value()?,
        revision: row.value()?,
        as_of: row.time()?,
        total_deployments: row.value()?,
    };
    let tally: Option<String> = row.value()?;
    let tally = read_tally(tally.as_deref().unwrap_or_default()).ok_or(StorageError::Corrupt("tally"))?;
    Ok(Metrics::new(head, tally))
}

/// Reads a tally written as `cell:users`, with commas between.
fn read_tally(written: &str) -> Option<Tally> {
    let cell = |written: &str| {
        let (cell, users) = written.split_once(':')?;
        Some((Cell::from_code(cell.parse().ok()?)?, users.parse().ok()?))
    };
    written.split(',').filter(|cell| !cell.is_empty()).map(cell).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tally_is_read_whole_or_not_at_all() {
        let queued = Cell::QUEUED.code();
        assert_eq!(read_tally(""), Some(Tally::default()));
        assert_eq!(read_tally(&format!("{queued}:3")), Some([(Cell::QUEUED, 3)].into_iter().collect()));
        for wrong in ["1", "x:1", "0:x", "999999:1", "0:1;1:2"] {
            assert_eq!(read_tally(wrong), None, "{wrong}");
        }
    }
}
