//! Sends: their rows and tallies, and how they come into being. `submit` stores one with all its deployments at once;
//! `staging` keeps the users of a list until the send is made, and `prepare` then makes their deployments, chunk by chunk.
//! `retry` stages the failed users of another send, and `control` pauses, resumes and cancels.

pub mod control;
mod deploy;
pub mod key;
pub mod prepare;
pub mod retry;
pub mod staging;
pub mod submit;

use std::collections::HashMap;

use sea_orm::DatabaseTransaction;

pub use deploy::Order;

use crate::domain::clock::Timestamp;
use crate::domain::id::{ConversationId, SendId, WorkspaceId};
use crate::domain::page::{Key, Page, Slice};
use crate::domain::send::{Queue, Send};
use crate::domain::tally::Tally;
use crate::storage::pages::{List, Lists};
use crate::storage::query::Query;
use crate::storage::row::{Row, seconds};
use crate::storage::source::{self, Source};
use crate::storage::{Found, StorageError, Tenant};

const SENDS: Source<Send> = Source {
    table: "sends",
    columns: "sends.id, sends.conversation_id, sends.version_id, sends.total_users, sends.created_at, \
              sends.scheduled_at, sends.completed_at, sends.canceled_at, sends.paused_at, \
              sends.prepared IS NOT NULL, sends.time_to_live, sends.retry_of",
    joins: "",
    read,
};

const OF_CONVERSATIONS: Lists<ConversationId, Send> = Lists {
    list: List {
        source: &SENDS,
        order: "created_at",
        descending: true,
        key: |send| Key::number(send.created_at.micros(), send.id.0),
    },
    within: |conversation| format!("sends.conversation_id = {conversation}"),
    parent: |send| send.conversation,
};

/// Sends by id.
pub async fn find_many(tenant: &Tenant, ids: &[SendId]) -> Found<SendId, Send> {
    SENDS.find_many(tenant, ids, |send| send.id).await
}

/// A page of each conversation's sends, newest first.
pub async fn pages(
    tenant: &Tenant,
    conversations: &[ConversationId],
    page: &Page,
) -> Found<ConversationId, Slice<Send>> {
    OF_CONVERSATIONS.pages(tenant, conversations, page).await
}

/// How many sends each conversation has.
pub async fn counts(tenant: &Tenant, conversations: &[ConversationId]) -> Found<ConversationId, i64> {
    source::counts(tenant, "sends", "conversation_id", conversations).await
}

/// The tally of each send's deployments.
pub async fn tallies(tenant: &Tenant, sends: &[SendId]) -> Found<SendId, Tally> {
    let mut query = Query::of(tenant);
    let among = query.among("send_id", sends);
    let sql = format!("SELECT send_id, cell, deployments FROM send_tally WHERE workspace_id = $1 AND {among}");
    let mut found = source::with_absent(sends, []);
    for (send, cell, count) in query.all(sql, |row| Ok((row.id()?, row.cell()?, row.value()?))).await? {
        found.entry(send).or_insert_with(Tally::default).add(cell, count);
    }
    Ok(found)
}

/// What is queued of sends, and of the other sends that share their lines and are due at `now`. Sends on lines that are
/// stopped, or on which another system sends, are missing.
pub async fn queues(tenant: &Tenant, sends: &[SendId], now: Timestamp) -> Found<SendId, Queue> {
    let mut query = Query::of(tenant);
    let (among, now) = (query.among("s.id", sends), query.bind(now.micros()));
    // The status is the lowest three bits of a cell, and QUEUED is 0. What is not made yet of a list counts as queued.
    let sql = format!(
        "SELECT s.id, o.id, l.messages_per_second, CAST((SELECT coalesce(sum(t.deployments), 0) FROM send_tally t \
           WHERE t.send_id = o.id AND (t.cell & 7) = 0) + CASE WHEN o.prepared IS NULL THEN 0 ELSE o.total_users - o.prepared END \
           AS bigint), CASE WHEN o.id = s.id THEN (SELECT max(q.due_at) FROM outbox q WHERE q.send_id = o.id \
           AND q.claimed_at IS NULL) END \
         FROM sends s JOIN conversations c ON c.id = s.conversation_id JOIN lines l ON l.id = c.line_id \
         JOIN conversations oc ON oc.line_id = l.id JOIN sends o ON o.conversation_id = oc.id \
         WHERE s.workspace_id = $1 AND {among} AND NOT l.external AND l.stopped_at IS NULL \
         AND o.completed_at IS NULL AND o.canceled_at IS NULL AND o.paused_at IS NULL \
         AND (o.id = s.id OR o.scheduled_at IS NULL OR o.scheduled_at <= {now})"
    );
    let mut queues: HashMap<SendId, Queue> = HashMap::new();
    for Neighbour { send, other, messages_per_second, queued, last_due } in query.all(sql, neighbour).await? {
        let empty = Queue { own: 0, others: Vec::new(), last_due: None, messages_per_second };
        let queue = queues.entry(send).or_insert(empty);
        if send == other {
            (queue.own, queue.last_due) = (queued, last_due);
        } else {
            queue.others.push(queued);
        }
    }
    Ok(queues)
}

/// What is queued of a send, beside another one on its line or of itself.
struct Neighbour {
    send: SendId,
    other: SendId,
    messages_per_second: u32,
    queued: i64,
    last_due: Option<Timestamp>,
}

fn neighbour(row: &mut Row<'_>) -> Result<Neighbour, StorageError> {
    Ok(Neighbour {
        send: row.id()?,
        other: row.id()?,
        messages_per_second: u32::try_from(row.value::<i32>()?).map_err(|_| StorageError::Corrupt("rate"))?,
        queued: row.value()?,
        last_due: row.optional_time()?,
    })
}

/// Inserts a send's row; `false` if its key is taken. If a concurrent transaction has inserted the key, it waits for the
/// outcome of that one.
async fn insert(
    db: &DatabaseTransaction,
    workspace: WorkspaceId,
    send: &Send,
    idempotency: Option<&(String, String)>,
) -> Result<bool, StorageError> {
    let (key, digest) = idempotency.cloned().unzip();
    let mut query = Query::on(db);
    let values = [
        query.bind(send.id.0),
        query.bind(workspace.0),
        query.bind(send.conversation.0),
        query.bind(send.version.0),
        query.bind(send.total_users),
        query.bind(send.created_at.micros()),
        query.bind(send.scheduled_at.map(Timestamp::micros)),
        query.bind(send.time_to_live.map(seconds)),
        query.bind(send.preparing.then_some(0)),
        query.bind(send.retry_of.map(|send| send.0)),
        query.bind(key),
        query.bind(digest),
    ];
    let sql = format!(
        "INSERT INTO sends (id, workspace_id, conversation_id, version_id, total_users, created_at, scheduled_at, \
         time_to_live, prepared, retry_of, idempotency_key, input_digest) VALUES ({}) ON CONFLICT DO NOTHING",
        values.map(|value| value.to_string()).join(", ")
    );
    Ok(query.execute(sql).await? == 1)
}

fn read(row: &mut Row<'_>) -> Result<Send, StorageError> {
    Ok(Send {
        id: row.id()?,
        conversation: row.id()?,
        version: row.id()?,
        total_users: row.value()?,
        created_at: row.time()?,
        scheduled_at: row.optional_time()?,
        completed_at: row.optional_time()?,
        canceled_at: row.optional_time()?,
        paused_at: row.optional_time()?,
        preparing: row.value()?,
        time_to_live: row.optional_seconds()?,
        retry_of: row.optional_id()?,
    })
}
