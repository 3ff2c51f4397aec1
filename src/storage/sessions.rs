//! Sessions: the conversations with users that are open, or were.
//!
//! A session is part of a deployment. Its status is one of the deployment's facts; the row of a session is what is kept beyond.

use super::query::Query;
use super::row::Row;
use super::{Database, StorageError};
use crate::domain::clock::Timestamp;
use crate::domain::id::{DeploymentId, WorkspaceId};

/// A session in which nothing was said for too long.
#[derive(Debug, Clone, Copy)]
pub struct Lapsed {
    /// Its workspace.
    pub workspace: WorkspaceId,
    /// Its deployment.
    pub deployment: DeploymentId,
    /// When its time was up.
    pub expires_at: Timestamp,
}

/// Up to `limit` sessions of all workspaces whose time is up.
pub async fn lapsed(db: &Database, now: Timestamp, limit: u32) -> Result<Vec<Lapsed>, StorageError> {
    let mut query = Query::anywhere(db);
    let now = query.bind(now.micros());
    let sql = format!(
        "SELECT workspace_id, deployment_id, expires_at FROM sessions WHERE expires_at <= {now} \
         ORDER BY expires_at LIMIT {limit}"
    );
    query
        .all(sql, |row: &mut Row<'_>| {
            Ok(Lapsed { workspace: row.id()?, deployment: row.id()?, expires_at: row.time()? })
        })
        .await
}
