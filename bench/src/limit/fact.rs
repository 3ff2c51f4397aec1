//! One commit per fact: what a server does that takes each status by itself, with the same rows written under the same lock.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use bluetick::whatsapp::signature;
use serde::Deserialize;
use uuid::Uuid;

use super::{Failed, Limit};
use crate::database::Pool;
use crate::process::APP_SECRET;
use crate::world::PHONE_NUMBER_ID;

#[derive(Deserialize)]
struct Webhook {
    entry: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    changes: Vec<Change>,
}

#[derive(Deserialize)]
struct Change {
    value: Value,
}

#[derive(Deserialize)]
struct Value {
    #[serde(default)]
    statuses: Vec<Status>,
}

#[derive(Deserialize)]
struct Status {
    id: String,
    #[serde(rename = "status")]
    name: String,
    timestamp: String,
}

/// A status as it is recorded.
struct Fact {
    message: String,
    at: i64,
    code: i16,
    update: &'static str,
}

pub(super) async fn receive(
    State(limit): State<Arc<Limit>>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<StatusCode, Failed> {
    let claimed = headers.get(signature::HEADER).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if !signature::verify(APP_SECRET, &body, claimed) {
        return Ok(StatusCode::UNAUTHORIZED);
    }
    let webhook: Webhook = serde_json::from_slice(&body)?;
    let changes = webhook.entry.into_iter().flat_map(|entry| entry.changes);
    for status in changes.flat_map(|change| change.value.statuses) {
        record(&limit.writer, &Fact::of(status)?).await?;
    }
    Ok(StatusCode::OK)
}

impl Fact {
    fn of(status: Status) -> Result<Self, Failed> {
        let (code, update) = match status.name.as_str() {
            "sent" => (3, "UPDATE messages SET sent_at = coalesce(sent_at, $2) WHERE id = $1"),
            "delivered" => (4, "UPDATE messages SET delivered_at = coalesce(delivered_at, $2) WHERE id = $1"),
            "read" => (5, "UPDATE messages SET read_at = coalesce(read_at, $2) WHERE id = $1"),
            other => return Err(Failed(format!("unknown status {other}"))),
        };
        let at = status.timestamp.parse::<i64>()? * 1_000_000;
        Ok(Self { message: status.id, at, code, update })
    }
}

const FIND: &str = "SELECT messages.id, deployments.version_id, deployments.user_id, deployments.send_id, \
     messages.workspace_id FROM messages JOIN deployments ON deployments.id = messages.deployment_id \
     WHERE messages.workspace_id = (SELECT workspace_id FROM lines WHERE phone_number_id = $2) \
     AND messages.provider_message_id = $1";
const LOCK: &str = "SELECT revision FROM versions WHERE id = $1 FOR NO KEY UPDATE";
/// SQLite's writing transaction is alone already.
const READ: &str = "SELECT revision FROM versions WHERE id = $1";
const STATUS: &str = "SELECT status FROM users WHERE id = $1";
const USER: &str = "UPDATE users SET status = $2 WHERE id = $1";
const LEAVE: &str = "UPDATE tally SET users = users - 1 WHERE version_id = $1 AND cell = $2";
const ENTER: &str = "INSERT INTO tally (version_id, cell, workspace_id, users) VALUES ($1, $2, $3, 1) \
     ON CONFLICT (version_id, cell) DO UPDATE SET users = tally.users + 1";
const LEAVE_SEND: &str = "UPDATE send_tally SET deployments = deployments - 1 WHERE send_id = $1 AND cell = $2";
const ENTER_SEND: &str = "INSERT INTO send_tally (send_id, cell, workspace_id, deployments) VALUES ($1, $2, $3, 1) \
     ON CONFLICT (send_id, cell) DO UPDATE SET deployments = send_tally.deployments + 1";
const CHANGE: &str = "INSERT INTO changes (version_id, revision, workspace_id, user_id, at, kinds, cell_before, cell) \
     VALUES ($1, $2, $3, $4, $5, 2, $6, $7)";
const REVISION: &str = "UPDATE versions SET revision = $2, changed_at = $3 WHERE id = $1";

/// Records a fact in a transaction of its own. The users that it is called for have no stage, session or failure, so that
/// the status alone is the cell.
macro_rules! record {
    ($pool:expr, $begin:expr, $lock:expr, $fact:expr) => {{
        let (fact, mut tx) = ($fact, $pool.begin_with($begin).await?);
        let found: (Uuid, Uuid, Uuid, Uuid, Uuid) =
            sqlx::query_as(FIND).bind(&fact.message).bind(PHONE_NUMBER_ID).fetch_one(&mut *tx).await?;
        let (message, version, user, send, workspace) = found;
        let (revision,): (i64,) = sqlx::query_as($lock).bind(version).fetch_one(&mut *tx).await?;
        let (before,): (i16,) = sqlx::query_as(STATUS).bind(user).fetch_one(&mut *tx).await?;
        sqlx::query(fact.update).bind(message).bind(fact.at).execute(&mut *tx).await?;
        if fact.code > before {
            let (before, after) = (i32::from(before), i32::from(fact.code));
            sqlx::query(USER).bind(user).bind(fact.code).execute(&mut *tx).await?;
            sqlx::query(LEAVE).bind(version).bind(before).execute(&mut *tx).await?;
            sqlx::query(ENTER).bind(version).bind(after).bind(workspace).execute(&mut *tx).await?;
            sqlx::query(LEAVE_SEND).bind(send).bind(before).execute(&mut *tx).await?;
            sqlx::query(ENTER_SEND).bind(send).bind(after).bind(workspace).execute(&mut *tx).await?;
            let change = sqlx::query(CHANGE).bind(version).bind(revision + 1).bind(workspace).bind(user);
            change.bind(fact.at).bind(before).bind(after).execute(&mut *tx).await?;
            sqlx::query(REVISION).bind(version).bind(revision + 1).bind(fact.at).execute(&mut *tx).await?;
        }
        tx.commit().await?;
    }};
}

async fn record(pool: &Pool, fact: &Fact) -> Result<(), Failed> {
    match pool {
        Pool::Postgres(pool) => record!(pool, "BEGIN", LOCK, fact),
        Pool::Sqlite(pool) => record!(pool, "BEGIN IMMEDIATE", READ, fact),
    }
    Ok(())
}
