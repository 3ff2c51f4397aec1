//! The dispatcher's own tables: leases of lines, and the outbox of messages still to be sent.
//!
//! Claiming takes no version's lock. A claim is made in a transaction that checks the lease, so an owner that was paused
//! and comes back finds that its lease is another's, and sends nothing.

use sea_orm::ConnectionTrait;
use uuid::Uuid;

use super::query::Query;
use super::row::Row;
use super::{Database, StorageError, dialect};
use crate::domain::clock::Timestamp;
use crate::domain::id::{LineId, MessageId, WorkspaceId};
use crate::domain::phone::Phone;

/// A line that has messages to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LineToServe {
    /// The line.
    pub id: LineId,
    /// Whose it is, and so are all its messages.
    pub workspace: WorkspaceId,
    /// The provider's id of it.
    pub phone_number_id: String,
    /// At most so many messages leave in any second.
    pub messages_per_second: u32,
}

/// A lease: who may send on a line, until when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lease {
    /// The line.
    pub line: LineId,
    /// Whoever holds it.
    pub owner: Uuid,
    /// It grows with each take-over.
    pub epoch: i64,
}

/// A claimed message with everything that its call needs.
#[derive(Debug, Clone)]
pub struct Claimed {
    /// The message; its id is the call's callback data.
    pub message: MessageId,
    /// How often it was claimed to be called, this time included.
    pub attempt: i32,
    /// The template and its parameters, as written JSON.
    pub payload: Option<String>,
    /// The number to send to.
    pub phone: Option<Phone>,
    /// The provider's id of the user, where there is no number.
    pub provider_user_id: Option<String>,
    /// Whether the contact asked for no more messages.
    pub opted_out: bool,
    /// Whether the conversation was archived.
    pub archived: bool,
}

/// Lines on which something is due to be sent, or whose calls wait for an answer since before `unanswered_since`.
pub async fn lines_to_serve(
    db: &Database,
    now: Timestamp,
    unanswered_since: Timestamp,
) -> Result<Vec<LineToServe>, StorageError> {
    let db = db.reader();
    let mut query = Query::on(db);
    let (now, since) = (query.bind(now.micros()), query.bind(unanswered_since.micros()));
    let sql = format!(
        "SELECT l.id, l.workspace_id, l.phone_number_id, l.messages_per_second FROM lines l WHERE EXISTS (SELECT 1 FROM outbox o \
         WHERE o.line_id = l.id AND o.claimed_at IS NULL AND o.due_at <= {now}) OR EXISTS (SELECT 1 FROM outbox o \
         WHERE o.line_id = l.id AND o.claimed_at <= {since})"
    );
    query.all(sql, line_to_serve).await
}

/// Takes or renews the lease of a line until `expires_at`; `None` while another holds it.
pub async fn lease(
    db: &Database,
    line: LineId,
    owner: Uuid,
    now: Timestamp,
    expires_at: Timestamp,
) -> Result<Option<Lease>, StorageError> {
    let db = db.writer();
    let mut query = Query::on(db);
    let (line_place, owner_place) = (query.bind(line.0), query.bind(owner));
    let (now, expires_at) = (query.bind(now.micros()), query.bind(expires_at.micros()));
    let sql = format!(
        "INSERT INTO leases (line_id, owner, epoch, expires_at) VALUES ({line_place}, {owner_place}, 1, {expires_at}) \
         ON CONFLICT (line_id) DO UPDATE SET owner = excluded.owner, expires_at = excluded.expires_at, \
         epoch = leases.epoch + CASE WHEN leases.owner = excluded.owner THEN 0 ELSE 1 END \
         WHERE leases.owner = excluded.owner OR leases.expires_at <= {now} RETURNING epoch"
    );
    let epoch = query.number(sql).await?;
    Ok(epoch.map(|epoch| Lease { line, owner, epoch }))
}

/// Gives a lease back, so that another node need not wait for its end.
pub async fn release(db: &Database, lease: Lease) -> Result<(), StorageError> {
    let db = db.writer();
    let mut query = Query::on(db);
    let held = held(&mut query, lease);
    query.execute(format!("UPDATE leases SET expires_at = 0 WHERE {held}")).await?;
    Ok(())
}

/// Claims up to `limit` due messages of the line, oldest first; none where the lease is no longer held.
pub async fn claim(db: &Database, lease: Lease, now: Timestamp, limit: u32) -> Result<Vec<Claimed>, StorageError> {
    let transaction = db.begin().await?;
    let mut query = Query::on(&transaction);
    let held = held(&mut query, lease);
    let at = query.bind(now.micros());
    let lock = dialect::for_update(db.backend());
    let sql = format!("SELECT epoch FROM leases WHERE {held} AND expires_at > {at} {lock}");
    if query.number(sql).await?.is_none() {
        return Ok(Vec::new());
    }
    let mut query = Query::on(&transaction);
    let (line, epoch) = (query.bind(lease.line.0), query.bind(lease.epoch));
    let (at, limit) = (query.bind(now.micros()), query.bind(i64::from(limit)));
    let sql = format!(
        "UPDATE outbox SET claimed_at = {at}, epoch = {epoch}, attempt = attempt + 1 WHERE message_id IN (\
         SELECT message_id FROM outbox WHERE line_id = {line} AND claimed_at IS NULL AND due_at <= {at} \
         ORDER BY due_at, message_id LIMIT {limit}) RETURNING message_id"
    );
    let ids: Vec<MessageId> = query.ids(sql).await?;
    let claimed = calls(&transaction, &ids).await?;
    transaction.commit().await?;
    Ok(claimed)
}

/// Forgets messages whose outcome is recorded, or has become evidence's to tell.
pub async fn settle(db: &Database, messages: &[MessageId]) -> Result<(), StorageError> {
    let db = db.writer();
    let mut query = Query::on(db);
    let messages = query.among("message_id", messages);
    query.execute(format!("DELETE FROM outbox WHERE {messages}")).await?;
    Ok(())
}

/// Puts messages back into the queue that were claimed and not called, as if they had never been claimed.
pub async fn give_back(db: &Database, messages: &[MessageId]) -> Result<(), StorageError> {
    let db = db.writer();
    let mut query = Query::on(db);
    let messages = query.among("message_id", messages);
    let sql = format!("UPDATE outbox SET claimed_at = NULL, epoch = NULL, attempt = attempt - 1 WHERE {messages}");
    query.execute(sql).await?;
    Ok(())
}

/// Puts messages that certainly did not arrive back into the queue, due at `due_at`.
pub async fn requeue(db: &Database, messages: &[MessageId], due_at: Timestamp) -> Result<(), StorageError> {
    let db = db.writer();
    let mut query = Query::on(db);
    let (due_at, messages) = (query.bind(due_at.micros()), query.among("message_id", messages));
    let sql = format!("UPDATE outbox SET claimed_at = NULL, epoch = NULL, due_at = {due_at} WHERE {messages}");
    query.execute(sql).await?;
    Ok(())
}

/// Messages of a line that were claimed before `since` and whose outcome is still not recorded.
pub async fn unanswered(db: &Database, line: LineId, since: Timestamp) -> Result<Vec<MessageId>, StorageError> {
    let db = db.reader();
    let mut query = Query::on(db);
    let (line, since) = (query.bind(line.0), query.bind(since.micros()));
    let sql = format!("SELECT message_id FROM outbox WHERE line_id = {line} AND claimed_at <= {since} LIMIT 1000");
    query.ids(sql).await
}

fn held<C: ConnectionTrait>(query: &mut Query<'_, C>, lease: Lease) -> String {
    let (line, owner, epoch) = (query.bind(lease.line.0), query.bind(lease.owner), query.bind(lease.epoch));
    format!("line_id = {line} AND owner = {owner} AND epoch = {epoch}")
}

async fn calls(db: &impl ConnectionTrait, ids: &[MessageId]) -> Result<Vec<Claimed>, StorageError> {
    let mut query = Query::on(db);
    let ids = query.among("o.message_id", ids);
    let sql = format!(
        "SELECT o.message_id, o.attempt, m.payload, k.phone, k.provider_user_id, k.opted_out_at, \
         c.archived_at FROM outbox o JOIN messages m ON m.id = o.message_id \
         JOIN deployments d ON d.id = m.deployment_id JOIN contacts k ON k.id = d.contact_id \
         JOIN versions v ON v.id = d.version_id JOIN conversations c ON c.id = v.conversation_id \
         WHERE {ids} ORDER BY o.due_at, o.message_id"
    );
    query.all(sql, claimed).await
}

fn claimed(row: &mut Row<'_>) -> Result<Claimed, StorageError> {
    Ok(Claimed {
        message: row.id()?,
        attempt: row.value()?,
        payload: row.value()?,
        phone: row.value::<Option<String>>()?.map(Phone::stored),
        provider_user_id: row.value()?,
        opted_out: row.optional_time()?.is_some(),
        archived: row.optional_time()?.is_some(),
    })
}

fn line_to_serve(row: &mut Row<'_>) -> Result<LineToServe, StorageError> {
    Ok(LineToServe {
        id: row.id()?,
        workspace: row.id()?,
        phone_number_id: row.value()?,
        messages_per_second: u32::try_from(row.value::<i32>()?).map_err(|_| StorageError::Corrupt("rate"))?,
    })
}
