//! Messages of users.

use std::sync::Arc;

use axum::extract::{Path, State};
use bluetick::domain::id::{MessageId, UserId};
use serde::Serialize;
use uuid::Uuid;

use super::{Answered, Limit, answer, text};
use crate::database::rows;

/// A message.
#[derive(Serialize)]
pub(super) struct Message {
    id: String,
    sender: &'static str,
    kind: &'static str,
    text: Option<String>,
    status: Option<&'static str>,
    at: String,
}

/// Its user, then itself.
pub(super) type MessageRow = (Uuid, Uuid, i16, i16, Option<String>, i64, Option<i32>);

/// Phone, name and status.
type UserRow = (Option<String>, Option<String>, i16);

#[derive(Serialize)]
pub(super) struct Data {
    node: User,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct User {
    id: String,
    phone: Option<String>,
    name: Option<String>,
    deployment_status: &'static str,
    history: History,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct History {
    page_info: PageInfo,
    nodes: Vec<Message>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PageInfo {
    has_next_page: bool,
}

/// The columns of a [`MessageRow`]. The furthest proof is the status; users' own messages have none.
macro_rules! columns {
    () => {
        "messages.user_id, messages.id, messages.sender, messages.kind, messages.text, messages.at, \
         CASE WHEN messages.sender = 0 THEN NULL WHEN messages.read_at IS NOT NULL THEN 5 \
         WHEN messages.delivered_at IS NOT NULL THEN 4 \
         WHEN messages.failed_at IS NOT NULL OR messages.refused_at IS NOT NULL THEN 6 \
         WHEN messages.sent_at IS NOT NULL THEN 3 WHEN messages.held_at IS NOT NULL THEN 2 \
         WHEN messages.accepted_at IS NOT NULL THEN 1 ELSE 0 END"
    };
}

const OF_ONE: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM messages WHERE messages.user_id = $1 ORDER BY messages.at, messages.id LIMIT 51"
);

/// The first three of each user.
pub(super) const OF_EACH: &str = concat!(
    "SELECT message.* FROM unnest($1) AS parent (id) CROSS JOIN LATERAL (SELECT ",
    columns!(),
    " FROM messages WHERE messages.user_id = parent.id ORDER BY messages.at, messages.id LIMIT 3) AS message"
);

/// The first three of each user; SQLite has no lateral join.
pub(super) const OF_EACH_SQLITE: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM (SELECT unhex(value) AS id FROM json_each($1)) AS parent CROSS JOIN messages ON messages.rowid IN \
     (SELECT rowid FROM messages WHERE user_id = parent.id ORDER BY at, id LIMIT 3) ORDER BY messages.at, messages.id"
);

const USER: &str = "SELECT contacts.phone, contacts.name, users.status FROM users \
     JOIN contacts ON contacts.id = users.contact_id WHERE users.id = $1";

pub(super) async fn of_user(State(limit): State<Arc<Limit>>, Path(id): Path<Uuid>) -> Answered<Data> {
    let pool = &limit.pool;
    let user = async { rows!(pool, USER, [id], USER, [id]) };
    let messages = async { rows!(pool, OF_ONE, [id], OF_ONE, [id]) };
    let (mut users, messages): (Vec<UserRow>, Vec<MessageRow>) = tokio::try_join!(user, messages)?;
    let (phone, name, status) = users.pop().ok_or("there is no such user")?;
    let page_info = PageInfo { has_next_page: messages.len() > 50 };
    let history = History { page_info, nodes: messages.into_iter().take(50).map(Message::from).collect() };
    let deployment_status = text::status(status);
    Ok(answer(Data { node: User { id: UserId(id).to_string(), phone, name, deployment_status, history } }))
}

impl From<MessageRow> for Message {
    fn from((_, id, sender, kind, text, at, status): MessageRow) -> Self {
        let status = status.and_then(|code| i16::try_from(code).ok());
        Self {
            id: MessageId(id).to_string(),
            sender: text::sender(sender),
            kind: text::kind(kind),
            text,
            status: status.map(text::status),
            at: text::time(at),
        }
    }
}
