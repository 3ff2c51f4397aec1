//! The only user of SeaORM and of `entity/`. It speaks domain types, in and out.
//!
//! Tenant data is reached through a [`Tenant`], so a query that is not scoped to a workspace looks wrong. Reads load by many
//! keys at once (they are what loaders call) or by keyset pages; they take one statement each, whatever the number of keys.
//! Writes that change users go through one door, `ledger`. Where the two databases must differ stands in `dialect`.

mod bulk;
pub mod changes;
mod connect;
mod contacts;
pub mod conversations;
pub mod deployments;
mod dialect;
mod facts;
mod fault;
mod filter;
pub mod ledger;
pub mod lines;
pub mod messages;
pub mod metrics;
pub mod outbox;
mod pages;
pub mod parked;
mod query;
pub mod record;
mod row;
mod rows;
pub mod sends;
mod source;
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

/// A database seen from inside one workspace: what every read and write of tenant data takes.
#[derive(Clone)]
pub struct Tenant {
    db: Database,
    workspace: WorkspaceId,
}

/// A fault of the database.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// The database is away, overloaded, or refused a statement.
    #[error("the database failed")]
    Database(#[from] sea_orm::DbErr),
    /// The database's address is none.
    #[error("the database's URL is not valid: it is sqlite://path?mode=rwc or postgres://user:password@host/database")]
    Url,
    /// What the batch touches was made known by another node meanwhile; the same batch succeeds when begun again.
    #[error("another node was faster")]
    Overtaken,
    /// A row holds what no version of this program writes.
    #[error("the database holds an invalid {0}")]
    Corrupt(&'static str),
}

/// What a load by many keys finds: absent keys are simply missing.
pub type Found<K, V> = Result<HashMap<K, V>, StorageError>;

impl Tenant {
    /// The workspace's view of the database.
    pub const fn new(db: Database, workspace: WorkspaceId) -> Self {
        Self { db, workspace }
    }

    /// The workspace.
    pub const fn workspace(&self) -> WorkspaceId {
        self.workspace
    }

    /// The database it is in.
    pub const fn database(&self) -> &Database {
        &self.db
    }
}
