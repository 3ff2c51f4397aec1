//! Sends: their rows and tallies, and `submit`, which stores a new one.

pub mod submit;

use crate::domain::id::{ConversationId, SendId};
use crate::domain::page::{Key, Page, Slice};
use crate::domain::send::Send;
use crate::domain::tally::Tally;
use crate::storage::pages::{List, Lists};
use crate::storage::query::Query;
use crate::storage::row::Row;
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
