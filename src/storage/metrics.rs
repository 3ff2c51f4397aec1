//! Tallies of versions, read together with the revision.

use std::collections::HashMap;
use std::hash::Hash;

use super::conversations::CONVERSATIONS;
use super::query::Query;
use super::row::Row;
use super::source::Source;
use super::{Found, StorageError, Tenant};
use crate::domain::conversation::Conversation;
use crate::domain::id::{ConversationId, VersionId};
use crate::domain::metrics::{Metrics, VersionHead};
use crate::domain::standing::Cell;
use crate::domain::tally::Tally;

/// A version with one cell of its tally; none where the tally is empty.
type Part = (VersionHead, Option<(Cell, i64)>);

/// The columns of a [`Part`].
const COLUMNS: &str = "versions.id, versions.number, versions.revision, \
    coalesce(versions.changed_at, versions.published_at), versions.total_deployments, tally.cell, tally.users";

/// What a version is joined with for them.
const JOIN: &str = "LEFT JOIN tally ON tally.version_id = versions.id AND tally.users > 0";

/// The metrics of versions: one statement, so each version's figures and revision are of one instant.
pub async fn find_many(tenant: &Tenant, versions: &[VersionId]) -> Found<VersionId, Metrics> {
    let mut query = Query::of(tenant);
    let among = query.among("versions.id", versions);
    let sql = format!("SELECT {COLUMNS} FROM versions {JOIN} WHERE versions.workspace_id = $1 AND {among}");
    let mut metrics = HashMap::with_capacity(versions.len());
    for part in query.all(sql, read).await? {
        add(&mut metrics, part.0.id, part);
    }
    Ok(metrics.into_iter().map(|(version, (head, tally))| (version, Metrics::new(head, tally))).collect())
}

/// Conversations, each with its current version's metrics: what is nearly always wanted together, in one statement.
pub async fn with_conversations(
    tenant: &Tenant,
    ids: &[ConversationId],
) -> Found<ConversationId, (Conversation, Metrics)> {
    let mut query = Query::of(tenant);
    let among = query.among("conversations.id", ids);
    let Source { columns, joins, read: read_conversation, .. } = CONVERSATIONS;
    let sql = format!(
        "SELECT {columns}, {COLUMNS} FROM conversations {joins} {JOIN} \
         WHERE conversations.workspace_id = $1 AND {among}"
    );
    let (mut conversations, mut metrics) = (HashMap::with_capacity(ids.len()), HashMap::with_capacity(ids.len()));
    for (conversation, part) in query.all(sql, |row| Ok((read_conversation(row)?, read(row)?))).await? {
        add(&mut metrics, conversation.id, part);
        conversations.insert(conversation.id, conversation);
    }
    let metrics = metrics.into_iter().map(|(id, (head, tally))| (id, Metrics::new(head, tally)));
    Ok(metrics.filter_map(|(id, metrics)| Some((id, (conversations.remove(&id)?, metrics)))).collect())
}

fn add<K: Eq + Hash>(metrics: &mut HashMap<K, (VersionHead, Tally)>, key: K, (head, standing): Part) {
    let (_, tally) = metrics.entry(key).or_insert_with(|| (head, Tally::default()));
    if let Some((cell, users)) = standing {
        tally.add(cell, users);
    }
}

fn read(row: &mut Row<'_>) -> Result<Part, StorageError> {
    let head = VersionHead {
        id: row.id()?,
        number: row.value()?,
        revision: row.value()?,
        as_of: row.time()?,
        total_deployments: row.value()?,
    };
    let (cell, users) = (row.optional_cell()?, row.value::<Option<i64>>()?);
    Ok((head, cell.zip(users)))
}
