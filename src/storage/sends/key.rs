//! Idempotency keys: which send was made under a key, and of what.

use sea_orm::ConnectionTrait;

use crate::domain::id::{SendId, WorkspaceId};
use crate::storage::query::Query;
use crate::storage::{StorageError, Tenant};

/// What was made under a key.
#[derive(Debug, Clone)]
pub struct Known {
    /// The send.
    pub send: SendId,
    /// The digest of the input that it was made of.
    pub digest: String,
}

/// Looks a key up.
pub async fn find_known(tenant: &Tenant, key: &str) -> Result<Option<Known>, StorageError> {
    find(tenant.database().reader(), tenant.workspace(), key).await
}

pub(super) async fn find(
    db: &impl ConnectionTrait,
    workspace: WorkspaceId,
    key: &str,
) -> Result<Option<Known>, StorageError> {
    let mut query = Query::on(db);
    let (workspace, key) = (query.bind(workspace.0), query.bind(key));
    let sql =
        format!("SELECT id, input_digest FROM sends WHERE workspace_id = {workspace} AND idempotency_key = {key}");
    query.first(sql, |row| Ok(Known { send: row.id()?, digest: row.value()? })).await
}
