//! Opening what runs: flows, sessions and the variables that flows know, for batches in which something is said or ended.

use std::collections::{BTreeSet, HashMap};

use entity::{sessions, users, variables};
use sea_orm::DatabaseTransaction;

use super::keys::Keys;
use super::open::enter_variables;
use crate::domain::book::Book;
use crate::domain::id::{DeploymentId, VersionId, WorkspaceId};
use crate::storage::flows::Flows;
use crate::storage::query::Query;
use crate::storage::{StorageError, rows};

/// The most variables that a statement asks for, so that it stays small (`bulk`).
const PAIRS_PER_STATEMENT: usize = 200;

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
        known_variables(db, workspace, keys, book).await?;
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

/// The variables that flows need that may say something now. Where a flow may take several steps, or pass them all on, they are
/// all of the deployment's.
async fn known_variables(
    db: &DatabaseTransaction,
    workspace: WorkspaceId,
    keys: &Keys,
    book: &mut Book,
) -> Result<(), StorageError> {
    let (mut whole, mut pairs) = (Vec::new(), Vec::new());
    let mut needed: HashMap<(VersionId, &str), BTreeSet<&str>> = HashMap::new();
    for deployment in book.talking() {
        let Some(flow) = book.flows.get(&deployment.version) else { continue };
        if book.is_jumping(deployment.id) || keys.busy.contains(&deployment.contact) {
            whole.push(deployment.id);
            continue;
        }
        let state = book.sessions.get(&deployment.id).and_then(|session| session.state.as_ref());
        let step = state.map_or(flow.start.as_str(), |state| state.step.as_str());
        let names = needed.entry((deployment.version, step)).or_insert_with(|| flow.needs(step));
        pairs.extend(names.iter().map(|name| (deployment.id, *name)));
    }
    let mut query = Query::on(db);
    let (workspace_place, whole) = (query.bind(workspace.0), query.among("deployment_id", &whole));
    let sql = format!("SELECT * FROM variables WHERE workspace_id = {workspace_place} AND {whole}");
    let mut found = query.models::<variables::Model>(sql).await?;
    for pairs in pairs.chunks(PAIRS_PER_STATEMENT) {
        let mut query = Query::on(db);
        let (workspace, pairs) = (query.bind(workspace.0), query.bind_pairs(pairs));
        let sql = format!(
            "SELECT v.* FROM {pairs} JOIN variables v ON v.deployment_id = pair.id AND v.name = pair.name \
             WHERE v.workspace_id = {workspace}"
        );
        found.extend(query.models::<variables::Model>(sql).await?);
    }
    enter_variables(found, book)
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
