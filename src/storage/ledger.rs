//! The only way to change users: lock their versions, then move the tally, append to the log and set the revision.
//!
//! The version is the unit of consistency. Versions are locked first, in the order of their ids, so the log is in the order of
//! commits, its numbers have no gaps, and transactions cannot deadlock. SQLite has a single writer, whose transaction is the
//! lock.

use std::collections::{BTreeMap, HashMap};

use entity::{send_tally, tally};
use sea_orm::DatabaseTransaction;

use super::bulk::{Bulk, Datum, Kind, OnConflict};
use super::query::Query;
use super::row::{self, Row};
use super::{StorageError, dialect};
use crate::domain::book::{SendMove, UserMove};
use crate::domain::clock::Timestamp;
use crate::domain::id::{SendId, UserId, VersionId, WorkspaceId};
use crate::domain::standing::{Cell, DeploymentStatus};
use crate::domain::tally::Tally;

/// The versions that a transaction has locked.
#[derive(Debug, Default)]
pub(super) struct Locked(BTreeMap<VersionId, Head>);

#[derive(Debug)]
struct Head {
    revision: i64,
    deployments: i64,
}

/// The versions that a transaction changed, with their new revisions.
pub type Revisions = Vec<(VersionId, i64)>;

const TALLY: Bulk = Bulk {
    table: "tally",
    columns: &[("version_id", Kind::Uuid), ("cell", Kind::Int), ("workspace_id", Kind::Uuid), ("users", Kind::BigInt)],
    key: "version_id, cell",
    on_conflict: OnConflict::Overwrite,
};

const SEND_TALLY: Bulk = Bulk {
    table: "send_tally",
    columns: &[
        ("send_id", Kind::Uuid),
        ("cell", Kind::Int),
        ("workspace_id", Kind::Uuid),
        ("deployments", Kind::BigInt),
    ],
    key: "send_id, cell",
    on_conflict: OnConflict::Overwrite,
};

const CHANGES: Bulk = Bulk {
    table: "changes",
    columns: &[
        ("version_id", Kind::Uuid),
        ("revision", Kind::BigInt),
        ("workspace_id", Kind::Uuid),
        ("user_id", Kind::Uuid),
        ("at", Kind::BigInt),
        ("kinds", Kind::Int),
        ("cell_before", Kind::Int),
        ("cell", Kind::Int),
    ],
    key: "version_id, revision",
    on_conflict: OnConflict::Keep,
};

impl Locked {
    /// Locks the versions that match a condition.
    pub(super) async fn lock(query: Query<'_, DatabaseTransaction>, condition: &str) -> Result<Self, StorageError> {
        let lock = dialect::for_update(query.backend());
        // Not the flow, which may be large.
        let sql = format!("SELECT id, revision, total_deployments FROM versions WHERE {condition} ORDER BY id {lock}");
        let head = |row: &mut Row<'_>| Ok((row.id()?, Head { revision: row.value()?, deployments: row.value()? }));
        Ok(Self(query.all(sql, head).await?.into_iter().collect()))
    }

    /// Whether a version is locked.
    pub(super) fn holds(&self, version: VersionId) -> bool {
        self.0.contains_key(&version)
    }

    /// The revision of each user's change, in the order of the moves within their versions.
    pub(super) fn number(&self, moves: &[(VersionId, &UserMove)]) -> HashMap<UserId, i64> {
        let mut next: HashMap<VersionId, i64> = self.0.iter().map(|(&id, head)| (id, head.revision)).collect();
        let mut numbers = HashMap::with_capacity(moves.len());
        for (version, user) in moves {
            let revision = next.entry(*version).or_default();
            *revision += 1;
            numbers.insert(user.user, *revision);
        }
        numbers
    }

    /// Moves the tallies of the versions, appends a change per move, and sets the revisions. `deployments` is the number of
    /// deployments that were added to each version.
    pub(super) async fn append(
        &mut self,
        db: &DatabaseTransaction,
        workspace: WorkspaceId,
        moves: &[(VersionId, &UserMove)],
        deployments: &HashMap<VersionId, i64>,
        now: Timestamp,
    ) -> Result<Revisions, StorageError> {
        if moves.is_empty() {
            return Ok(Revisions::new());
        }
        let numbers = self.number(moves);
        self.move_tally(db, workspace, moves).await?;
        let change = |(version, user): &(VersionId, &UserMove)| {
            vec![
                Datum::id(*version),
                Datum::Number(numbers.get(&user.user).copied()),
                Datum::id(workspace),
                Datum::id(user.user),
                Datum::at(now),
                Datum::number(user.kinds.bits()),
                Datum::optional(user.before.map(Cell::code)),
                Datum::number(user.after.code()),
            ]
        };
        CHANGES.write(db, &moves.iter().map(change).collect::<Vec<_>>()).await?;
        self.set_revisions(db, moves, deployments, now).await
    }

    async fn move_tally(
        &self,
        db: &DatabaseTransaction,
        workspace: WorkspaceId,
        moves: &[(VersionId, &UserMove)],
    ) -> Result<(), StorageError> {
        let shifts: Vec<_> = moves.iter().filter(|(_, user)| user.before != Some(user.after)).collect();
        let versions: std::collections::BTreeSet<_> = shifts.iter().map(|(version, _)| *version).collect();
        if versions.is_empty() {
            return Ok(());
        }
        let mut tallies = read_tallies(db, &versions.iter().copied().collect::<Vec<_>>()).await?;
        let before = tallies.clone();
        for (version, user) in shifts {
            tallies.entry(*version).or_default().shift(user.before, user.after);
        }
        let rows = versions.iter().flat_map(|version| {
            let (before, after) = (before.get(version), tallies.get(version));
            let differences = after.map(|after| after.differences(&before.cloned().unwrap_or_default()));
            let row = |(cell, count, _): (Cell, i64, i64)| {
                vec![Datum::id(*version), Datum::number(cell.code()), Datum::id(workspace), Datum::number(count)]
            };
            differences.unwrap_or_default().into_iter().map(row)
        });
        Ok(TALLY.write(db, &rows.collect::<Vec<_>>()).await?)
    }

    async fn set_revisions(
        &mut self,
        db: &DatabaseTransaction,
        moves: &[(VersionId, &UserMove)],
        deployments: &HashMap<VersionId, i64>,
        now: Timestamp,
    ) -> Result<Revisions, StorageError> {
        for (version, _) in moves {
            if let Some(head) = self.0.get_mut(version) {
                head.revision += 1;
            }
        }
        let changed: std::collections::BTreeSet<_> = moves.iter().map(|(version, _)| *version).collect();
        let mut revisions = Revisions::new();
        for version in changed {
            let Some(head) = self.0.get_mut(&version) else { continue };
            head.deployments += deployments.get(&version).copied().unwrap_or_default();
            let mut query = Query::on(db);
            let (revision, at) = (query.bind(head.revision), query.bind(now.micros()));
            let (total, id) = (query.bind(head.deployments), query.bind(version.0));
            let sql = format!(
                "UPDATE versions SET revision = {revision}, changed_at = {at}, total_deployments = {total} WHERE id = {id}"
            );
            query.execute(sql).await?;
            revisions.push((version, head.revision));
        }
        Ok(revisions)
    }
}

/// Moves the tallies of sends, and completes the sends whose last deployment left the queue. The versions of the sends must be
/// locked; all deployments of a send belong to the same version.
pub(super) async fn move_sends(
    db: &DatabaseTransaction,
    workspace: WorkspaceId,
    moves: &[SendMove],
    now: Timestamp,
) -> Result<(), StorageError> {
    let sends: std::collections::BTreeSet<_> = moves.iter().map(|one| one.send).collect();
    if sends.is_empty() {
        return Ok(());
    }
    let before = read_send_tallies(db, &sends.iter().copied().collect::<Vec<_>>()).await?;
    let mut after = before.clone();
    for one in moves {
        after.entry(one.send).or_default().shift(one.before, one.after);
    }
    let mut rows = Vec::new();
    let mut completed = Vec::new();
    for (&send, tally) in &after {
        let known = before.get(&send).cloned().unwrap_or_default();
        rows.extend(tally.differences(&known).into_iter().map(|(cell, count, _)| {
            vec![Datum::id(send), Datum::number(cell.code()), Datum::id(workspace), Datum::number(count)]
        }));
        if tally.with_status(DeploymentStatus::Queued) == 0 {
            completed.push(send);
        }
    }
    SEND_TALLY.write(db, &rows).await?;
    complete(db, &completed, now).await
}

/// Completes sends, except those of which deployments are still to be made.
async fn complete(db: &DatabaseTransaction, sends: &[SendId], now: Timestamp) -> Result<(), StorageError> {
    if sends.is_empty() {
        return Ok(());
    }
    let mut query = Query::on(db);
    let (now, sends) = (query.bind(now.micros()), query.among("id", sends));
    let sql =
        format!("UPDATE sends SET completed_at = {now} WHERE completed_at IS NULL AND prepared IS NULL AND {sends}");
    query.execute(sql).await?;
    Ok(())
}

pub(super) async fn read_tallies(
    db: &DatabaseTransaction,
    ids: &[VersionId],
) -> Result<HashMap<VersionId, Tally>, StorageError> {
    let mut query = Query::on(db);
    let ids = query.among("version_id", ids);
    let mut tallies: HashMap<_, Tally> = HashMap::new();
    for row in query.models::<tally::Model>(format!("SELECT * FROM tally WHERE {ids}")).await? {
        tallies.entry(row.version_id.into()).or_default().add(row::cell(row.cell)?, row.users);
    }
    Ok(tallies)
}

pub(super) async fn read_send_tallies(
    db: &DatabaseTransaction,
    ids: &[SendId],
) -> Result<HashMap<SendId, Tally>, StorageError> {
    let mut query = Query::on(db);
    let ids = query.among("send_id", ids);
    let mut tallies: HashMap<_, Tally> = HashMap::new();
    for row in query.models::<send_tally::Model>(format!("SELECT * FROM send_tally WHERE {ids}")).await? {
        tallies.entry(row.send_id.into()).or_default().add(row::cell(row.cell)?, row.deployments);
    }
    Ok(tallies)
}
