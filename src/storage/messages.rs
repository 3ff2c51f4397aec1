//! Messages: the history of a user, and of a deployment.

use super::facts::{self, fact_list, select_facts};
use super::pages::{List, Lists};
use super::query::Query;
use super::row::Row;
use super::source::{self, Source};
use super::{Database, Found, StorageError, Tenant, erasure};
use crate::domain::clock::Timestamp;
use crate::domain::id::{DeploymentId, MessageId, UserId, WorkspaceId};
use crate::domain::message::Message;
use crate::domain::page::{Key, Page, Slice};

const MESSAGES: Source<Message> = Source {
    table: "messages",
    columns: concat!(
        "messages.id, messages.user_id, messages.deployment_id, messages.sender, messages.kind, messages.text, ",
        "messages.payload, messages.provider_message_id, messages.at, ",
        fact_list!(select_facts => "messages"),
    ),
    joins: "",
    read,
};

/// A message that was not delivered within its time to live.
#[derive(Debug, Clone, Copy)]
pub struct Expired {
    /// Its workspace.
    pub workspace: WorkspaceId,
    /// The message.
    pub message: MessageId,
    /// When its time ended.
    pub expires_at: Timestamp,
}

const OF_USERS: Lists<UserId, Message> = Lists {
    list: List {
        source: &MESSAGES,
        order: "at",
        descending: false,
        key: |message| Key::number(message.at.micros(), message.id.0),
    },
    within: |user| format!("messages.user_id = {user}"),
    parent: |message| message.user,
};

const OF_DEPLOYMENTS: Lists<DeploymentId, Message> = Lists {
    list: List {
        source: &MESSAGES,
        order: "at",
        descending: false,
        key: |message| Key::number(message.at.micros(), message.id.0),
    },
    within: of_deployment,
    parent: |message| message.deployment,
};

/// Messages by id.
pub async fn find_many(tenant: &Tenant, ids: &[MessageId]) -> Found<MessageId, Message> {
    MESSAGES.find_many(tenant, ids, |message| message.id).await
}

/// A page of each user's history, oldest first.
pub async fn pages_of_users(tenant: &Tenant, users: &[UserId], page: &Page) -> Found<UserId, Slice<Message>> {
    OF_USERS.pages(tenant, users, page).await
}

/// A page of each deployment's messages, oldest first.
pub async fn pages_of_deployments(
    tenant: &Tenant,
    deployments: &[DeploymentId],
    page: &Page,
) -> Found<DeploymentId, Slice<Message>> {
    OF_DEPLOYMENTS.pages(tenant, deployments, page).await
}

/// How many messages each user's history has.
pub async fn counts_of_users(tenant: &Tenant, users: &[UserId]) -> Found<UserId, i64> {
    source::counts(tenant, "messages", "user_id", users).await
}

/// How many messages each deployment has.
pub async fn counts_of_deployments(tenant: &Tenant, deployments: &[DeploymentId]) -> Found<DeploymentId, i64> {
    let mut query = Query::of(tenant);
    let among = query.among("deployments.id", deployments);
    let sql = format!(
        "SELECT deployments.id, count(*) FROM deployments JOIN messages ON {} \
         WHERE deployments.workspace_id = $1 AND {among} GROUP BY deployments.id",
        "messages.user_id = deployments.user_id AND messages.deployment_id = deployments.id",
    );
    let counts = query.all(sql, |row| Ok((row.id()?, row.value()?))).await?;
    Ok(source::with_absent(deployments, counts))
}

/// The messages of a user that these changes of the version added, by revision, then time, then id.
pub async fn added_by(tenant: &Tenant, user: UserId, revisions: &[i64]) -> Result<Vec<Message>, StorageError> {
    let mut query = Query::of(tenant);
    let user = query.bind(user.0);
    let among = query.among_numbers("messages.revision", revisions);
    let added = MESSAGES.select(&format!("messages.user_id = {user} AND {among}"));
    query.all(format!("{added} ORDER BY messages.revision, messages.at, messages.id"), MESSAGES.read).await
}

/// Up to `limit` messages of all workspaces that were not delivered in time.
pub async fn expired(db: &Database, now: Timestamp, limit: u32) -> Result<Vec<Expired>, StorageError> {
    let mut query = Query::anywhere(db);
    let now = query.bind(now.micros());
    let sql = format!(
        "SELECT workspace_id, id, expires_at FROM messages WHERE expires_at <= {now} ORDER BY expires_at LIMIT {limit}"
    );
    query.all(sql, |row| Ok(Expired { workspace: row.id()?, message: row.id()?, expires_at: row.time()? })).await
}

/// Restricts messages to a deployment and its user, because the index is by user.
fn of_deployment(deployment: &str) -> String {
    format!(
        "messages.deployment_id = {deployment} AND messages.user_id = \
         (SELECT deployments.user_id FROM deployments WHERE deployments.id = {deployment})"
    )
}

fn read(row: &mut Row<'_>) -> Result<Message, StorageError> {
    Ok(Message {
        id: row.id()?,
        user: row.id()?,
        deployment: row.id()?,
        sender: row.code()?,
        kind: row.code()?,
        text: row.value()?,
        payload: row.value()?,
        provider_message_id: erasure::unless_erased(row.value()?),
        at: row.time()?,
        facts: facts::read(row)?,
    })
}
