//! Pausing, resuming and canceling sends.

use crate::domain::clock::Timestamp;
use crate::domain::id::{DeploymentId, SendId, WorkspaceId};
use crate::storage::query::Query;
use crate::storage::row::Row;
use crate::storage::{Database, StorageError, Tenant};

/// A canceled send that still has something queued.
#[derive(Debug, Clone, Copy)]
pub struct Canceled {
    /// The send.
    pub id: SendId,
    /// Its workspace.
    pub workspace: WorkspaceId,
    /// When it was canceled.
    pub at: Timestamp,
    /// Whether it is on a line on which another system sends.
    pub external: bool,
}

/// Pauses a send that is neither completed nor canceled; `false` if there is none. A paused one stays paused since it first
/// was.
pub async fn pause(tenant: &Tenant, send: SendId, now: Timestamp) -> Result<bool, StorageError> {
    let set = |query: &mut Query<'_>| format!("paused_at = coalesce(paused_at, {})", query.bind(now.micros()));
    change(tenant, send, set).await
}

/// Resumes a send that is neither completed nor canceled; `false` if there is none.
pub async fn resume(tenant: &Tenant, send: SendId) -> Result<bool, StorageError> {
    change(tenant, send, |_| "paused_at = NULL".to_owned()).await
}

/// Cancels a send that is neither completed nor canceled; `false` if there is none. Its queued deployments fail after that.
pub async fn cancel(tenant: &Tenant, send: SendId, now: Timestamp) -> Result<bool, StorageError> {
    change(tenant, send, |query| format!("canceled_at = {}", query.bind(now.micros()))).await
}

/// The canceled sends of all workspaces that still have something queued.
pub async fn canceled(db: &Database) -> Result<Vec<Canceled>, StorageError> {
    let sql = "SELECT s.id, s.workspace_id, s.canceled_at, l.external FROM sends s \
               JOIN conversations c ON c.id = s.conversation_id JOIN lines l ON l.id = c.line_id \
               WHERE s.canceled_at IS NOT NULL AND s.completed_at IS NULL";
    let read = |row: &mut Row<'_>| {
        Ok(Canceled { id: row.id()?, workspace: row.id()?, at: row.time()?, external: row.value()? })
    };
    Query::anywhere(db).all(sql.to_owned(), read).await
}

/// Up to `limit` deployments of a send on an external line of which nothing is known yet.
pub async fn untold(db: &Database, send: SendId, limit: u32) -> Result<Vec<DeploymentId>, StorageError> {
    let mut query = Query::anywhere(db);
    let send = query.bind(send.0);
    let facts = ["accepted", "held", "sent", "delivered", "read", "failed", "refused", "unknown"];
    let facts: Vec<_> = facts.iter().map(|fact| format!("d.{fact}_at, m.{fact}_at")).collect();
    let sql = format!(
        "SELECT d.id FROM deployments d LEFT JOIN messages m ON m.deployment_id = d.id AND m.first \
         WHERE d.send_id = {send} AND coalesce(d.answered_at, d.finished_at, {}) IS NULL LIMIT {limit}",
        facts.join(", ")
    );
    query.ids(sql).await
}

async fn change(tenant: &Tenant, send: SendId, set: impl Fn(&mut Query<'_>) -> String) -> Result<bool, StorageError> {
    let mut query = Query::on(tenant.database().writer());
    let (workspace, send) = (query.bind(tenant.workspace().0), query.bind(send.0));
    let set = set(&mut query);
    let sql = format!(
        "UPDATE sends SET {set} WHERE workspace_id = {workspace} AND id = {send} \
         AND completed_at IS NULL AND canceled_at IS NULL"
    );
    Ok(query.execute(sql).await? == 1)
}
