//! Opening what runs: flows, sessions and the variables that flows know, for batches in which something is said or ended.

use std::collections::BTreeSet;

use entity::{sessions, users, variables};
use sea_orm::DatabaseTransaction;

use super::keys::Keys;
use crate::domain::book::Book;
use crate::domain::id::{DeploymentId, VersionId, WorkspaceId};
use crate::domain::merge::VariableValue;
use crate::storage::flows::Flows;
use crate::storage::query::Query;
use crate::storage::{StorageError, row, rows};

/// Reads what runs in the deployments of a book, and in the versions that may begin. Batches that only report how far
/// messages got need none of it.
pub(super) async fn open(
    db: &DatabaseTransaction,
    workspace: WorkspaceId,
    (keys, begins): (&Keys, &BTreeSet<VersionId>),
    flows: &Flows,
    book: &mut Book,
) -> Result<(), StorageError> {
    if !keys.running {
        return Ok(());
    }
    let deployed = book.deployments.values().map(|deployment| deployment.version);
    let versions: BTreeSet<VersionId> = deployed.chain(begins.iter().copied()).collect();
    book.flows = flows.of(db, workspace, &versions).await?;
    open_sessions(db, workspace, book).await?;
    if keys.talking && !book.flows.is_empty() {
        known_variables(db, workspace, book).await?;
        returning_users(db, workspace, (keys, begins), book).await?;
    }
    Ok(())
}

async fn open_sessions(db: &DatabaseTransaction, workspace: WorkspaceId, book: &mut Book) -> Result<(), StorageError> {
    let deployments: Vec<DeploymentId> = book.deployments.keys().copied().collect();
    let mut query = Query::on(db);
    let (workspace, deployments) = (query.bind(workspace.0), query.among("deployment_id", &deployments));
    let sql = format!("SELECT * FROM sessions WHERE workspace_id = {workspace} AND {deployments}");
    for found in query.models::<sessions::Model>(sql).await? {
        let (id, session) = rows::session_entry(found)?;
        book.enter_session(id, session);
    }
    Ok(())
}

/// All variables of the deployments whose flows may say something.
async fn known_variables(
    db: &DatabaseTransaction,
    workspace: WorkspaceId,
    book: &mut Book,
) -> Result<(), StorageError> {
    let deployments: Vec<DeploymentId> = book.talking().map(|one| one.id).collect();
    let mut query = Query::on(db);
    let (workspace, deployments) = (query.bind(workspace.0), query.among("deployment_id", &deployments));
    let sql = format!("SELECT * FROM variables WHERE workspace_id = {workspace} AND {deployments}");
    for found in query.models::<variables::Model>(sql).await? {
        let value = VariableValue { at: row::time(found.at)?, value: found.value };
        if let Some(deployment) = book.deployments.get_mut(&found.deployment_id.into()) {
            deployment.variables.insert(found.name, value);
        }
    }
    Ok(())
}

/// Users of the versions that may begin, also those whose deployments were not opened.
async fn returning_users(
    db: &DatabaseTransaction,
    workspace: WorkspaceId,
    (keys, begins): (&Keys, &BTreeSet<VersionId>),
    book: &mut Book,
) -> Result<(), StorageError> {
    let contacts: Vec<_> = keys.contacts.union(&keys.led).copied().collect();
    let mut query = Query::on(db);
    let workspace = query.bind(workspace.0);
    let versions = query.among("version_id", &begins.iter().copied().collect::<Vec<_>>());
    let contacts = query.among("contact_id", &contacts);
    let sql = format!("SELECT * FROM users WHERE workspace_id = {workspace} AND {versions} AND {contacts}");
    for found in query.models::<users::Model>(sql).await? {
        if !book.users.contains_key(&found.id.into()) {
            book.enter_user(rows::user_entry(&found)?);
        }
    }
    Ok(())
}
