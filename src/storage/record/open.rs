//! Opening the book: reading the rows that a batch affects, under the lock.

use std::collections::{BTreeSet, HashMap};

use entity::{messages, users, variables};
use sea_orm::DatabaseTransaction;
use uuid::Uuid;

use super::keys::{Keys, People};
use crate::domain::book::Book;
use crate::domain::code::Coded;
use crate::domain::id::{ContactId, DeploymentId, MessageId, UserId, VersionId, WorkspaceId};
use crate::domain::merge::VariableValue;
use crate::domain::message::Sender;
use crate::storage::query::{Query, belongs};
use crate::storage::rows::{self, DeploymentRow, MessageRow};
use crate::storage::{StorageError, contacts, row};

/// Reads the rows that the batch affects. Tells the versions of the messages that the facts name, too: not the deployments of
/// all of them are opened.
pub(super) async fn book(
    db: &DatabaseTransaction,
    workspace: WorkspaceId,
    keys: &Keys,
    found: &People,
) -> Result<(Book, BTreeSet<VersionId>), StorageError> {
    let mut book = Book::default();
    let versions = named_messages(db, workspace, keys, &mut book).await?;
    let deployments = named_deployments(db, workspace, keys, &book).await?;
    first_messages(db, workspace, &deployments, &mut book).await?;
    enter_deployments(deployments, &mut book)?;
    users_of_deployments(db, workspace, &mut book).await?;
    retries(db, workspace, &mut book).await?;
    if !keys.variables.is_empty() {
        named_variables(db, workspace, keys, &mut book).await?;
    }
    if keys.people {
        people(db, workspace, keys, found, &mut book).await?;
    }
    Ok((book, versions))
}

/// Reads deployments by their ids, with their first messages and users.
pub(in crate::storage) async fn deployments(
    db: &DatabaseTransaction,
    workspace: WorkspaceId,
    ids: &[DeploymentId],
    book: &mut Book,
) -> Result<(), StorageError> {
    let mut query = Query::on(db);
    let workspace_place = query.bind(workspace.0);
    let ids = query.among("d.id", ids);
    let sql = format!(
        "SELECT d.*, l.external FROM deployments d JOIN lines l ON l.id = d.line_id \
         WHERE {} AND {ids}",
        belongs("d.workspace_id", workspace_place)
    );
    let deployments = query.models(sql).await?;
    first_messages(db, workspace, &deployments, book).await?;
    enter_deployments(deployments, book)?;
    users_of_deployments(db, workspace, book).await
}

/// Determines the earliest answers again of the deployments for which the book requires it.
pub(super) async fn find_answers(
    db: &DatabaseTransaction,
    workspace: WorkspaceId,
    book: &mut Book,
) -> Result<(), StorageError> {
    let (deployments, users): (Vec<_>, BTreeSet<_>) = book.answers_moved().map(|one| (one.id, one.user)).unzip();
    if deployments.is_empty() {
        return Ok(());
    }
    let open: Vec<MessageId> = book.messages.keys().copied().collect();
    let mut query = Query::on(db);
    let (workspace, sender) = (query.bind(workspace.0), query.bind(Sender::User.code()));
    let users = query.among("user_id", &users.into_iter().collect::<Vec<_>>());
    let (deployments, not_open) = (query.among("deployment_id", &deployments), query.not_among("id", &open));
    let sql = format!(
        "SELECT deployment_id, at, provider_message_id, kind FROM messages WHERE {} \
         AND {users} AND {deployments} AND sender = {sender} AND {not_open}",
        belongs("workspace_id", workspace)
    );
    let stored = query.all(sql, rows::said).await?;
    book.find_answers(&stored);
    Ok(())
}

async fn named_messages(
    db: &DatabaseTransaction,
    workspace: WorkspaceId,
    keys: &Keys,
    book: &mut Book,
) -> Result<BTreeSet<VersionId>, StorageError> {
    let mut query = Query::on(db);
    let workspace = query.bind(workspace.0);
    let mut ways = Vec::new();
    if !keys.messages.is_empty() {
        ways.push(format!("{} AND {}", query.among("m.id", &keys.messages), belongs("m.workspace_id", workspace)));
    }
    if !keys.provider_ids.is_empty() {
        let names = query.among_texts("m.provider_message_id", &keys.provider_ids());
        ways.push(format!("m.workspace_id = {workspace} AND {names}"));
    }
    let mut versions = BTreeSet::new();
    if ways.is_empty() {
        return Ok(versions);
    }
    let sql = format!(
        "SELECT m.*, d.version_id FROM messages m JOIN deployments d ON d.id = m.deployment_id \
         WHERE {}",
        ways.join(" OR ")
    );
    for found in query.models::<MessageRow>(sql).await? {
        versions.insert(found.version_id.into());
        book.enter_message(rows::message_entry(found.row)?);
    }
    Ok(versions)
}

async fn named_deployments(
    db: &DatabaseTransaction,
    workspace: WorkspaceId,
    keys: &Keys,
    book: &Book,
) -> Result<Vec<DeploymentRow>, StorageError> {
    let of_messages = book.messages.values().filter(|message| keys.moves_deployment_of(message));
    let of_messages = of_messages.map(|message| message.deployment);
    let mut ids: BTreeSet<DeploymentId> = of_messages.chain(keys.deployments.iter().copied()).collect();
    let mut query = Query::on(db);
    let interrupted = keys.interrupted(&mut query);
    // By their keys: as a part of the condition below it would have all deployments read.
    ids.extend(query.ids::<DeploymentId>(interrupted).await?);
    let mut query = Query::on(db);
    let workspace = query.bind(workspace.0);
    let mut ways = Vec::new();
    if !ids.is_empty() {
        ways.push(query.among("d.id", &ids.into_iter().collect::<Vec<_>>()));
    }
    if keys.reaches() {
        ways.push(format!("({})", keys.reached(&mut query)));
    }
    if ways.is_empty() {
        return Ok(Vec::new());
    }
    let sql = format!(
        "SELECT d.*, l.external FROM deployments d JOIN lines l ON l.id = d.line_id \
         WHERE {} AND ({})",
        belongs("d.workspace_id", workspace),
        ways.join(" OR ")
    );
    query.models(sql).await
}

async fn first_messages(
    db: &DatabaseTransaction,
    workspace: WorkspaceId,
    deployments: &[DeploymentRow],
    book: &mut Book,
) -> Result<(), StorageError> {
    let open = book.messages.values().filter(|message| message.first);
    let open: BTreeSet<Uuid> = open.map(|message| message.deployment.0).collect();
    let missing: Vec<Uuid> = deployments.iter().map(|one| one.row.id).filter(|id| !open.contains(id)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let mut query = Query::on(db);
    let workspace = query.bind(workspace.0);
    let missing = query.among("deployment_id", &missing);
    let belongs = belongs("workspace_id", workspace);
    let sql = format!("SELECT * FROM messages WHERE {belongs} AND first AND {missing}");
    for row in query.models::<messages::Model>(sql).await? {
        book.enter_message(rows::message_entry(row)?);
    }
    Ok(())
}

fn enter_deployments(deployments: Vec<DeploymentRow>, book: &mut Book) -> Result<(), StorageError> {
    let firsts = book.messages.values().filter(|message| message.first);
    let firsts: HashMap<DeploymentId, MessageId> = firsts.map(|message| (message.deployment, message.id)).collect();
    for found in deployments {
        let mut entry = rows::deployment_entry(found)?;
        entry.first = firsts.get(&entry.id).copied();
        book.enter_deployment(entry);
    }
    Ok(())
}

async fn users_of_deployments(
    db: &DatabaseTransaction,
    workspace: WorkspaceId,
    book: &mut Book,
) -> Result<(), StorageError> {
    let ids: BTreeSet<UserId> = book.deployments.values().map(|deployment| deployment.user).collect();
    if ids.is_empty() {
        return Ok(());
    }
    let mut query = Query::on(db);
    let workspace = query.bind(workspace.0);
    let ids = query.among("id", &ids.into_iter().collect::<Vec<_>>());
    let sql = format!("SELECT * FROM users WHERE workspace_id = {workspace} AND {ids}");
    for row in query.models::<users::Model>(sql).await? {
        book.enter_user(rows::user_entry(&row)?);
    }
    Ok(())
}

/// The retries of deployments that are not the latest of their users: a retry is canceled if the deployment that it retries
/// turns out to be delivered.
async fn retries(db: &DatabaseTransaction, workspace: WorkspaceId, book: &mut Book) -> Result<(), StorageError> {
    let superseded: BTreeSet<UserId> = book.superseded().map(|one| one.user).collect();
    if superseded.is_empty() {
        return Ok(());
    }
    let open: Vec<DeploymentId> = book.deployments.keys().copied().collect();
    let mut query = Query::on(db);
    let workspace_place = query.bind(workspace.0);
    let users = query.among("d.user_id", &superseded.into_iter().collect::<Vec<_>>());
    let not_open = query.not_among("d.id", &open);
    let sql = format!(
        "SELECT d.*, l.external FROM deployments d JOIN lines l ON l.id = d.line_id \
         WHERE {} AND {users} AND {not_open} AND d.retries AND d.dispatched_at IS NULL",
        belongs("d.workspace_id", workspace_place)
    );
    let retries: Vec<DeploymentRow> = query.models(sql).await?;
    first_messages(db, workspace, &retries, book).await?;
    enter_deployments(retries, book)
}

async fn named_variables(
    db: &DatabaseTransaction,
    workspace: WorkspaceId,
    keys: &Keys,
    book: &mut Book,
) -> Result<(), StorageError> {
    let ids: Vec<DeploymentId> = book.deployments.keys().copied().collect();
    let variables: Vec<_> = keys.variables.iter().map(String::as_str).collect();
    let mut query = Query::on(db);
    let workspace = query.bind(workspace.0);
    let (ids, variables) = (query.among("deployment_id", &ids), query.among_texts("name", &variables));
    let sql = format!("SELECT * FROM variables WHERE workspace_id = {workspace} AND {ids} AND {variables}");
    enter_variables(query.models(sql).await?, book)
}

/// Enters variables into their deployments, which must have been entered already.
pub(super) fn enter_variables(found: Vec<variables::Model>, book: &mut Book) -> Result<(), StorageError> {
    for found in found {
        let value = VariableValue { at: row::time(found.at)?, value: found.value };
        if let Some(deployment) = book.deployments.get_mut(&found.deployment_id.into()) {
            deployment.variables.insert(found.name, value);
        }
    }
    Ok(())
}

/// The contacts of the deployments and of the facts. Of those that were looked up for the facts, what was known then will do:
/// whatever is learnt is merged with what others learnt meanwhile, and that none was erased is checked at the end.
async fn people(
    db: &DatabaseTransaction,
    workspace: WorkspaceId,
    keys: &Keys,
    found: &People,
    book: &mut Book,
) -> Result<(), StorageError> {
    let known = |id: ContactId| keys.contacts.contains(&id).then(|| found.directory.get(id)).flatten();
    let of_deployments = book.deployments.values().map(|deployment| deployment.contact);
    let ids: BTreeSet<ContactId> = of_deployments.chain(keys.contacts.iter().copied()).collect();
    let unknown: Vec<ContactId> = ids.iter().copied().filter(|id| known(*id).is_none()).collect();
    let read = contacts::by_ids(db, workspace, &unknown).await?;
    for id in ids {
        if let Some(contact) = known(id).or_else(|| read.get(id)) {
            book.contacts.insert(id, contact.entry.clone());
        }
    }
    Ok(())
}
