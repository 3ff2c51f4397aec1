//! Storage: the only user of SeaORM and of `entity/`. Its functions take and return domain types.
//!
//! Tenant data is accessed through a [`Tenant`], so that a query without a workspace looks wrong. Reads load many keys at once
//! for loaders, or keyset pages, in one statement each. All changes of users go through `ledger`. The differences between the
//! two databases are in `dialect`.

pub mod audit;
mod bulk;
pub mod changes;
mod connect;
mod contacts;
pub mod conversations;
pub mod deployments;
mod dialect;
pub mod erasure;
mod facts;
mod fault;
mod filter;
pub mod flows;
pub mod funnels;
pub mod leases;
pub mod ledger;
pub mod lines;
pub mod messages;
pub mod metrics;
pub mod outbox;
mod pages;
pub mod parked;
pub mod passing;
mod query;
mod reached;
pub mod record;
mod row;
mod rows;
pub mod sends;
pub mod sessions;
mod source;
pub mod statistics;
pub mod stream_tokens;
#[cfg(test)]
mod tests;
pub mod tokens;
pub mod users;
pub mod variables;
pub mod verify;
pub mod versions;

use std::collections::HashMap;

pub use connect::Database;
pub use fault::{FaultKind, retry_races};

use crate::domain::id::WorkspaceId;

/// A database restricted to one workspace, as all reads and writes of tenant data require it.
#[derive(Clone)]
pub struct Tenant {
    db: Database,
    workspace: WorkspaceId,
}

/// An error of the storage.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// The database is unavailable or overloaded, or rejected a statement.
    #[error("the database failed")]
    Database(#[from] sea_orm::DbErr),
    /// The database URL is not valid.
    #[error("the database URL is not valid; expected sqlite://path?mode=rwc or postgres://user:password@host/database")]
    Url,
    /// Another transaction changed what the batch affects while it was being prepared. The same batch succeeds when it is
    /// retried.
    #[error("a concurrent transaction was faster")]
    Overtaken,
    /// A row contains something that no version of this program writes; the text names what it is.
    #[error("the database holds an invalid {0}")]
    Corrupt(&'static str),
}

/// The result of loading many keys; keys that were not found are absent.
pub type Found<K, V> = Result<HashMap<K, V>, StorageError>;

impl Tenant {
    /// The database, restricted to a workspace.
    pub const fn new(db: Database, workspace: WorkspaceId) -> Self {
        Self { db, workspace }
    }

    /// The workspace to which access is restricted.
    pub const fn workspace(&self) -> WorkspaceId {
        self.workspace
    }

    /// The unrestricted database.
    pub const fn database(&self) -> &Database {
        &self.db
    }
}
