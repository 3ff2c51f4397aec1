//! Deployments, each with the facts of its first message.

use super::facts::{self, fact_list, select_facts};
use super::pages::{List, Lists};
use super::query::Query;
use super::row::Row;
use super::source::{self, Source};
use super::{Found, StorageError, Tenant};
use crate::domain::deployment::Deployment;
use crate::domain::id::{DeploymentId, MessageId, UserId};
use crate::domain::merge::{DeploymentFacts, MessageFacts, Session};
use crate::domain::page::{Key, Page, Slice};

const DEPLOYMENTS: Source<Deployment> = Source {
    table: "deployments",
    columns: concat!(
        "deployments.id, deployments.user_id, deployments.send_id, deployments.number, deployments.queued_at, ",
        fact_list!(select_facts => "deployments"),
        ", deployments.dispatched_at, deployments.answered_at, deployments.finished_at, ",
        "deployments.session_status, deployments.session_at, messages.id, ",
        fact_list!(select_facts => "messages"),
    ),
    joins: "LEFT JOIN messages ON messages.deployment_id = deployments.id AND messages.first",
    read,
};

const OF_USERS: Lists<UserId, Deployment> = Lists {
    list: List {
        source: &DEPLOYMENTS,
        order: "number",
        descending: true,
        key: |deployment| Key::number(deployment.number.into(), deployment.id.0),
    },
    within: |user| format!("deployments.user_id = {user}"),
    parent: |deployment| deployment.user,
};

/// Deployments by id.
pub async fn find_many(tenant: &Tenant, ids: &[DeploymentId]) -> Found<DeploymentId, Deployment> {
    DEPLOYMENTS.find_many(tenant, ids, |deployment| deployment.id).await
}

/// The latest deployment of each user.
pub async fn latest_of(tenant: &Tenant, users: &[UserId]) -> Found<UserId, Deployment> {
    let mut query = Query::of(tenant);
    let among = query.among("users.id", users);
    let latest = format!(
        "(deployments.user_id, deployments.number) IN \
         (SELECT users.id, users.deployments FROM users WHERE users.workspace_id = $1 AND {among})"
    );
    let deployments = query.all(DEPLOYMENTS.select(&latest), DEPLOYMENTS.read).await?;
    Ok(deployments.into_iter().map(|deployment| (deployment.user, deployment)).collect())
}

/// A page of each user's deployments, newest first.
pub async fn pages(tenant: &Tenant, users: &[UserId], page: &Page) -> Found<UserId, Slice<Deployment>> {
    OF_USERS.pages(tenant, users, page).await
}

/// How many deployments each user has.
pub async fn counts(tenant: &Tenant, users: &[UserId]) -> Found<UserId, i64> {
    source::counts(tenant, "deployments", "user_id", users).await
}

fn read(row: &mut Row<'_>) -> Result<Deployment, StorageError> {
    Ok(Deployment {
        id: row.id()?,
        user: row.id()?,
        send: row.optional_id()?,
        number: row.value()?,
        queued_at: row.time()?,
        facts: read_facts(row)?,
        first: read_first(row)?,
    })
}

fn read_facts(row: &mut Row<'_>) -> Result<DeploymentFacts, StorageError> {
    Ok(DeploymentFacts {
        reported: facts::read(row)?,
        dispatched: row.optional_time()?,
        answered: row.optional_time()?,
        finished: row.optional_time()?,
        session: read_session(row)?,
    })
}

fn read_session(row: &mut Row<'_>) -> Result<Option<Session>, StorageError> {
    let status = row.optional_code()?;
    Ok(row.optional_time()?.zip(status).map(|(at, status)| Session { at, status }))
}

fn read_first(row: &mut Row<'_>) -> Result<Option<MessageFacts>, StorageError> {
    match row.optional_id::<MessageId>()? {
        Some(_) => facts::read(row).map(Some),
        None => Ok(None),
    }
}
