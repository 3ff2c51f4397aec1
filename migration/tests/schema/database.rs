//! A database for one test alone. SQLite's is a file, since one in memory would have no write-ahead log and could not
//! be opened twice.

use std::sync::Arc;

use sea_orm::sqlx::sqlite::SqliteJournalMode;
use sea_orm::{ConnectOptions, ConnectionTrait, DatabaseConnection, DbBackend, DbErr};
use tempfile::TempDir;

/// Clones are the same database.
#[derive(Clone)]
pub(crate) enum Database {
    Sqlite(Arc<TempDir>),
    Postgres { server: String, name: String },
}

impl Database {
    /// Whether there is no server for it.
    pub(crate) fn is_missing(backend: DbBackend) -> bool {
        backend == DbBackend::Postgres && postgres_server().is_none()
    }

    /// An empty database; none where there is no server for it.
    pub(crate) async fn create(backend: DbBackend) -> Result<Option<Self>, DbErr> {
        if backend == DbBackend::Sqlite {
            let folder = TempDir::new().map_err(|cause| DbErr::Custom(cause.to_string()))?;
            return Ok(Some(Self::Sqlite(Arc::new(folder))));
        }
        let Some(server) = postgres_server() else { return Ok(None) };
        let name = format!("bluetick_test_{:016x}", rand::random::<u64>());
        execute_at(&server, &format!("CREATE DATABASE {name}")).await?;
        Ok(Some(Self::Postgres { server, name }))
    }

    /// A pool of its own, as another node would have.
    pub(crate) async fn connect(&self) -> Result<DatabaseConnection, DbErr> {
        let mut options = ConnectOptions::new(self.url());
        options.sqlx_logging(false).map_sqlx_sqlite_opts(|sqlite| sqlite.journal_mode(SqliteJournalMode::Wal));
        if let Self::Postgres { name, .. } = self {
            let name = name.clone();
            options.map_sqlx_postgres_opts(move |postgres| postgres.database(&name));
        }
        sea_orm::Database::connect(options).await
    }

    /// The same, with the schema in place.
    pub(crate) async fn migrated(&self) -> Result<DatabaseConnection, DbErr> {
        let db = self.connect().await?;
        migration::run(&db).await?;
        Ok(db)
    }

    /// Removes it, whoever is still connected. SQLite's file goes by itself, with the last clone.
    pub(crate) async fn remove(self) -> Result<(), DbErr> {
        match self {
            Self::Sqlite(_) => Ok(()),
            Self::Postgres { server, name } => execute_at(&server, &format!("DROP DATABASE {name} WITH (FORCE)")).await,
        }
    }

    fn url(&self) -> String {
        match self {
            Self::Sqlite(folder) => format!("sqlite://{}?mode=rwc", folder.path().join("test.db").display()),
            Self::Postgres { server, .. } => server.clone(),
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the server to test on is a setting of the tests, not of the product")]
fn postgres_server() -> Option<String> {
    std::env::var("TEST_DATABASE_URL").ok()
}

async fn execute_at(server: &str, sql: &str) -> Result<(), DbErr> {
    let db = sea_orm::Database::connect(server).await?;
    db.execute_unprepared(sql).await?;
    db.close().await
}
