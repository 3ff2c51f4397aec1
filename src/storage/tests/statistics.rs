//! Tables that have grown are analysed.

use std::time::Duration;

use sea_orm::{ConnectionTrait, DbBackend, Statement};

use super::on_both_databases;
use super::seed::Seed;
use crate::storage::{Database, statistics};

on_both_databases!(what_has_grown_is_analysed_at_once,);

/// The rows of a table that grows from nothing.
const ROWS: u32 = 2_000;
/// How often to look again: PostgreSQL counts changes some time after they were made.
const PATIENCE: u32 = 600;

async fn what_has_grown_is_analysed_at_once(db: Database) {
    if db.backend() != DbBackend::Postgres {
        // SQLite plans by rules alone, so there is nothing to do, and that comes to an end by itself.
        return statistics::keep(db, tokio_util::sync::CancellationToken::new()).await;
    }
    let workspace = Seed::new(&db).await.workspace();
    let sql = format!(
        "INSERT INTO contacts (id, workspace_id, phone, created_at) \
         SELECT gen_random_uuid(), '{workspace}', n::text, 0 FROM generate_series(1, {ROWS}) n"
    );
    db.writer().execute_unprepared(&sql).await.unwrap();
    for _ in 0..PATIENCE {
        statistics::refresh(&db).await.unwrap();
        if planned_rows(&db).await >= f64::from(ROWS) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("contacts have grown and were not analysed");
}

async fn planned_rows(db: &Database) -> f64 {
    let sql = "SELECT reltuples::float8 AS rows FROM pg_class WHERE relname = 'contacts'";
    let row = db.writer().query_one_raw(Statement::from_string(DbBackend::Postgres, sql)).await.unwrap().unwrap();
    row.try_get("", "rows").unwrap()
}
