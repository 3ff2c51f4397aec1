//! A fresh database for one test, gone after it.

use std::panic::{AssertUnwindSafe, resume_unwind};

use futures_util::FutureExt;
use sea_orm::ConnectionTrait;
use tokio::runtime::Runtime;

use crate::domain::id::new_key;
use crate::storage::Database;

/// As few as make a test wait for a connection, were one not given back.
const CONNECTIONS: u32 = 4;

pub(super) fn run_on_sqlite<F: Future<Output = ()>>(test: fn(Database) -> F) {
    // In a file, since a database in memory has no write-ahead log.
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}?mode=rwc", folder.path().join("test.db").display());
    Runtime::new().unwrap().block_on(async { test(migrated(&url).await).await });
}

pub(super) fn run_on_postgres<F: Future<Output = ()>>(test: fn(Database) -> F) {
    let server = server();
    let name = format!("bluetick_storage_{}", new_key().simple());
    let (address, _) = server.rsplit_once('/').unwrap();
    Runtime::new().unwrap().block_on(async {
        at(&server, &format!("CREATE DATABASE {name}")).await;
        let url = format!("{address}/{name}");
        let outcome = AssertUnwindSafe(async { test(migrated(&url).await).await }).catch_unwind().await;
        at(&server, &format!("DROP DATABASE {name} WITH (FORCE)")).await;
        outcome.unwrap_or_else(|panic| resume_unwind(panic));
    });
}

async fn migrated(url: &str) -> Database {
    let db = Database::connect(url, CONNECTIONS).await.unwrap();
    db.migrate().await.unwrap();
    db
}

#[expect(clippy::disallowed_methods, reason = "the server to test on is a setting of the tests, not of the product")]
fn server() -> String {
    std::env::var("TEST_DATABASE_URL").expect("TEST_DATABASE_URL names a PostgreSQL server and a database on it")
}

async fn at(server: &str, sql: &str) {
    let db = sea_orm::Database::connect(server).await.unwrap();
    db.execute_unprepared(sql).await.unwrap();
    db.close().await.unwrap();
}
