//! A page of fifty users of one status, each with its variables and three messages.

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::{Path, Query, State};
use bluetick::domain::id::UserId;
use bluetick::domain::page::{Cursors, Key};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::conversations::PageInfo;
use super::history::{self, Message, MessageRow};
use super::{Answered, Failed, Limit, answer, text};
use crate::database::{Pool, rows};

/// Behind which user.
#[derive(Deserialize)]
pub(super) struct After {
    at: Option<i64>,
    id: Option<Uuid>,
}

/// Those of the list.
const CURSORS: Cursors = Cursors::of_numbers("users by deployment");

#[derive(Serialize)]
pub(super) struct Data {
    conversation: Conversation,
}

#[derive(Serialize)]
struct Conversation {
    users: UserConnection,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct UserConnection {
    total_count: i64,
    page_info: PageInfo,
    nodes: Vec<User>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct User {
    id: String,
    phone: Option<String>,
    name: Option<String>,
    deployment_status: &'static str,
    stage: Option<&'static str>,
    deployed_at: String,
    last_activity_at: Option<String>,
    variables: Vec<Variable>,
    history: Messages,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Variable {
    name: String,
    value: String,
    updated_at: String,
}

#[derive(Serialize)]
struct Messages {
    nodes: Vec<Message>,
}

type UserRow = (Uuid, Option<String>, Option<String>, i64, i16, Option<i16>, i64);

/// Of the status READ: the version, and how many there are.
const VERSION: &str = "SELECT versions.id, tally.users FROM conversations \
     JOIN versions ON versions.conversation_id = conversations.id AND versions.number = conversations.versions \
     JOIN tally ON tally.version_id = versions.id AND tally.cell & 7 = 5 WHERE conversations.id = $1";

const FIRST: &str = "SELECT users.id, contacts.phone, contacts.name, users.deployed_at, users.status, users.stage, \
     users.activity_at FROM users JOIN contacts ON contacts.id = users.contact_id \
     WHERE users.version_id = $1 AND users.status = 5 ORDER BY users.deployed_at DESC, users.id DESC LIMIT 51";

const BEHIND: &str = "SELECT users.id, contacts.phone, contacts.name, users.deployed_at, users.status, users.stage, \
     users.activity_at FROM users JOIN contacts ON contacts.id = users.contact_id \
     WHERE users.version_id = $1 AND users.status = 5 AND (users.deployed_at, users.id) < ($2, $3) \
     ORDER BY users.deployed_at DESC, users.id DESC LIMIT 51";

const VARIABLES: &str = "SELECT users.id, variables.name, variables.value, variables.at FROM users \
     JOIN deployments ON deployments.user_id = users.id AND deployments.number = users.deployments \
     JOIN variables ON variables.deployment_id = deployments.id WHERE users.id = ANY($1) ORDER BY variables.name";

const VARIABLES_SQLITE: &str = "SELECT users.id, variables.name, variables.value, variables.at \
     FROM json_each($1) AS parent JOIN users ON users.id = unhex(parent.value) \
     JOIN deployments ON deployments.user_id = users.id AND deployments.number = users.deployments \
     JOIN variables ON variables.deployment_id = deployments.id ORDER BY variables.name";

pub(super) async fn page(
    State(limit): State<Arc<Limit>>,
    Path(id): Path<Uuid>,
    Query(after): Query<After>,
) -> Answered<Data> {
    let pool = &limit.pool;
    let cells: Vec<(Uuid, i64)> = rows!(pool, VERSION, [id], VERSION, [id])?;
    let version = cells.first().ok_or("there is no such conversation")?.0;
    let mut rows = users(pool, version, &after).await?;
    let has_next_page = rows.len() > 50;
    rows.truncate(50);
    let ids: Vec<Uuid> = rows.iter().map(|row| row.0).collect();
    let (mut variables, mut messages) = tokio::try_join!(variables(pool, &ids), messages(pool, &ids))?;
    let end_cursor = rows.last().map(|row| CURSORS.write(&Key::number(row.3, row.0)));
    let nodes = rows.into_iter().map(|row| User {
        variables: variables.remove(&row.0).unwrap_or_default(),
        history: Messages { nodes: messages.remove(&row.0).unwrap_or_default() },
        ..User::from(row)
    });
    let users = UserConnection {
        total_count: cells.iter().map(|(_, users)| users).sum(),
        page_info: PageInfo { has_next_page, end_cursor },
        nodes: nodes.collect(),
    };
    Ok(answer(Data { conversation: Conversation { users } }))
}

impl From<UserRow> for User {
    fn from((id, phone, name, deployed, status, stage, activity): UserRow) -> Self {
        Self {
            id: UserId(id).to_string(),
            phone,
            name,
            deployment_status: text::status(status),
            stage: stage.map(text::stage),
            deployed_at: text::time(deployed),
            last_activity_at: (activity > 0).then(|| text::time(activity)),
            variables: Vec::new(),
            history: Messages { nodes: Vec::new() },
        }
    }
}

async fn users(pool: &Pool, version: Uuid, after: &After) -> Result<Vec<UserRow>, Failed> {
    Ok(match (after.at, after.id) {
        (Some(at), Some(id)) => rows!(pool, BEHIND, [version, at, id], BEHIND, [version, at, id])?,
        _ => rows!(pool, FIRST, [version], FIRST, [version])?,
    })
}

async fn variables(pool: &Pool, users: &[Uuid]) -> Result<HashMap<Uuid, Vec<Variable>>, Failed> {
    let rows: Vec<(Uuid, String, String, i64)> =
        rows!(pool, VARIABLES, [users], VARIABLES_SQLITE, [text::keys(users)])?;
    let mut found: HashMap<Uuid, Vec<Variable>> = HashMap::with_capacity(users.len());
    for (user, name, value, at) in rows {
        found.entry(user).or_default().push(Variable { name, value, updated_at: text::time(at) });
    }
    Ok(found)
}

async fn messages(pool: &Pool, users: &[Uuid]) -> Result<HashMap<Uuid, Vec<Message>>, Failed> {
    let rows: Vec<MessageRow> = rows!(pool, history::OF_EACH, [users], history::OF_EACH_SQLITE, [text::keys(users)])?;
    let mut found: HashMap<Uuid, Vec<Message>> = HashMap::with_capacity(users.len());
    for row in rows {
        found.entry(row.0).or_default().push(row.into());
    }
    Ok(found)
}
