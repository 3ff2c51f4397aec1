//! The outbox: messages that are still to be sent, or whose calls have no recorded outcome.
//!
//! Claiming does not lock a version. A transaction that claims messages renews the lease of the line first, so a node that
//! was suspended and resumes finds that another one has taken the lease, and sends nothing. What a claim takes is told apart
//! by the epoch of its lease, and only the owner of that epoch may queue it again.
//!
//! A call is announced before it begins, so that whatever takes over after a crash knows what may have been sent. The call of a
//! send begins a deployment, so it is announced with the facts; what is said in a session begins nothing, and is announced alone.

mod claim;

use std::collections::HashSet;

use sea_orm::{ConnectionTrait, DatabaseTransaction};

use super::bulk::{Bulk, Datum, Kind, OnConflict};
use super::leases::Lease;
use super::query::Query;
use super::{Database, StorageError, dialect};
use crate::domain::book::Reply;
use crate::domain::clock::Timestamp;
use crate::domain::id::{MessageId, SendId, WorkspaceId};

pub use claim::{Claim, Claimed, LineToServe, Terms, claim, lines_to_serve};

/// A claimed message that is queued again.
#[derive(Debug, Clone, Copy)]
pub struct Requeued {
    /// The message.
    pub message: MessageId,
    /// Not to be sent before this time.
    pub due_at: Timestamp,
    /// How many attempts it has had; one that did not take place is none.
    pub attempt: u32,
}

/// A message that was claimed long ago, and whose outcome is not recorded.
#[derive(Debug, Clone, Copy)]
pub struct Unanswered {
    /// Its workspace.
    pub workspace: WorkspaceId,
    /// The message.
    pub message: MessageId,
    /// When it was claimed.
    pub claimed_at: Timestamp,
}

const REQUEUED: Bulk = Bulk {
    table: "outbox",
    columns: &[
        ("message_id", Kind::Uuid),
        ("due_at", Kind::BigInt),
        ("attempt", Kind::Int),
        ("claimed_at", Kind::BigInt),
        ("epoch", Kind::BigInt),
        ("announced_at", Kind::BigInt),
    ],
    key: "message_id",
    on_conflict: OnConflict::Overwrite,
};

const REPLIES: Bulk = Bulk {
    table: "outbox",
    columns: &[
        ("message_id", Kind::Uuid),
        ("workspace_id", Kind::Uuid),
        ("line_id", Kind::Uuid),
        ("due_at", Kind::BigInt),
        ("attempt", Kind::Int),
        ("contact_id", Kind::Uuid),
        ("said_at", Kind::BigInt),
    ],
    key: "message_id",
    on_conflict: OnConflict::Keep,
};

const ANNOUNCED: Bulk = Bulk {
    table: "outbox",
    columns: &[("message_id", Kind::Uuid), ("announced_at", Kind::BigInt)],
    key: "message_id",
    on_conflict: OnConflict::Overwrite,
};

/// Removes messages whose outcome is recorded, or is left to be reported by webhooks.
pub async fn settle(db: &Database, messages: &[MessageId]) -> Result<(), StorageError> {
    remove(db.writer(), messages).await
}

/// Queues what is said in sessions.
pub(super) async fn enqueue(
    db: &DatabaseTransaction,
    workspace: WorkspaceId,
    replies: &[Reply],
) -> Result<(), StorageError> {
    let row = |reply: &Reply| {
        vec![
            Datum::id(reply.message),
            Datum::id(workspace),
            Datum::id(reply.line),
            Datum::at(reply.at),
            Datum::number(0),
            Datum::id(reply.contact),
            Datum::at(reply.at),
        ]
    };
    Ok(REPLIES.write(db, &replies.iter().map(row).collect::<Vec<_>>()).await?)
}

/// Announces the calls for what is said in sessions, and returns the messages to call for: those that are still claimed under
/// the lease.
pub async fn announce_replies(
    db: &Database,
    lease: Lease,
    messages: &[MessageId],
    at: Timestamp,
) -> Result<Vec<MessageId>, StorageError> {
    let mut query = Query::on(db.writer());
    let (messages, epoch, at) = (query.among("message_id", messages), query.bind(lease.epoch), query.bind(at.micros()));
    let sql =
        format!("UPDATE outbox SET announced_at = {at} WHERE {messages} AND epoch = {epoch} RETURNING message_id");
    query.ids(sql).await
}

/// Notes which calls of sends are about to be made, and which were not made after all.
pub(super) async fn announce(
    db: &DatabaseTransaction,
    calls: &[(MessageId, Option<Timestamp>)],
) -> Result<(), StorageError> {
    let row = |(message, at): &(MessageId, Option<Timestamp>)| vec![Datum::id(*message), Datum::optional_time(*at)];
    Ok(ANNOUNCED.overwrite(db, &calls.iter().map(row).collect::<Vec<_>>()).await?)
}

/// Which of these messages are claimed, each with the epoch of its claim. Their rows stay locked, so that nobody takes a
/// message back while its call is being announced.
pub(super) async fn held_claims(
    db: &DatabaseTransaction,
    messages: &[MessageId],
) -> Result<HashSet<(MessageId, i64)>, StorageError> {
    if messages.is_empty() {
        return Ok(HashSet::new());
    }
    let mut query = Query::on(db);
    let (messages, lock) = (query.among("message_id", messages), dialect::for_update(query.backend()));
    let sql = format!(
        "SELECT message_id, epoch FROM outbox WHERE {messages} AND epoch IS NOT NULL ORDER BY message_id {lock}"
    );
    Ok(query.all(sql, |row| Ok((row.id()?, row.value()?))).await?.into_iter().collect())
}

/// Removes messages, also those that were decided before their calls were announced. If one is claimed, its announcement is
/// refused.
pub(super) async fn remove(db: &impl ConnectionTrait, messages: &[MessageId]) -> Result<(), StorageError> {
    let mut query = Query::on(db);
    let messages = query.among("message_id", messages);
    query.execute(format!("DELETE FROM outbox WHERE {messages}")).await?;
    Ok(())
}

/// Queues messages again that were claimed under a lease and were not sent. Those that another node has taken over since are
/// left alone.
pub async fn requeue(db: &Database, lease: Lease, requeued: &[Requeued]) -> Result<(), StorageError> {
    let transaction = db.begin().await?;
    let mut query = Query::on(&transaction);
    let messages = query.among("message_id", &requeued.iter().map(|one| one.message).collect::<Vec<_>>());
    let (epoch, lock) = (query.bind(lease.epoch), dialect::for_update(query.backend()));
    let sql = format!("SELECT message_id FROM outbox WHERE {messages} AND epoch = {epoch} ORDER BY message_id {lock}");
    let ours: Vec<MessageId> = query.ids(sql).await?;
    let none = || Datum::Number(None);
    let row = |one: &Requeued| {
        let attempt = Datum::number(one.attempt);
        vec![Datum::id(one.message), Datum::at(one.due_at), attempt, none(), none(), none()]
    };
    let rows: Vec<_> = requeued.iter().filter(|one| ours.contains(&one.message)).map(row).collect();
    REQUEUED.overwrite(&transaction, &rows).await?;
    Ok(transaction.commit().await?)
}

/// Queues again what an earlier owner of the lease had claimed and certainly did not send, since it had not announced the
/// call. Whatever it had announced may have been sent.
///
/// The rows are locked first and looked at then, so that an announcement that commits meanwhile is seen, and one that comes
/// later finds the claim gone.
pub async fn take_back(db: &Database, lease: Lease) -> Result<(), StorageError> {
    let transaction = db.begin().await?;
    let mut query = Query::on(&transaction);
    let (line, epoch, lock) = (query.bind(lease.line.0), query.bind(lease.epoch), dialect::for_update(query.backend()));
    let sql = format!(
        "SELECT message_id FROM outbox WHERE line_id = {line} AND epoch < {epoch} AND claimed_at IS NOT NULL \
         ORDER BY message_id {lock}"
    );
    let claimed: Vec<MessageId> = query.ids(sql).await?;
    let mut query = Query::on(&transaction);
    let claimed = query.among("message_id", &claimed);
    let sql = format!(
        "UPDATE outbox SET claimed_at = NULL, epoch = NULL, attempt = attempt - 1 WHERE {claimed} \
         AND announced_at IS NULL AND EXISTS (SELECT 1 FROM messages m JOIN deployments d ON d.id = m.deployment_id \
           WHERE m.id = outbox.message_id AND (NOT m.first OR d.send_id IS NULL OR d.dispatched_at IS NULL) \
           AND m.refused_at IS NULL AND m.failed_at IS NULL AND m.unknown_at IS NULL)"
    );
    query.execute(sql).await?;
    Ok(transaction.commit().await?)
}

/// Removes messages that were claimed before `since` and whose unknown outcome is recorded.
pub async fn give_up(db: &Database, messages: &[MessageId], since: Timestamp) -> Result<(), StorageError> {
    let db = db.writer();
    let mut query = Query::on(db);
    let (messages, since) = (query.among("message_id", messages), query.bind(since.micros()));
    query.execute(format!("DELETE FROM outbox WHERE {messages} AND claimed_at <= {since}")).await?;
    Ok(())
}

/// Up to `limit` messages that were claimed before `since`, whose calls were announced, and whose outcome is not recorded.
/// What was not announced was not sent, and whoever takes the lease queues it again.
pub async fn unanswered(db: &Database, since: Timestamp, limit: u32) -> Result<Vec<Unanswered>, StorageError> {
    let mut query = Query::anywhere(db);
    let since = query.bind(since.micros());
    let sql = format!(
        "SELECT o.workspace_id, o.message_id, o.claimed_at FROM outbox o JOIN messages m ON m.id = o.message_id \
         JOIN deployments d ON d.id = m.deployment_id WHERE o.claimed_at <= {since} AND (o.announced_at IS NOT NULL \
           OR m.first AND d.send_id IS NOT NULL AND d.dispatched_at IS NOT NULL) ORDER BY o.claimed_at LIMIT {limit}"
    );
    query.all(sql, |row| Ok(Unanswered { workspace: row.id()?, message: row.id()?, claimed_at: row.time()? })).await
}

/// Up to `limit` messages of a send that wait in the outbox.
pub async fn waiting(db: &Database, send: SendId, limit: u32) -> Result<Vec<MessageId>, StorageError> {
    let mut query = Query::anywhere(db);
    let send = query.bind(send.0);
    let sql = format!("SELECT message_id FROM outbox WHERE send_id = {send} AND claimed_at IS NULL LIMIT {limit}");
    query.ids(sql).await
}
