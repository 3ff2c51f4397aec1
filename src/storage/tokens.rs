//! API tokens and the workspaces that they open.

use super::{Database, StorageError, Tenant};
use crate::domain::clock::Timestamp;
use crate::domain::id::{TokenId, WorkspaceId};

/// A token without its secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// Its id.
    pub id: TokenId,
    /// The workspace that it opens.
    pub workspace: WorkspaceId,
    /// The workspace's name.
    pub workspace_name: String,
    /// What it may do: bits, see `auth::Scopes`.
    pub scopes: i16,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it was revoked, if it was.
    pub revoked_at: Option<Timestamp>,
}

/// The workspace of a name, made where it is missing.
pub async fn get_workspace(db: &Database, name: &str, now: Timestamp) -> Result<WorkspaceId, StorageError> {
    todo!()
}

/// The workspace's own name.
pub async fn workspace_name(tenant: &Tenant) -> Result<Option<String>, StorageError> {
    todo!()
}

/// Stores a token by the hash of its secret.
pub async fn create(tenant: &Tenant, hash: &str, scopes: i16, now: Timestamp) -> Result<TokenId, StorageError> {
    todo!()
}

/// The token in force with this hash.
pub async fn find_by_hash(db: &Database, hash: &str) -> Result<Option<Token>, StorageError> {
    todo!()
}

/// Every token, oldest first.
pub async fn list(db: &Database) -> Result<Vec<Token>, StorageError> {
    todo!()
}

/// Revokes a token, keeping the time of an earlier revocation; `false` where there is none of this id.
pub async fn revoke(db: &Database, id: TokenId, now: Timestamp) -> Result<bool, StorageError> {
    todo!()
}
