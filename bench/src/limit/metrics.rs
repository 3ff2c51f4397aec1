//! Figures of one conversation: from the tally, and counted from the users for comparison.

use std::sync::Arc;

use axum::extract::{Path, State};
use bluetick::domain::id::ConversationId;
use serde::Serialize;
use uuid::Uuid;

use super::{Answered, Failed, Limit, answer, text};
use crate::database::{Pool, rows};

/// The figures.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Figures {
    total_users: i64,
    messages_sent: i64,
    in_process: i64,
    send_failure: i64,
    delivered: i64,
    responses: i64,
    response_rate: Option<f64>,
    read: i64,
    in_flow: i64,
    finished: i64,
    revision: i64,
    as_of: String,
}

#[derive(Serialize)]
pub(super) struct Data {
    conversation: Conversation,
}

#[derive(Serialize)]
struct Conversation {
    id: String,
    name: String,
    metrics: Figures,
}

/// A conversation's name, its version's head, and one cell of the tally.
type Row = (String, i64, i64, i32, i64);

const TALLIED: &str = "SELECT conversations.name, versions.revision, coalesce(versions.changed_at, versions.published_at), \
     tally.cell, tally.users FROM conversations \
     JOIN versions ON versions.conversation_id = conversations.id AND versions.number = conversations.versions \
     JOIN tally ON tally.version_id = versions.id WHERE conversations.id = $1";

/// The cell is made of the columns, so that the same sums follow.
const COUNTED: &str = "SELECT conversations.name, versions.revision, coalesce(versions.changed_at, versions.published_at), \
     counted.cell, counted.users FROM conversations \
     JOIN versions ON versions.conversation_id = conversations.id AND versions.number = conversations.versions \
     JOIN (SELECT version_id, status | (coalesce(stage, -1) + 1) << 3 AS cell, count(*) AS users FROM users \
           WHERE version_id = (SELECT id FROM versions WHERE conversation_id = $1) GROUP BY version_id, status, stage) \
     AS counted ON counted.version_id = versions.id WHERE conversations.id = $1";

impl Figures {
    pub(super) const fn of(revision: i64, as_of: String) -> Self {
        Self {
            total_users: 0,
            messages_sent: 0,
            in_process: 0,
            send_failure: 0,
            delivered: 0,
            responses: 0,
            response_rate: None,
            read: 0,
            in_flow: 0,
            finished: 0,
            revision,
            as_of,
        }
    }

    pub(super) fn add(&mut self, cell: i32, users: i64) {
        self.total_users += users;
        match cell & 7 {
            4 => self.delivered += users,
            5 => {
                self.delivered += users;
                self.read += users;
            }
            6 => self.send_failure += users,
            _ => self.in_process += users,
        }
        match cell >> 3 & 3 {
            1 => self.in_flow += users,
            2 => self.finished += users,
            _ => {}
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "exact up to 2^53 users")]
    pub(super) fn finish(mut self) -> Self {
        self.messages_sent = self.delivered;
        self.responses = self.in_flow + self.finished;
        let rate = self.responses as f64 / self.messages_sent as f64 * 100.0;
        self.response_rate = (self.messages_sent > 0).then_some(rate);
        self
    }
}

pub(super) async fn tallied(State(limit): State<Arc<Limit>>, Path(id): Path<Uuid>) -> Answered<Data> {
    read(&limit.pool, TALLIED, id).await
}

pub(super) async fn counted(State(limit): State<Arc<Limit>>, Path(id): Path<Uuid>) -> Answered<Data> {
    read(&limit.pool, COUNTED, id).await
}

/// The figures of a conversation's current version.
pub(super) async fn figures(pool: &Pool, id: Uuid) -> Result<Figures, Failed> {
    find(pool, TALLIED, id).await.map(|(_, figures)| figures)
}

async fn read(pool: &Pool, sql: &'static str, id: Uuid) -> Answered<Data> {
    let (name, metrics) = find(pool, sql, id).await?;
    Ok(answer(Data { conversation: Conversation { id: ConversationId(id).to_string(), name, metrics } }))
}

async fn find(pool: &Pool, sql: &'static str, id: Uuid) -> Result<(String, Figures), Failed> {
    let rows: Vec<Row> = rows!(pool, sql, [id], sql, [id])?;
    let (name, revision, as_of, ..) = rows.first().ok_or("there is no such conversation")?;
    let mut figures = Figures::of(*revision, text::time(*as_of));
    for (_, _, _, cell, users) in &rows {
        figures.add(*cell, *users);
    }
    Ok((name.clone(), figures.finish()))
}
