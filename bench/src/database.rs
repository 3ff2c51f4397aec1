//! A database made for one run.

use std::fmt;
use std::str::FromStr;

use bluetick::storage;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{AssertSqlSafe, ConnectOptions, Executor, PgPool, SqlitePool};
use tempfile::TempDir;

use crate::Result;
use crate::report::say;

/// Which database.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// PostgreSQL.
    Postgres,
    /// SQLite.
    Sqlite,
}

/// Connections to it.
#[derive(Clone)]
pub(crate) enum Pool {
    /// To PostgreSQL.
    Postgres(PgPool),
    /// To SQLite.
    Sqlite(SqlitePool),
}

/// A database that is removed at the end.
pub(crate) struct Database {
    /// Where it is.
    pub(crate) url: String,
    /// Its name, by which PostgreSQL's processes for it are told; none for SQLite, which has none.
    pub(crate) name: Option<String>,
    folder: Option<TempDir>,
}

/// Reads rows as tuples, by the statement and the values of whichever database it is.
macro_rules! rows {
    ($pool:expr, $postgres:expr, [$($p:expr),*], $sqlite:expr, [$($s:expr),*]) => {
        match $pool {
            $crate::database::Pool::Postgres(pool) => {
                sqlx::query_as($postgres)$(.bind($p))*.fetch_all(pool).await
            }
            $crate::database::Pool::Sqlite(pool) => sqlx::query_as($sqlite)$(.bind($s))*.fetch_all(pool).await,
        }
    };
}

pub(crate) use rows;

/// Connections that each server holds at most, as Bluetick does by default.
pub(crate) const CONNECTIONS: u32 = 16;

impl Database {
    /// Makes an empty one.
    pub(crate) async fn make(kind: Kind) -> Result<Self> {
        match kind {
            Kind::Sqlite => {
                let folder = tempfile::tempdir()?;
                let url = format!("sqlite://{}?mode=rwc", folder.path().join("bench.db").display());
                Ok(Self { url, name: None, folder: Some(folder) })
            }
            Kind::Postgres => {
                let name = format!("bench_{}", std::process::id());
                administer(&format!("CREATE DATABASE {name}")).await?;
                let url = PgConnectOptions::from_str(&admin_url())?.database(&name).to_url_lossy().to_string();
                Ok(Self { url, name: Some(name), folder: None })
            }
        }
    }

    /// Recounts everything with Bluetick's own `verify`, where that is wanted, and removes it.
    pub(crate) async fn finish(self, verify: bool) -> Result<()> {
        if verify {
            let storage = storage::Database::connect(&self.url, 2).await?;
            let found = storage::verify::run(&storage, |_| {}).await?;
            say(format!("verify: {} users recounted, {} differences", found.users, found.differences.len()));
            for difference in found.differences.iter().take(5) {
                say(format!("  {difference:?}"));
            }
        }
        self.remove().await
    }

    async fn remove(self) -> Result<()> {
        drop(self.folder);
        match self.name {
            Some(name) => administer(&format!("DROP DATABASE {name} WITH (FORCE)")).await,
            None => Ok(()),
        }
    }
}

impl Pool {
    /// Connects; `connections` at most.
    pub(crate) async fn connect(url: &str, connections: u32) -> Result<Self> {
        if url.starts_with("sqlite:") {
            let options = sqlite_options(url)?.synchronous(SqliteSynchronous::Full);
            let pool = SqlitePoolOptions::new().max_connections(connections).test_before_acquire(false);
            return Ok(Self::Sqlite(pool.connect_with(options).await?));
        }
        // A parallel worker's CPU time could not be told apart from others', so statements here have none.
        let options = PgConnectOptions::from_str(url)?
            .options([("max_parallel_workers_per_gather", "0"), ("plan_cache_mode", "force_generic_plan")]);
        let pool = PgPoolOptions::new().max_connections(connections).test_before_acquire(false);
        Ok(Self::Postgres(pool.connect_with(options.disable_statement_logging()).await?))
    }

    /// Runs statements without values, in one transaction on one connection.
    pub(crate) async fn run(&self, sql: String) -> Result<()> {
        match self {
            Self::Postgres(pool) => {
                let mut transaction = pool.begin().await?;
                transaction.execute(sqlx::raw_sql(AssertSqlSafe(sql))).await?;
                transaction.commit().await?;
            }
            Self::Sqlite(pool) => {
                let mut transaction = pool.begin().await?;
                transaction.execute(sqlx::raw_sql(AssertSqlSafe(sql))).await?;
                transaction.commit().await?;
            }
        }
        Ok(())
    }

    /// Runs one statement outside a transaction.
    pub(crate) async fn run_alone(&self, sql: &'static str) -> Result<()> {
        match self {
            Self::Postgres(pool) => pool.execute(sqlx::raw_sql(sql)).await.map(|_| ())?,
            Self::Sqlite(pool) => pool.execute(sqlx::raw_sql(sql)).await.map(|_| ())?,
        }
        Ok(())
    }

    /// Which database.
    pub(crate) const fn kind(&self) -> Kind {
        match self {
            Self::Postgres(_) => Kind::Postgres,
            Self::Sqlite(_) => Kind::Sqlite,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Postgres => "PostgreSQL",
            Self::Sqlite => "SQLite",
        })
    }
}

/// SQLite with the settings that Bluetick has.
pub(crate) fn sqlite_options(url: &str) -> Result<SqliteConnectOptions> {
    let options = SqliteConnectOptions::from_str(url)?.disable_statement_logging();
    let options = options.foreign_keys(true).busy_timeout(std::time::Duration::from_secs(10));
    Ok(options.pragma("journal_mode", "WAL").pragma("wal_autocheckpoint", "10000"))
}

async fn administer(sql: &str) -> Result<()> {
    let pool = PgPoolOptions::new().max_connections(1).connect(&admin_url()).await?;
    pool.execute(sqlx::raw_sql(AssertSqlSafe(sql.to_owned()))).await?;
    pool.close().await;
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "the one setting of the benchmark that may hold a password")]
fn admin_url() -> String {
    std::env::var("BENCH_DATABASE_URL").unwrap_or_else(|_| "postgres://root@127.0.0.1:5432/postgres".to_owned())
}
