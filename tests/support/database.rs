//! A database for a single test.

use std::sync::Arc;

use reqwest::Url;
use sea_orm::{ConnectionTrait, DatabaseConnection, Statement};
use tempfile::TempDir;

/// The kinds of database that Bluetick runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Sqlite,
    Postgres,
}

/// A fresh database. Clones are the same.
#[derive(Clone)]
pub(crate) struct Database {
    kind: Kind,
    url: String,
    /// The folder of SQLite's file. It must be a file, since a database in memory has no write-ahead log. It is removed with
    /// the last clone.
    _folder: Option<Arc<TempDir>>,
}

impl Kind {
    /// Why no database of this kind is available, if so.
    pub(crate) fn missing(self) -> Option<&'static str> {
        let missing = self == Self::Postgres && server().is_none();
        missing.then_some("needs PostgreSQL: run scripts/test, or set TEST_DATABASE_URL")
    }

    /// Whether it must not be missing.
    pub(crate) fn is_required(self) -> bool {
        self == Self::Postgres && variable("BLUETICK_TEST_REQUIRE").as_deref() == Some("postgres")
    }

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::Postgres => "postgres",
        }
    }
}

impl Database {
    /// An empty database, without any table.
    pub(crate) async fn create(kind: Kind) -> Self {
        match kind {
            Kind::Sqlite => {
                let folder = TempDir::new().unwrap();
                let url = format!("sqlite://{}?mode=rwc", folder.path().join("test.db").display());
                Self { kind, url, _folder: Some(Arc::new(folder)) }
            }
            Kind::Postgres => {
                let server = server().expect("TEST_DATABASE_URL");
                let name = format!("bluetick_test_{:016x}", rand::random::<u64>());
                execute(&server, &format!("CREATE DATABASE {name}")).await;
                let mut url = Url::parse(&server).expect("TEST_DATABASE_URL is a URL");
                url.set_path(&name);
                Self { kind, url: url.into(), _folder: None }
            }
        }
    }

    /// The database of a server of the test's own.
    pub(crate) const fn of_server(url: String) -> Self {
        Self { kind: Kind::Postgres, url, _folder: None }
    }

    /// Its URL.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// How many rows a statement counts.
    pub(crate) async fn count(&self, sql: &str) -> i64 {
        let db = self.connect().await;
        let row = db.query_one_raw(Statement::from_string(db.get_database_backend(), sql)).await.unwrap();
        let count = row.expect("a count is a row").try_get_by_index(0).unwrap();
        db.close().await.unwrap();
        count
    }

    /// A separate connection.
    pub(crate) async fn connect(&self) -> DatabaseConnection {
        sea_orm::Database::connect(&self.url).await.unwrap()
    }

    /// Removes it, even if there are connections.
    pub(crate) async fn remove(self) {
        if self.kind == Kind::Postgres {
            let name = Url::parse(&self.url).unwrap().path().trim_start_matches('/').to_owned();
            execute(&server().unwrap(), &format!("DROP DATABASE {name} WITH (FORCE)")).await;
        }
    }
}

async fn execute(url: &str, sql: &str) {
    let db = sea_orm::Database::connect(url).await.expect("TEST_DATABASE_URL names a PostgreSQL server that answers");
    db.execute_unprepared(sql).await.unwrap();
    db.close().await.unwrap();
}

fn server() -> Option<String> {
    variable("TEST_DATABASE_URL")
}

#[expect(clippy::disallowed_methods, reason = "where to test is a setting of the tests, not of the product")]
pub(crate) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}
