//! Parked facts, which wait for something to become known, and kept payloads, which were not understood.

use std::time::Duration;

use entity::parked;
use sea_orm::{ConnectionTrait, DatabaseTransaction};
use sha2::{Digest, Sha256};

use super::bulk::{Bulk, Datum, Kind, OnConflict};
use super::query::Query;
use super::record::Offered;
use super::{Database, StorageError, Tenant};
use crate::domain::book::Applied;
use crate::domain::clock::Timestamp;
use crate::domain::fact::{Fact, Jump, Kept};
use crate::domain::id::{DeploymentId, LineId, WorkspaceId, kept_key, new_key};

/// How long facts wait for something unknown to which they refer.
#[derive(Debug, Clone, Copy)]
pub struct Parking {
    /// For messages, which are then attributed by time.
    pub messages: Duration,
    /// For all other facts, which are then dropped.
    pub others: Duration,
}

/// A parked fact that is to be offered again.
#[derive(Debug, Clone)]
pub struct Parked {
    /// The workspace of the fact.
    pub workspace: WorkspaceId,
    /// The fact, its parked row, and whether its time is up.
    pub offered: Offered,
}

const PARKED: Bulk = Bulk {
    table: "parked",
    columns: &[
        ("id", Kind::Uuid),
        ("workspace_id", Kind::Uuid),
        ("key", Kind::Text),
        ("digest", Kind::Text),
        ("fact", Kind::Text),
        ("parked_at", Kind::BigInt),
        ("expires_at", Kind::BigInt),
    ],
    key: "id",
    on_conflict: OnConflict::Keep,
};

const KEPT: Bulk = Bulk {
    table: "kept",
    columns: &[
        ("id", Kind::Uuid),
        ("workspace_id", Kind::Uuid),
        ("reason", Kind::Text),
        ("payload", Kind::Text),
        ("kept_at", Kind::BigInt),
    ],
    key: "id",
    on_conflict: OnConflict::Keep,
};

/// Parks the facts that must wait, keeps those that belong to nothing, and deletes the rows of those that no longer wait.
pub(super) async fn set_aside<'a>(
    db: &DatabaseTransaction,
    workspace: WorkspaceId,
    facts: impl Iterator<Item = (&'a Offered, &'a Applied)>,
    parking: Parking,
    now: Timestamp,
) -> Result<(), StorageError> {
    let (mut parked, mut kept, mut settled) = (Vec::new(), Vec::new(), Vec::new());
    for (one, applied) in facts {
        match applied {
            Applied::Waits(_) if one.expired => kept.extend(given_up(workspace, &one.fact, now)?),
            Applied::Waits(key) if one.parked.is_none() => parked.push(park(workspace, key, &one.fact, parking, now)?),
            Applied::Waits(_) => continue,
            Applied::Nowhere(reason) => kept.push(keep(Some(workspace), reason, &written(&one.fact)?, now)),
            Applied::Merged | Applied::Refused => kept.extend(as_it_came(workspace, &one.fact, now)),
        }
        settled.extend(one.parked);
    }
    PARKED.write(db, &parked).await?;
    KEPT.write(db, &kept).await?;
    clear(db, workspace, &settled).await
}

/// Parks where flows lead, to be done in the next batch: the versions that begin are not locked yet. Returns the keys by
/// which they are found.
pub(super) async fn lead_on(
    db: &DatabaseTransaction,
    workspace: WorkspaceId,
    jumps: Vec<Jump>,
    parking: Parking,
    now: Timestamp,
) -> Result<Vec<String>, StorageError> {
    let keys: Vec<String> = jumps.iter().map(|jump| jump.from.to_string()).collect();
    let park = |(key, jump): (&String, Jump)| park(workspace, key, &Fact::Jumped(jump), parking, now);
    let rows = keys.iter().zip(jumps).map(park).collect::<Result<Vec<_>, _>>()?;
    PARKED.write(db, &rows).await?;
    Ok(keys)
}

/// Keeps payloads that cannot be assigned to a workspace.
pub async fn keep_unknown(db: &Database, kept: &[Kept], now: Timestamp) -> Result<(), StorageError> {
    let rows: Vec<_> = kept.iter().map(|one| keep(None, &one.reason, &one.payload, now)).collect();
    Ok(KEPT.write(db.writer(), &rows).await?)
}

/// The facts that are parked for one of these keys.
pub async fn waiting_for(tenant: &Tenant, keys: &[String]) -> Result<Vec<Offered>, StorageError> {
    let db = tenant.database().reader();
    let mut query = Query::on(db);
    let workspace = query.bind(tenant.workspace().0);
    let keys = query.among_texts("key", &keys.iter().map(String::as_str).collect::<Vec<_>>());
    let sql = format!("SELECT * FROM parked WHERE workspace_id = {workspace} AND {keys}");
    let rows = query.models::<parked::Model>(sql).await?;
    rows.into_iter().map(|row| Ok(read(&row, Timestamp::MIN)?.offered)).collect()
}

/// Parked facts in any workspace whose time is up, at most `limit`.
pub async fn expired(db: &Database, now: Timestamp, limit: usize) -> Result<Vec<Parked>, StorageError> {
    let db = db.reader();
    let mut query = Query::on(db);
    let (until, limit) = (query.bind(now.micros()), query.bind(i64::try_from(limit).unwrap_or(i64::MAX)));
    let sql = format!("SELECT * FROM parked WHERE expires_at <= {until} ORDER BY expires_at LIMIT {limit}");
    let rows = query.models::<parked::Model>(sql).await?;
    rows.iter().map(|row| read(row, now)).collect()
}

/// Facts in any workspace that were parked at or after `since` and may be applicable now: the message that they wait for is
/// known, or they wait for a deployment of their contact or for a jump, which only an attempt can find out. In the order of
/// their rows' ids, after the id `behind`, at most `limit`.
pub async fn placeable(
    db: &Database,
    since: Timestamp,
    behind: uuid::Uuid,
    now: Timestamp,
    limit: usize,
) -> Result<Vec<Parked>, StorageError> {
    let db = db.reader();
    let mut query = Query::on(db);
    let (since, behind) = (query.bind(since.micros()), query.bind(behind));
    let (line, led) = (query.bind(format!("{}%", LineId::PREFIX)), query.bind(format!("{}%", DeploymentId::PREFIX)));
    let limit = query.bind(i64::try_from(limit).unwrap_or(i64::MAX));
    let sql = format!(
        "SELECT p.* FROM parked p WHERE p.parked_at >= {since} AND p.id > {behind} \
         AND (p.key LIKE {line} OR p.key LIKE {led} OR EXISTS \
         (SELECT 1 FROM messages m WHERE m.workspace_id = p.workspace_id AND m.provider_message_id = p.key)) \
         ORDER BY p.id LIMIT {limit}"
    );
    let rows = query.models::<parked::Model>(sql).await?;
    rows.iter().map(|row| read(row, now)).collect()
}

async fn clear(db: &impl ConnectionTrait, workspace: WorkspaceId, places: &[uuid::Uuid]) -> Result<(), StorageError> {
    if places.is_empty() {
        return Ok(());
    }
    let mut query = Query::on(db);
    let workspace = query.bind(workspace.0);
    let places = query.among("id", places);
    query.execute(format!("DELETE FROM parked WHERE workspace_id = {workspace} AND {places}")).await?;
    Ok(())
}

fn read(row: &parked::Model, now: Timestamp) -> Result<Parked, StorageError> {
    let fact = serde_json::from_str(&row.fact).map_err(|_| StorageError::Corrupt("parked fact"))?;
    let expired = row.expires_at <= now.micros();
    Ok(Parked { workspace: row.workspace_id.into(), offered: Offered { fact, parked: Some(row.id), expired } })
}

fn park(
    workspace: WorkspaceId,
    key: &str,
    fact: &Fact,
    parking: Parking,
    now: Timestamp,
) -> Result<Vec<Datum>, StorageError> {
    let wait = if matches!(fact, Fact::Message(_)) { parking.messages } else { parking.others };
    let fact = written(fact)?;
    Ok(vec![
        Datum::id(new_key()),
        Datum::id(workspace),
        Datum::text(key),
        Datum::text(hex::encode(Sha256::digest(&fact))),
        Datum::text(fact),
        Datum::at(now),
        Datum::at(now.plus(wait)),
    ])
}

/// A message is kept even if it could not be attributed. Any other fact is of no use without its subject.
fn given_up(workspace: WorkspaceId, fact: &Fact, now: Timestamp) -> Result<Option<Vec<Datum>>, StorageError> {
    if !matches!(fact, Fact::Message(_)) {
        return Ok(None);
    }
    Ok(Some(keep(Some(workspace), "unattributed_message", &written(fact)?, now)))
}

/// The row of a fact that was not understood, and is only kept.
fn as_it_came(workspace: WorkspaceId, fact: &Fact, now: Timestamp) -> Option<Vec<Datum>> {
    match fact {
        Fact::Kept(Kept { reason, payload }) => Some(keep(Some(workspace), reason, payload, now)),
        _ => None,
    }
}

/// The row of a kept payload. Its key is derived from its content, so the same payload is kept only once.
fn keep(workspace: Option<WorkspaceId>, reason: &str, payload: &str, now: Timestamp) -> Vec<Datum> {
    vec![
        Datum::id(kept_key(workspace, reason, payload)),
        Datum::Uuid(workspace.map(Into::into)),
        Datum::text(reason),
        Datum::text(payload),
        Datum::at(now),
    ]
}

fn written(fact: &Fact) -> Result<String, StorageError> {
    serde_json::to_string(fact).map_err(|_| StorageError::Corrupt("fact"))
}
