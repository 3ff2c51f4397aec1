//! The outbox: messages that are still to be sent, or whose calls have no recorded outcome.
//!
//! Claiming does not lock a version. A transaction that claims messages renews the lease of the line first, so a node that
//! was suspended and resumes finds that another one has taken the lease, and sends nothing. What a claim takes is told apart
//! by the epoch of its lease, and only the owner of that epoch may queue it again.

use std::collections::HashSet;
use std::time::Duration;

use sea_orm::{ConnectionTrait, DatabaseTransaction};

use super::bulk::{Bulk, Datum, Kind, OnConflict};
use super::leases::{self, Lease};
use super::query::Query;
use super::row::Row;
use super::{Database, StorageError, dialect, reached};
use crate::domain::book::{Reply, WINDOW};
use crate::domain::clock::Timestamp;
use crate::domain::code::Coded;
use crate::domain::id::{ContactId, LineId, MessageId, SendId, WorkspaceId};
use crate::domain::message::MessageKind;
use crate::domain::phone::Phone;
use crate::domain::standing::SessionStatus;

/// A line with messages to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LineToServe {
    /// The line's id.
    pub id: LineId,
    /// The workspace of the line and of all its messages.
    pub workspace: WorkspaceId,
    /// The provider's id of the line.
    pub phone_number_id: String,
}

/// What a claim may take.
#[derive(Debug, Clone, Copy)]
pub struct Terms {
    /// The current time.
    pub now: Timestamp,
    /// How long the lease is renewed for.
    pub lease: Duration,
    /// The most messages to claim.
    pub limit: u32,
    /// The send whose turn was the last; the others come first.
    pub last_turn: Option<SendId>,
    /// From when on a session with an agent counts as open.
    pub agents_since: Timestamp,
    /// From when on a contact counts as blocked.
    pub blocked_since: Timestamp,
    /// The most different contacts that the workspace may reach in 24 hours, if that is limited.
    pub daily_contacts: Option<u32>,
}

/// What a claim found.
#[derive(Debug)]
pub struct Claim {
    /// The most messages that may be sent on the line in any second, as it is now.
    pub messages_per_second: u32,
    /// Whether the line is stopped, so that a single message was claimed as a probe.
    pub stopped: bool,
    /// The send whose turn was the last.
    pub last_turn: Option<SendId>,
    /// The claimed messages; none if nothing is due.
    pub messages: Vec<Claimed>,
}

/// A claimed message, with everything that is needed to send it.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "each is a reason of its own not to send the message")]
pub struct Claimed {
    /// The message's id, which is also the call's callback data.
    pub message: MessageId,
    /// When it was claimed.
    pub at: Timestamp,
    /// The number of this attempt, from 1.
    pub attempt: u32,
    /// The kind of message.
    pub kind: MessageKind,
    /// Its text, if the kind has one.
    pub text: Option<String>,
    /// What the kind carries beyond its text, as JSON text.
    pub payload: Option<String>,
    /// The contact to send to.
    pub contact: ContactId,
    /// The number to send to.
    pub phone: Option<Phone>,
    /// The provider's user id, used if there is no number.
    pub provider_user_id: Option<String>,
    /// Whether the contact has opted out.
    pub opted_out: bool,
    /// Whether the provider lately named the contact as blocked.
    pub blocked: bool,
    /// Whether the conversation was archived.
    pub archived: bool,
    /// Whether the contact has an open session with an agent on the line.
    pub with_agent: bool,
    /// Whether it is said in a session, rather than by a send.
    pub said: bool,
    /// Whether it may not be sent because the contact has written nothing for a day.
    pub out_of_window: bool,
    /// Whether the workspace has reached as many different contacts as it may.
    pub over_capacity: bool,
}

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

/// What a claim requires of a line's row.
struct State {
    messages_per_second: u32,
    stopped: bool,
    /// Whether it is not stopped, or a probe is due.
    may_send: bool,
}

/// After how long a call has surely ended, so that what was said next need not wait for it.
const LONGEST_CALL: Duration = Duration::from_secs(30);

/// The most sends of a line that take turns; further ones wait until an older one is done.
const MAX_TURNS: u32 = 1_000;

/// The condition that something of a send may be sent.
const OPEN: &str = "s.completed_at IS NULL AND s.canceled_at IS NULL AND s.paused_at IS NULL";

const REQUEUED: Bulk = Bulk {
    table: "outbox",
    columns: &[
        ("message_id", Kind::Uuid),
        ("due_at", Kind::BigInt),
        ("attempt", Kind::Int),
        ("claimed_at", Kind::BigInt),
        ("epoch", Kind::BigInt),
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
        ("deployment_id", Kind::Uuid),
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

/// The lines on which something is due and that are not stopped, or are to be probed; and those whose last owner died.
pub async fn lines_to_serve(db: &Database, now: Timestamp) -> Result<Vec<LineToServe>, StorageError> {
    let db = db.reader();
    let mut query = Query::on(db);
    let (clock, now) = (dialect::now_micros(query.backend()), query.bind(now.micros()));
    let sql = format!(
        "SELECT l.id, l.workspace_id, l.phone_number_id FROM lines l \
         WHERE (l.stopped_at IS NULL OR l.probe_at <= {now}) AND NOT l.external AND l.id IN (SELECT c.line_id FROM sends s \
           JOIN conversations c ON c.id = s.conversation_id WHERE {OPEN} AND EXISTS (SELECT 1 FROM outbox o \
             WHERE o.send_id = s.id AND o.claimed_at IS NULL AND o.due_at <= {now})) \
         OR (l.stopped_at IS NULL OR l.probe_at <= {now}) AND l.id IN (SELECT line_id FROM outbox \
           WHERE said_at IS NOT NULL AND claimed_at IS NULL AND due_at <= {now}) \
         OR l.id IN (SELECT line_id FROM leases WHERE expires_at > 0 AND expires_at <= {clock})"
    );
    let line =
        |row: &mut Row<'_>| Ok(LineToServe { id: row.id()?, workspace: row.id()?, phone_number_id: row.value()? });
    query.all(sql, line).await
}

/// Claims due messages of a line, the oldest of each send in turn; `None` if the lease is not held any more.
pub async fn claim(db: &Database, lease: Lease, terms: Terms) -> Result<Option<Claim>, StorageError> {
    let transaction = db.begin().await?;
    if !leases::renew(&transaction, lease, terms.lease).await? {
        return Ok(None);
    }
    let State { messages_per_second, stopped, may_send } = state(&transaction, lease.line, terms.now).await?;
    let limit = if stopped { 1 } else { terms.limit };
    let (mut taken, mut last_turn) = (Vec::new(), None);
    if may_send {
        taken = take_replies(&transaction, lease, terms.now, limit).await?;
        let left = limit.saturating_sub(u32::try_from(taken.len()).unwrap_or(limit));
        let sends = in_turn(sends_due(&transaction, lease.line, terms.now).await?, terms.last_turn, left as usize);
        if !sends.is_empty() {
            taken.extend(take(&transaction, lease, terms.now, (&sends, left)).await?);
        }
        last_turn = sends.last().copied();
    }
    let mut messages = calls(&transaction, &taken, &terms).await?;
    if let Some(most) = terms.daily_contacts {
        reached::count(&transaction, lease.line, &mut messages, (most, terms.now)).await?;
    }
    transaction.commit().await?;
    Ok(Some(Claim { messages_per_second, stopped, last_turn, messages }))
}

/// Removes messages whose outcome is recorded, or is left to be reported by webhooks.
pub async fn settle(db: &Database, messages: &[MessageId]) -> Result<(), StorageError> {
    let db = db.writer();
    let mut query = Query::on(db);
    let messages = query.among("message_id", messages);
    query.execute(format!("DELETE FROM outbox WHERE {messages}")).await?;
    Ok(())
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
            Datum::id(reply.deployment),
            Datum::at(reply.at),
        ]
    };
    Ok(REPLIES.write(db, &replies.iter().map(row).collect::<Vec<_>>()).await?)
}

/// Notes which calls are about to be made, and which were not made after all.
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

/// Removes messages that were decided before their calls were announced. If one is claimed, its announcement is refused.
pub(super) async fn cancel(db: &DatabaseTransaction, messages: &[MessageId]) -> Result<(), StorageError> {
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
    let row = |one: &Requeued| {
        let attempt = Datum::number(one.attempt);
        vec![Datum::id(one.message), Datum::at(one.due_at), attempt, Datum::Number(None), Datum::Number(None)]
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
         AND announced_at IS NULL AND EXISTS (SELECT 1 FROM messages m WHERE m.id = outbox.message_id \
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
        "SELECT workspace_id, message_id, claimed_at FROM outbox WHERE claimed_at <= {since} \
         AND announced_at IS NOT NULL ORDER BY claimed_at LIMIT {limit}"
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

async fn state(db: &DatabaseTransaction, line: LineId, now: Timestamp) -> Result<State, StorageError> {
    let mut query = Query::on(db);
    let (line, now) = (query.bind(line.0), query.bind(now.micros()));
    let sql = format!(
        "SELECT messages_per_second, stopped_at IS NOT NULL, stopped_at IS NULL OR probe_at <= {now} \
         FROM lines WHERE id = {line}"
    );
    let read = |row: &mut Row<'_>| {
        Ok(State { messages_per_second: rate(row.value()?)?, stopped: row.value()?, may_send: row.value()? })
    };
    query.first(sql, read).await?.ok_or(StorageError::Corrupt("lease of no line"))
}

/// The sends of a line of which something is due, by id.
async fn sends_due(db: &DatabaseTransaction, line: LineId, now: Timestamp) -> Result<Vec<SendId>, StorageError> {
    let mut query = Query::on(db);
    let (line, now) = (query.bind(line.0), query.bind(now.micros()));
    let sql = format!(
        "SELECT s.id FROM sends s JOIN conversations c ON c.id = s.conversation_id WHERE c.line_id = {line} AND {OPEN} \
         AND EXISTS (SELECT 1 FROM outbox o WHERE o.send_id = s.id AND o.claimed_at IS NULL AND o.due_at <= {now}) \
         LIMIT {MAX_TURNS}"
    );
    let mut sends: Vec<SendId> = query.ids(sql).await?;
    sends.sort_unstable();
    Ok(sends)
}

/// The sends whose turn it is: at most `limit`, beginning behind the last one that had a turn.
fn in_turn(mut sends: Vec<SendId>, last: Option<SendId>, limit: usize) -> Vec<SendId> {
    let begin = sends.partition_point(|send| Some(*send) <= last);
    sends.rotate_left(begin);
    sends.truncate(limit);
    sends
}

/// Takes what is said in sessions, which comes before all sends: the user is waiting. Of a session only the oldest message is
/// taken, and the next once that one's call has ended.
async fn take_replies(
    db: &DatabaseTransaction,
    lease: Lease,
    now: Timestamp,
    limit: u32,
) -> Result<Vec<MessageId>, StorageError> {
    let mut query = Query::on(db);
    let (line, epoch) = (query.bind(lease.line.0), query.bind(lease.epoch));
    let (under_way, now) = (query.bind(now.minus(LONGEST_CALL).micros()), query.bind(now.micros()));
    let sql = format!(
        "UPDATE outbox SET claimed_at = {now}, epoch = {epoch}, attempt = attempt + 1 WHERE message_id IN ( \
           SELECT o.message_id FROM outbox o WHERE o.line_id = {line} AND o.said_at IS NOT NULL \
           AND o.claimed_at IS NULL AND o.due_at <= {now} AND NOT EXISTS (SELECT 1 FROM outbox b \
             WHERE b.deployment_id = o.deployment_id AND b.said_at < o.said_at \
             AND (b.claimed_at IS NULL OR b.claimed_at > {under_way})) \
           ORDER BY o.due_at, o.message_id LIMIT {limit}) \
         AND claimed_at IS NULL RETURNING message_id"
    );
    query.ids(sql).await
}

async fn take(
    db: &DatabaseTransaction,
    lease: Lease,
    now: Timestamp,
    (sends, limit): (&[SendId], u32),
) -> Result<Vec<MessageId>, StorageError> {
    let turns = u32::try_from(sends.len()).unwrap_or(MAX_TURNS);
    let mut query = Query::on(db);
    let (sends, now, epoch) = (query.bind_ids(sends), query.bind(now.micros()), query.bind(lease.epoch));
    let rows = format!(
        "WHERE send_id = parent.id AND claimed_at IS NULL AND due_at <= {now} ORDER BY due_at, message_id LIMIT {}",
        limit / turns.max(1)
    );
    let due = dialect::rows_of_each(query.backend(), sends, ("outbox", "message_id"), &rows);
    let sql = format!(
        "UPDATE outbox SET claimed_at = {now}, epoch = {epoch}, attempt = attempt + 1 \
         WHERE message_id IN ({due}) AND claimed_at IS NULL RETURNING message_id"
    );
    query.ids(sql).await
}

async fn calls(db: &impl ConnectionTrait, ids: &[MessageId], terms: &Terms) -> Result<Vec<Claimed>, StorageError> {
    let mut query = Query::on(db);
    let ids = query.among("o.message_id", ids);
    let (agents, blocked) = (query.bind(terms.agents_since.micros()), query.bind(terms.blocked_since.micros()));
    let window = query.bind(terms.now.minus(WINDOW).micros());
    let (agent, template) = (SessionStatus::Agent.code(), MessageKind::Template.code());
    // A session has begun, so that the index of begun deployments finds it.
    let begun = "SELECT 1 FROM deployments a JOIN users u ON u.id = a.user_id WHERE a.contact_id = k.id \
                 AND a.line_id = o.line_id AND a.began_at IS NOT NULL";
    let sql = format!(
        "SELECT o.message_id, o.claimed_at, o.attempt, m.kind, m.text, m.payload, k.id, k.phone, \
           k.provider_user_id, k.opted_out_at IS NOT NULL, coalesce(k.blocked_at >= {blocked}, FALSE), \
           o.said_at IS NULL AND c.archived_at IS NOT NULL, \
           o.said_at IS NULL AND EXISTS ({begun} AND a.session_status = {agent} \
             AND (a.session_at >= {agents} OR u.activity_at >= {agents})), \
           o.said_at IS NOT NULL, o.said_at IS NOT NULL AND m.kind <> {template} \
             AND NOT EXISTS ({begun} AND u.activity_at >= {window}) \
         FROM outbox o JOIN messages m ON m.id = o.message_id \
         JOIN deployments d ON d.id = m.deployment_id JOIN contacts k ON k.id = d.contact_id \
         JOIN versions v ON v.id = d.version_id JOIN conversations c ON c.id = v.conversation_id \
         WHERE {ids} ORDER BY o.said_at IS NULL, o.due_at, o.message_id"
    );
    query.all(sql, claimed).await
}

impl Claimed {
    /// Whether it is known that the contact must not be sent to.
    pub(super) const fn is_barred(&self) -> bool {
        self.opted_out || self.blocked || self.archived || self.with_agent
    }
}

fn claimed(row: &mut Row<'_>) -> Result<Claimed, StorageError> {
    Ok(Claimed {
        message: row.id()?,
        at: row.time()?,
        attempt: u32::try_from(row.value::<i32>()?).map_err(|_| StorageError::Corrupt("attempt"))?,
        kind: row.code()?,
        text: row.value()?,
        payload: row.value()?,
        contact: row.id()?,
        phone: row.value::<Option<String>>()?.map(Phone::stored),
        provider_user_id: row.value()?,
        opted_out: row.value()?,
        blocked: row.value()?,
        archived: row.value()?,
        with_agent: row.value()?,
        said: row.value()?,
        out_of_window: row.value()?,
        over_capacity: false,
    })
}

fn rate(stored: i32) -> Result<u32, StorageError> {
    u32::try_from(stored).map_err(|_| StorageError::Corrupt("rate"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::id::new_key;

    #[test]
    fn every_send_has_its_turn_however_few_a_claim_serves() {
        let sends: Vec<SendId> = (0..5).map(|_| new_key().into()).collect();
        let (mut last, mut served) = (None, Vec::new());
        for _ in 0..5 {
            let turn = in_turn(sends.clone(), last, 2);
            last = turn.last().copied();
            served.extend(turn);
        }
        assert_eq!(served, [&sends[..], &sends[..]].concat());
        assert_eq!(in_turn(sends.clone(), last, 100), sends);
    }
}
