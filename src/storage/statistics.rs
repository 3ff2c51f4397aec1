//! What PostgreSQL plans by: how large its tables are, and what is in them.
//!
//! PostgreSQL looks at its tables once a minute by itself. A plan that was made for an empty table may read all of a full one,
//! so whatever has grown to a multiple of what it was is looked at within seconds, which makes all its plans anew.

use std::time::Duration;

use sea_orm::{ConnectionTrait, DbBackend};
use tokio_util::sync::CancellationToken;

use super::query::Query;
use super::{Database, StorageError};
use crate::rounds::Rounds;

/// How often it is looked for tables that have grown.
const INTERVAL: Duration = Duration::from_secs(3);
/// To how many times of what it was a table must have grown.
const GROWTH: u32 = 4;
/// Tables with fewer rows are read in no time, whatever the plan.
const FEW_ROWS: u32 = 250;

/// Keeps statistics in step with tables that grow, until `shutdown`.
pub async fn keep(db: Database, shutdown: CancellationToken) {
    if db.backend() != DbBackend::Postgres {
        return;
    }
    let mut rounds = Rounds::every(INTERVAL, shutdown);
    while rounds.next().await {
        let work = async {
            if let Err(error) = refresh(&db).await {
                tracing::warn!(error = &error as &dyn std::error::Error, "PostgreSQL's statistics are not refreshed");
            }
        };
        rounds.unless_ended(work).await;
    }
}

/// Analyses the tables that have grown. One that another node, or PostgreSQL itself, is analysing is left out.
pub(super) async fn refresh(db: &Database) -> Result<(), StorageError> {
    for analyze in due(db).await? {
        db.writer().execute_unprepared(&analyze).await?;
    }
    Ok(())
}

/// The statements that analyse the tables that have grown since they were analysed last.
async fn due(db: &Database) -> Result<Vec<String>, StorageError> {
    let sql = format!(
        "SELECT quote_ident(s.relname) FROM pg_stat_user_tables s JOIN pg_class c ON c.oid = s.relid \
         WHERE s.schemaname = current_schema AND s.n_live_tup > {GROWTH} * greatest(c.reltuples, {FEW_ROWS})"
    );
    Query::anywhere(db).all(sql, |row| Ok(format!("ANALYZE (SKIP_LOCKED) {}", row.value::<String>()?))).await
}
