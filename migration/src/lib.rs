//! Bluetick's database schema: one step a file, each with its way back, the same for PostgreSQL and SQLite.
//!
//! The database itself refuses what can never be right: a repeated key, a broken reference, a row against its rules.
//! Every constraint and index is called `<table>_<columns>_<kind>`, the kind being `pkey`, `fkey`, `key` (unique),
//! `check` or `idx`: PostgreSQL names primary keys and what stands with its column so by itself, and the rest is named
//! to match.
//!
//! References carry no index of their own. Only the deletion of a parent would use it, and no parent is ever deleted.
//!
//! What the columns mean is told in the crate `entity`. A released step is never edited: the next one mends it.

mod m0001_workspaces;
mod m0002_lines;
mod m0003_contacts;
mod m0004_conversations;
mod m0005_sends;
mod m0006_users;
mod m0007_deployments;
mod m0008_messages;
mod m0009_tally;
mod m0010_changes;
mod m0011_outbox;
mod m0012_parked;
mod m0013_lines;
mod m0014_contacts;
mod m0015_sends;
mod m0016_expiry;
mod m0017_outbox;
mod m0018_trimming;
mod m0019_personal_scope;
mod m0020_erasure;
mod m0021_audit;
mod m0022_stream_tokens;
mod m0023_inbound_rules;
mod m0024_sessions;
mod m0025_references;
mod step;

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::{
    DatabaseConnection, DatabaseTransaction, DbBackend, IsolationLevel, SqliteTransactionMode, TransactionOptions,
    TransactionTrait,
};

/// The lock under which the schema is changed. PostgreSQL numbers its advisory locks; any number of our own will do.
const LOCK: i64 = i64::from_be_bytes(*b"bluetick");

/// All steps, in order.
pub struct Migrator;

impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m0001_workspaces::STEP),
            Box::new(m0002_lines::STEP),
            Box::new(m0003_contacts::STEP),
            Box::new(m0004_conversations::STEP),
            Box::new(m0005_sends::STEP),
            Box::new(m0006_users::STEP),
            Box::new(m0007_deployments::STEP),
            Box::new(m0008_messages::STEP),
            Box::new(m0009_tally::STEP),
            Box::new(m0010_changes::STEP),
            Box::new(m0011_outbox::STEP),
            Box::new(m0012_parked::STEP),
            Box::new(m0013_lines::STEP),
            Box::new(m0014_contacts::STEP),
            Box::new(m0015_sends::STEP),
            Box::new(m0016_expiry::STEP),
            Box::new(m0017_outbox::STEP),
            Box::new(m0018_trimming::STEP),
            Box::new(m0019_personal_scope::STEP),
            Box::new(m0020_erasure::STEP),
            Box::new(m0021_audit::STEP),
            Box::new(m0022_stream_tokens::STEP),
            Box::new(m0023_inbound_rules::STEP),
            Box::new(m0024_sessions::STEP),
            Box::new(m0025_references::STEP),
        ]
    }
}

/// Brings the schema up to date: all missing steps or, where one fails, none of them.
///
/// Any number of nodes may start at once: the first takes the steps, the others wait and find nothing left to do.
/// SQLite's others wait as long as the connection's busy time-out lets them.
pub async fn run(db: &DatabaseConnection) -> Result<(), DbErr> {
    let transaction = begin_alone(db).await?;
    Migrator::up(&transaction, None).await?;
    transaction.commit().await
}

/// A transaction that is the only one of its kind. Both the lock and the steps are the transaction's, hence on one
/// connection, and both end with it, also when the node dies.
async fn begin_alone(db: &DatabaseConnection) -> Result<DatabaseTransaction, DbErr> {
    if db.get_database_backend() == DbBackend::Sqlite {
        let immediate = Some(SqliteTransactionMode::Immediate);
        return db
            .begin_with_options(TransactionOptions { sqlite_transaction_mode: immediate, ..Default::default() })
            .await;
    }
    // Under a stricter level, which a server may have as its default, all would be seen as it was before the lock.
    let transaction = db.begin_with_config(Some(IsolationLevel::ReadCommitted), None).await?;
    transaction.execute_unprepared(&format!("SELECT pg_advisory_xact_lock({LOCK})")).await?;
    Ok(transaction)
}
