//! Writing a settled book.

use std::collections::{BTreeSet, HashMap};

use sea_orm::DatabaseTransaction;

use crate::domain::book::{Book, MessageEntry, Settlement, UserEntry, UserMove};
use crate::domain::clock::Timestamp;
use crate::domain::id::{DeploymentId, MessageId, UserId, VersionId, WorkspaceId};
use crate::storage::bulk::{Bulk, Datum, Kind, OnConflict};
use crate::storage::ledger::{self, Locked, Revisions};
use crate::storage::{StorageError, contacts, funnels, outbox, rows};

/// The variables table, as a batch writes it.
pub(in crate::storage) const VARIABLES: Bulk = Bulk {
    table: "variables",
    columns: &[
        ("deployment_id", Kind::Uuid),
        ("name", Kind::Text),
        ("workspace_id", Kind::Uuid),
        ("value", Kind::Text),
        ("at", Kind::BigInt),
    ],
    key: "deployment_id, name",
    on_conflict: OnConflict::Overwrite,
};

/// The table of the names of variables per version.
pub(in crate::storage) const VARIABLE_NAMES: Bulk = Bulk {
    table: "variable_names",
    columns: &[("version_id", Kind::Uuid), ("name", Kind::Text), ("workspace_id", Kind::Uuid)],
    key: "version_id, name",
    on_conflict: OnConflict::Keep,
};

/// Writes users, deployments, messages, variables and people, then appends to the ledger.
pub(in crate::storage) async fn book(
    db: &DatabaseTransaction,
    workspace: WorkspaceId,
    locked: &mut Locked,
    book: &mut Book,
    settlement: &Settlement,
    now: Timestamp,
) -> Result<Revisions, StorageError> {
    let moves = moves(book, settlement);
    number_messages(book, settlement, &locked.number(&moves));
    users(db, workspace, book, &moves).await?;
    let deployments = settlement.deployments.iter().filter_map(|id| book.deployments.get(id));
    let deployments: Vec<_> = deployments.map(|one| rows::deployment_row(workspace, one)).collect();
    rows::DEPLOYMENTS.write(db, &deployments).await?;
    messages(db, workspace, book, settlement).await?;
    variables(db, workspace, book, settlement).await?;
    people(db, workspace, book, settlement).await?;
    sessions(db, workspace, book, settlement).await?;
    outbox::remove(db, &settlement.canceled).await?;
    outbox::enqueue(db, workspace, &settlement.replies).await?;
    ledger::move_sends(db, workspace, &settlement.sends, now).await?;
    locked.append(db, workspace, &moves, &begun(book, settlement), now).await
}

fn moves<'a>(book: &Book, settlement: &'a Settlement) -> Vec<(VersionId, &'a UserMove)> {
    let versioned = |user: &'a UserMove| Some((book.users.get(&user.user)?.version, user));
    let changed = settlement.users.iter().filter(|user| !user.kinds.is_empty());
    changed.filter_map(versioned).collect()
}

/// Assigns new messages to the changes of their users.
fn number_messages(book: &mut Book, settlement: &Settlement, numbers: &HashMap<UserId, i64>) {
    for id in &settlement.told {
        if let Some(message) = book.messages.get_mut(id) {
            message.revision = message.revision.or_else(|| numbers.get(&message.user).copied());
        }
    }
}

/// The number of new deployments per version.
fn begun(book: &Book, settlement: &Settlement) -> HashMap<VersionId, i64> {
    let mut begun = HashMap::new();
    let deployments = settlement.deployments.iter().filter_map(|id| book.deployments.get(id));
    for deployment in deployments.filter(|deployment| deployment.cell_before.is_none()) {
        *begun.entry(deployment.version).or_default() += 1;
    }
    begun
}

/// Inserts new users, and updates the standing of the others.
async fn users(
    db: &DatabaseTransaction,
    workspace: WorkspaceId,
    book: &Book,
    moves: &[(VersionId, &UserMove)],
) -> Result<(), StorageError> {
    let (known, new): (Vec<_>, Vec<_>) = moves.iter().map(|(_, user)| user).partition(|user| user.before.is_some());
    let entries = |moves: Vec<&&UserMove>| moves.into_iter().filter_map(|user| book.users.get(&user.user)).collect();
    let (known, new): (Vec<&UserEntry>, Vec<&UserEntry>) = (entries(known), entries(new));
    let new: Vec<_> = new.into_iter().map(|user| rows::user_row(workspace, user)).collect();
    rows::USERS.write(db, &new).await?;
    let known: Vec<_> = known.into_iter().map(rows::user_standing).collect();
    Ok(rows::USER_STANDINGS.overwrite(db, &known).await?)
}

/// Writes messages that are no longer the first of their deployment before those that now are, since a deployment has at most
/// one.
async fn messages(
    db: &DatabaseTransaction,
    workspace: WorkspaceId,
    book: &Book,
    settlement: &Settlement,
) -> Result<(), StorageError> {
    for first in [false, true] {
        let dirty = |ids: &[MessageId]| -> Vec<&MessageEntry> {
            let messages = ids.iter().filter_map(|id| book.messages.get(id));
            messages.filter(|message| message.first == first).collect()
        };
        let told: Vec<_> = dirty(&settlement.told).into_iter().map(|one| rows::message_row(workspace, one)).collect();
        rows::MESSAGES.write(db, &told).await?;
        let moved: Vec<_> = dirty(&settlement.progressed).into_iter().map(rows::message_progress).collect();
        rows::MESSAGE_PROGRESS.overwrite(db, &moved).await?;
    }
    Ok(())
}

async fn variables(
    db: &DatabaseTransaction,
    workspace: WorkspaceId,
    book: &Book,
    settlement: &Settlement,
) -> Result<(), StorageError> {
    let mut values = Vec::new();
    let mut names: BTreeSet<(VersionId, &str)> = BTreeSet::new();
    for (id, name) in &settlement.variables {
        let Some(deployment) = book.deployments.get(id) else { continue };
        let Some(value) = deployment.variables.get(name) else { continue };
        names.insert((deployment.version, name));
        values.push(variable_row(*id, workspace, name, &value.value, value.at));
    }
    VARIABLES.write(db, &values).await?;
    variable_names(db, workspace, &names).await
}

/// A row of [`VARIABLES`].
pub(in crate::storage) fn variable_row(
    deployment: DeploymentId,
    workspace: WorkspaceId,
    name: &str,
    value: &str,
    at: Timestamp,
) -> Vec<Datum> {
    vec![Datum::id(deployment), Datum::text(name), Datum::id(workspace), Datum::text(value), Datum::at(at)]
}

/// Adds the names of variables to versions.
pub(in crate::storage) async fn variable_names(
    db: &DatabaseTransaction,
    workspace: WorkspaceId,
    names: &BTreeSet<(VersionId, &str)>,
) -> Result<(), StorageError> {
    let row = |(version, name): &(VersionId, &str)| vec![Datum::id(*version), Datum::text(*name), Datum::id(workspace)];
    Ok(VARIABLE_NAMES.write(db, &names.iter().map(row).collect::<Vec<_>>()).await?)
}

/// Writes sessions, and what they change of funnels.
async fn sessions(
    db: &DatabaseTransaction,
    workspace: WorkspaceId,
    book: &Book,
    settlement: &Settlement,
) -> Result<(), StorageError> {
    let changed = settlement.sessions.iter().filter_map(|id| Some((*id, book.sessions.get(id)?)));
    let changed: Vec<_> = changed.map(|(id, session)| rows::session_row(workspace, id, session)).collect();
    rows::SESSIONS.write(db, &changed).await?;
    funnels::move_figures(db, workspace, &settlement.funnels, &settlement.answers).await
}

async fn people(
    db: &DatabaseTransaction,
    workspace: WorkspaceId,
    book: &Book,
    settlement: &Settlement,
) -> Result<(), StorageError> {
    let learnt = settlement.contacts.iter().filter_map(|&id| Some((id, book.contacts.get(&id)?)));
    let learnt: Vec<_> = learnt.collect();
    if learnt.is_empty() {
        return Ok(());
    }
    contacts::learn(db, workspace, &learnt).await
}
