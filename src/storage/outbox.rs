//! The dispatcher's own tables: the leases of lines, and the outbox of messages that are still to be sent.
//!
//! Claiming does not lock a version. A transaction that claims messages checks the lease, so a node that was suspended and
//! resumes finds that another one has taken its lease, and sends nothing.

use sea_orm::ConnectionTrait;
use uuid::Uuid;

use super::query::Query;
use super::row::Row;
use super::{Database, StorageError, dialect};
use crate::domain::clock::Timestamp;
use crate::domain::id::{LineId, MessageId, WorkspaceId};
use crate::domain::phone::Phone;

/// A line with messages to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LineToServe {
    /// The line's id.
    pub id: LineId,
    /// The workspace of the line and of all its messages.
    pub workspace: WorkspaceId,
    /// The provider's id of the line.
    pub phone_number_id: String,
    /// The most messages that are sent on it in any second.
    pub messages_per_second: u32,
}

/// A lease: the right of a node to send on a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lease {
    /// The leased line.
    pub line: LineId,
    /// The node that holds it.
    pub owner: Uuid,
    /// The fencing number, which grows with each takeover.
    pub epoch: i64,
}

/// A claimed message, with everything that is needed to send it.
#[derive(Debug, Clone)]
pub struct Claimed {
    /// The message's id, which is also the call's callback data.
    pub message: MessageId,
    /// The number of this attempt, from 1.
    pub attempt: i32,
    /// The template and its parameters, as JSON text.
    pub payload: Option<String>,
    /// The number to send to.
    pub phone: Option<Phone>,
    /// The provider's user id, used if there is no number.
    pub provider_user_id: Option<String>,
    /// Whether the contact has opted out.
    pub opted_out: bool,
    /// Whether the conversation was archived.
    pub archived: bool,
}

/// The lines with messages that are due, or that were claimed before `unanswered_since` and are still not settled.
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

/// Takes or renews the lease of a line until `expires_at`; `None` if another node holds it.
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

/// Releases a lease, so that another node does not have to wait until it expires.
pub async fn release(db: &Database, lease: Lease) -> Result<(), StorageError> {
    let db = db.writer();
    let mut query = Query::on(db);
    let held = held(&mut query, lease);
    query.execute(format!("UPDATE leases SET expires_at = 0 WHERE {held}")).await?;
    Ok(())
}

/// Claims up to `limit` due messages of the line, oldest first. The list is empty if the lease is no longer held.
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

/// Removes messages whose outcome is recorded, or is left to be reported by webhooks.
pub async fn settle(db: &Database, messages: &[MessageId]) -> Result<(), StorageError> {
    let db = db.writer();
    let mut query = Query::on(db);
    let messages = query.among("message_id", messages);
    query.execute(format!("DELETE FROM outbox WHERE {messages}")).await?;
    Ok(())
}

/// Queues claimed messages again that were never sent, as if they had not been claimed.
pub async fn give_back(db: &Database, messages: &[MessageId]) -> Result<(), StorageError> {
    let db = db.writer();
    let mut query = Query::on(db);
    let messages = query.among("message_id", messages);
    let sql = format!("UPDATE outbox SET claimed_at = NULL, epoch = NULL, attempt = attempt - 1 WHERE {messages}");
    query.execute(sql).await?;
    Ok(())
}

/// Queues messages again that certainly did not arrive, due at `due_at`.
pub async fn requeue(db: &Database, messages: &[MessageId], due_at: Timestamp) -> Result<(), StorageError> {
    let db = db.writer();
    let mut query = Query::on(db);
    let (due_at, messages) = (query.bind(due_at.micros()), query.among("message_id", messages));
    let sql = format!("UPDATE outbox SET claimed_at = NULL, epoch = NULL, due_at = {due_at} WHERE {messages}");
    query.execute(sql).await?;
    Ok(())
}

/// Up to 1,000 messages of a line that were claimed before `since` and whose outcome is not recorded.
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
