//! Whom a workspace reached within the last 24 hours: WhatsApp limits the number of different people.

use std::collections::HashSet;
use std::time::Duration;

use sea_orm::DatabaseTransaction;

use super::bulk::{Bulk, Datum, Kind, OnConflict};
use super::outbox::Claimed;
use super::query::Query;
use super::{StorageError, dialect};
use crate::domain::clock::Timestamp;
use crate::domain::failure::FailureReason;
use crate::domain::id::{ContactId, LineId, WorkspaceId};

/// The time for which a contact counts.
const WINDOW: Duration = Duration::from_hours(24);

const REACHED: Bulk = Bulk {
    table: "reached",
    columns: &[("workspace_id", Kind::Uuid), ("contact_id", Kind::Uuid), ("at", Kind::BigInt)],
    key: "workspace_id, contact_id",
    on_conflict: OnConflict::Overwrite,
};

/// Counts the contacts of claimed messages as reached, and marks the messages for which the workspace has no capacity left.
/// Somebody who was reached within the window already takes up none, and so does an answer to somebody who wrote.
pub(super) async fn count(
    db: &DatabaseTransaction,
    line: LineId,
    claimed: &mut [Claimed],
    (most, now): (u32, Timestamp),
) -> Result<(), StorageError> {
    let workspace = lock(db, line).await?;
    let (total, mut known) = read(db, workspace, claimed, now.minus(WINDOW)).await?;
    let mut left = i64::from(most) - total;
    for one in claimed.iter_mut() {
        if one.said || one.refusal.is_some() || known.contains(&one.contact) {
            continue;
        }
        if left <= 0 {
            one.refusal = Some(FailureReason::TierCapacity);
        } else {
            left -= 1;
            known.insert(one.contact);
        }
    }
    let reached = claimed.iter().filter(|one| !one.said && one.refusal.is_none());
    let contacts: HashSet<ContactId> = reached.map(|one| one.contact).collect();
    let row = |contact| vec![Datum::id(workspace), Datum::id(contact), Datum::at(now)];
    Ok(REACHED.write(db, &contacts.into_iter().map(row).collect::<Vec<_>>()).await?)
}

/// The workspace of a line, locked, since its other lines count the same people.
async fn lock(db: &DatabaseTransaction, line: LineId) -> Result<WorkspaceId, StorageError> {
    let mut query = Query::on(db);
    let (line, lock) = (query.bind(line.0), dialect::for_update(query.backend()));
    let sql = format!("SELECT id FROM workspaces WHERE id = (SELECT workspace_id FROM lines WHERE id = {line}) {lock}");
    query.ids(sql).await?.pop().ok_or(StorageError::Corrupt("line without a workspace"))
}

/// How many contacts were reached since then, and which of the claimed messages' contacts are among them.
async fn read(
    db: &DatabaseTransaction,
    workspace: WorkspaceId,
    claimed: &[Claimed],
    since: Timestamp,
) -> Result<(i64, HashSet<ContactId>), StorageError> {
    let mut query = Query::on(db);
    let (workspace_place, since_place) = (query.bind(workspace.0), query.bind(since.micros()));
    let sql = format!("SELECT count(*) FROM reached WHERE workspace_id = {workspace_place} AND at > {since_place}");
    let total = query.number(sql).await?.unwrap_or_default();
    let mut query = Query::on(db);
    let (workspace, since) = (query.bind(workspace.0), query.bind(since.micros()));
    let contacts = query.among("contact_id", &claimed.iter().map(|one| one.contact).collect::<Vec<_>>());
    let sql =
        format!("SELECT contact_id FROM reached WHERE workspace_id = {workspace} AND at > {since} AND {contacts}");
    let known: Vec<ContactId> = query.ids(sql).await?;
    Ok((total, known.into_iter().collect()))
}
