//! Claiming: what is due on a line, with everything that is needed to send it.

use std::time::Duration;

use sea_orm::{ConnectionTrait, DatabaseTransaction};

use crate::domain::book::WINDOW;
use crate::domain::clock::Timestamp;
use crate::domain::code::Coded;
use crate::domain::failure::FailureReason;
use crate::domain::id::{ContactId, LineId, MessageId, SendId, WorkspaceId};
use crate::domain::message::MessageKind;
use crate::domain::phone::Phone;
use crate::domain::standing::SessionStatus;
use crate::storage::leases::{self, Lease};
use crate::storage::query::Query;
use crate::storage::row::Row;
use crate::storage::{Database, StorageError, dialect, reached};

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
    /// Whether it is said in a session, rather than by a send.
    pub said: bool,
    /// Why it must not be sent, if there is a reason.
    pub refusal: Option<FailureReason>,
}

/// What a claim requires of a line's row.
struct State {
    messages_per_second: u32,
    stopped: bool,
    /// Whether it is not stopped, or a probe is due.
    may_send: bool,
}

/// How long after its claim a call has surely ended: it may rest for a minute at the provider's wish, and take half a minute.
/// What was said next need not wait for it any longer.
const LONGEST_CALL: Duration = Duration::from_secs(150);

/// The most sends of a line that take turns; further ones wait until an older one is done.
const MAX_TURNS: u32 = 1_000;

/// The condition that something of a send may be sent.
const OPEN: &str = "s.completed_at IS NULL AND s.canceled_at IS NULL AND s.paused_at IS NULL";

/// The lines on which something is due and that are not stopped, or are to be probed; and those whose last owner died. What it
/// costs depends on the lines and open sends, not on how much waits.
pub async fn lines_to_serve(db: &Database, now: Timestamp) -> Result<Vec<LineToServe>, StorageError> {
    let db = db.reader();
    let mut query = Query::on(db);
    let (clock, now) = (dialect::now_micros(query.backend()), query.bind(now.micros()));
    let sql = format!(
        "SELECT l.id, l.workspace_id, l.phone_number_id FROM lines l \
         WHERE ((l.stopped_at IS NULL OR l.probe_at <= {now}) AND NOT l.external AND (l.id IN (SELECT c.line_id FROM sends s \
           JOIN conversations c ON c.id = s.conversation_id WHERE {OPEN} AND EXISTS (SELECT 1 FROM outbox o \
             WHERE o.send_id = s.id AND o.claimed_at IS NULL AND o.due_at <= {now})) \
           OR EXISTS (SELECT 1 FROM outbox o WHERE o.line_id = l.id \
             AND o.said_at IS NOT NULL AND o.claimed_at IS NULL AND o.due_at <= {now} LIMIT 1 OFFSET 0))) \
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
        let replies = replies_due(&transaction, lease.line, terms.now, limit).await?;
        taken = take_replies(&transaction, lease, terms.now, &replies).await?;
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

/// What is said in sessions and is due, which comes before all sends: the user is waiting. To a user only the oldest message is
/// due, and the next once that one's call has ended.
async fn replies_due(
    db: &DatabaseTransaction,
    line: LineId,
    now: Timestamp,
    limit: u32,
) -> Result<Vec<MessageId>, StorageError> {
    let mut query = Query::on(db);
    let line = query.bind(line.0);
    let (under_way, now) = (query.bind(now.minus(LONGEST_CALL).micros()), query.bind(now.micros()));
    // An offset keeps it a look into an index for each candidate, and not a join with all that wait.
    let sql = format!(
        "SELECT o.message_id FROM outbox o WHERE o.line_id = {line} AND o.said_at IS NOT NULL \
         AND o.claimed_at IS NULL AND o.due_at <= {now} AND NOT EXISTS (SELECT 1 FROM outbox b \
           WHERE b.contact_id = o.contact_id AND b.line_id = o.line_id AND b.said_at < o.said_at \
           AND (b.claimed_at IS NULL OR b.claimed_at > {under_way}) LIMIT 1 OFFSET 0) \
         ORDER BY o.due_at, o.message_id LIMIT {limit}"
    );
    query.ids(sql).await
}

async fn take_replies(
    db: &DatabaseTransaction,
    lease: Lease,
    now: Timestamp,
    due: &[MessageId],
) -> Result<Vec<MessageId>, StorageError> {
    let mut query = Query::on(db);
    let (now, epoch, due) = (query.bind(now.micros()), query.bind(lease.epoch), query.among("message_id", due));
    let sql = format!(
        "UPDATE outbox SET claimed_at = {now}, epoch = {epoch}, attempt = attempt + 1 \
         WHERE {due} AND claimed_at IS NULL RETURNING message_id"
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
    let with_agent = format!("a.session_status = {agent} AND (a.session_at >= {agents} OR u.activity_at >= {agents})");
    // Why it must not be sent, the first reason that holds.
    let refusals = [
        (FailureReason::ConversationInactive, "o.said_at IS NULL AND c.archived_at IS NOT NULL".to_owned()),
        (FailureReason::OptedOut, "k.opted_out_at IS NOT NULL".to_owned()),
        (FailureReason::BlockedContact, format!("k.blocked_at >= {blocked}")),
        (FailureReason::OpenAgentSession, format!("o.said_at IS NULL AND EXISTS ({begun} AND {with_agent})")),
        (
            FailureReason::Policy,
            format!(
                "o.said_at IS NOT NULL AND m.kind <> {template} AND NOT EXISTS ({begun} AND u.activity_at >= {window})"
            ),
        ),
    ];
    let refusals = refusals.map(|(reason, condition)| format!("WHEN {condition} THEN {}", reason.code())).join(" ");
    let sql = format!(
        "SELECT o.message_id, o.claimed_at, o.attempt, m.kind, m.text, m.payload, k.id, k.phone, \
           k.provider_user_id, o.said_at IS NOT NULL, CAST(CASE {refusals} END AS SMALLINT) \
         FROM outbox o JOIN messages m ON m.id = o.message_id \
         JOIN deployments d ON d.id = m.deployment_id JOIN contacts k ON k.id = d.contact_id \
         JOIN versions v ON v.id = d.version_id JOIN conversations c ON c.id = v.conversation_id \
         WHERE {ids} ORDER BY o.said_at IS NULL, o.due_at, o.message_id"
    );
    query.all(sql, claimed).await
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
        said: row.value()?,
        refusal: row.optional_code()?,
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
