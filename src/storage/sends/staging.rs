//! Staging: the users of a list that is being received, in batches of their own, until the send is made of them.
//!
//! No version is locked, and nothing of it shows. Whoever adds a batch or makes the send holds the row of the upload; so an
//! upload that was given up, or that was found abandoned, takes nothing more, and its rows can be removed chunk by chunk.

use std::collections::BTreeMap;

use sea_orm::ConnectionTrait;

use super::insert;
use super::key::{self, Known};
use crate::domain::clock::Timestamp;
use crate::domain::id::SendId;
use crate::domain::phone::Phone;
use crate::domain::send::Send;
use crate::storage::bulk::{Bulk, Datum, Kind, OnConflict};
use crate::storage::query::Query;
use crate::storage::{Database, StorageError, Tenant};

/// A user of a list.
#[derive(Debug, Clone)]
pub struct StagedUser {
    /// 1, 2, 3 … within the list.
    pub number: i32,
    /// The phone number, valid or not.
    pub phone: Phone,
    /// The values of the variables by name.
    pub variables: BTreeMap<String, String>,
}

/// What became of a list that was received.
#[derive(Debug)]
pub enum Completed {
    /// The send was made.
    Made,
    /// A send was made under its key before.
    Known(Known),
}

/// The most staged rows that are removed in one transaction.
const REMOVED_AT_ONCE: i64 = 5_000;

const STAGED: Bulk = Bulk {
    table: "staged",
    columns: &[
        ("send_id", Kind::Uuid),
        ("number", Kind::Int),
        ("workspace_id", Kind::Uuid),
        ("phone", Kind::Text),
        ("variables", Kind::Text),
    ],
    key: "send_id, number",
    on_conflict: OnConflict::Keep,
};

/// Begins to receive the list of a send.
pub async fn begin(tenant: &Tenant, send: SendId, now: Timestamp) -> Result<(), StorageError> {
    let mut query = Query::on(tenant.database().writer());
    let (send, workspace) = (query.bind(send.0), query.bind(tenant.workspace().0));
    let now = query.bind(now.micros());
    let sql = format!("INSERT INTO uploads (id, workspace_id, touched_at) VALUES ({send}, {workspace}, {now})");
    query.execute(sql).await?;
    Ok(())
}

/// Adds users to a list, and says that it is still being received. Returns how many were added: a phone that the list has
/// already is left out.
pub async fn stage(tenant: &Tenant, send: SendId, users: &[StagedUser], now: Timestamp) -> Result<u64, StorageError> {
    let db = tenant.database().begin().await?;
    let mut query = Query::on(&db);
    let (now, id) = (query.bind(now.micros()), query.bind(send.0));
    let sql = format!("UPDATE uploads SET touched_at = {now} WHERE id = {id} AND touched_at > 0");
    if query.execute(sql).await? == 0 {
        return Err(StorageError::Overtaken);
    }
    let row = |user: &StagedUser| {
        vec![
            Datum::id(send),
            Datum::number(user.number),
            Datum::id(tenant.workspace()),
            Datum::text(user.phone.as_str()),
            Datum::Text((!user.variables.is_empty()).then(|| serde_json::json!(user.variables).to_string())),
        ]
    };
    let added = STAGED.write_counted(&db, &users.iter().map(row).collect::<Vec<_>>()).await?;
    db.commit().await?;
    Ok(added)
}

/// Makes the send of a list that is complete, but only once per idempotency key.
pub async fn complete(
    tenant: &Tenant,
    send: &Send,
    idempotency: Option<&(String, String)>,
) -> Result<Completed, StorageError> {
    let db = tenant.database().begin().await?;
    let mut query = Query::on(&db);
    let id = query.bind(send.id.0);
    if query.execute(format!("DELETE FROM uploads WHERE id = {id} AND touched_at > 0")).await? == 0 {
        return Err(StorageError::Overtaken);
    }
    if !insert(&db, tenant.workspace(), send, idempotency).await? {
        let Some((key, _)) = idempotency else { return Err(StorageError::Overtaken) };
        let known = key::find(&db, tenant.workspace(), key).await?;
        return known.map(Completed::Known).ok_or(StorageError::Overtaken);
    }
    db.commit().await?;
    Ok(Completed::Made)
}

/// The uploads that were given up, or at which nothing has arrived since `before`.
pub async fn list_abandoned(db: &Database, before: Timestamp) -> Result<Vec<SendId>, StorageError> {
    let mut query = Query::anywhere(db);
    let before = query.bind(before.micros());
    query.ids(format!("SELECT id FROM uploads WHERE touched_at <= {before} ORDER BY id")).await
}

/// Gives up an upload, if nothing has arrived since `before`, and removes what it staged. From then on it takes nothing
/// more. If this ends early, the upload is listed as abandoned, and giving it up again removes the rest.
pub async fn give_up(db: &Database, send: SendId, before: Timestamp) -> Result<(), StorageError> {
    let writer = db.writer();
    let mut query = Query::on(writer);
    let (id, before) = (query.bind(send.0), query.bind(before.micros()));
    let sql = format!("UPDATE uploads SET touched_at = 0 WHERE id = {id} AND touched_at <= {before}");
    if query.execute(sql).await? == 0 {
        return Ok(());
    }
    while remove_some(writer, send).await? > 0 {}
    let mut query = Query::on(writer);
    let id = query.bind(send.0);
    query.execute(format!("DELETE FROM uploads WHERE id = {id} AND touched_at = 0")).await?;
    Ok(())
}

/// Removes some of a send's staged users, and returns how many.
pub(super) async fn remove_some(db: &impl ConnectionTrait, send: SendId) -> Result<u64, StorageError> {
    let mut query = Query::on(db);
    let (send, limit) = (query.bind(send.0), query.bind(REMOVED_AT_ONCE));
    let sql = format!(
        "DELETE FROM staged WHERE send_id = {send} AND number IN \
         (SELECT number FROM staged WHERE send_id = {send} ORDER BY number LIMIT {limit})"
    );
    query.execute(sql).await
}
