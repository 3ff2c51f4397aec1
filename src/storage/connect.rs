//! Connections: pools, their settings, and transactions.
//!
//! SQLite has one writer, so it gets a pool of one connection for writing and another for reading; PostgreSQL has one pool.

use std::time::Duration;

use sea_orm::{
    AccessMode, ConnectOptions, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, IsolationLevel, RuntimeErr,
    SqliteTransactionMode, TransactionOptions, TransactionTrait,
};

use super::StorageError;

/// How long a statement waits for SQLite's writer before it fails.
const SQLITE_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a request waits for a connection to PostgreSQL before it fails. While the server is away, every request does.
const POSTGRES_TIMEOUT: Duration = Duration::from_secs(3);

/// The database, connected.
#[derive(Clone)]
pub struct Database {
    reader: DatabaseConnection,
    writer: DatabaseConnection,
}

impl Database {
    /// Connects to `sqlite://…` or `postgres://…` with up to `connections` connections.
    pub async fn connect(url: &str, connections: u32) -> Result<Self, StorageError> {
        let reader = open(url, connections).await?;
        let writer = match reader.get_database_backend() {
            DbBackend::Sqlite => open(url, 1).await?,
            _ => reader.clone(),
        };
        Ok(Self { reader, writer })
    }

    /// Brings the schema up to date, under a lock: several nodes may start at once.
    pub async fn migrate(&self) -> Result<(), StorageError> {
        Ok(migration::run(&self.writer).await?)
    }

    /// Where reads go.
    pub(super) const fn reader(&self) -> &DatabaseConnection {
        &self.reader
    }

    /// Where single-statement writes go.
    pub(super) const fn writer(&self) -> &DatabaseConnection {
        &self.writer
    }

    pub(super) fn backend(&self) -> DbBackend {
        self.reader.get_database_backend()
    }

    /// Whether the database answers.
    pub async fn ping(&self) -> Result<(), StorageError> {
        Ok(self.reader.ping().await?)
    }

    /// Begins a transaction that writes. On SQLite it holds the only writer from its first moment, so that it never fails
    /// half-way for having read first.
    pub(super) async fn begin(&self) -> Result<DatabaseTransaction, DbErr> {
        let options = TransactionOptions {
            isolation_level: None,
            access_mode: None,
            sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
        };
        self.writer.begin_with_options(options).await
    }

    /// Lets a test see every statement that is read with.
    #[cfg(test)]
    pub(super) fn observe(&mut self, see: impl Fn(&sea_orm::Statement) + Send + Sync + 'static) {
        self.reader.set_metric_callback(move |info| see(info.statement));
    }

    /// Begins a transaction in which all reads see one instant.
    pub(super) async fn snapshot(&self) -> Result<DatabaseTransaction, DbErr> {
        match self.backend() {
            // Its transactions always do.
            DbBackend::Sqlite => self.reader.begin().await,
            _ => self.reader.begin_with_config(Some(IsolationLevel::RepeatableRead), Some(AccessMode::ReadOnly)).await,
        }
    }
}

async fn open(url: &str, connections: u32) -> Result<DatabaseConnection, StorageError> {
    let timeout = if url.starts_with("sqlite:") { SQLITE_TIMEOUT } else { POSTGRES_TIMEOUT };
    let mut options = ConnectOptions::new(url);
    options
        .max_connections(connections)
        .acquire_timeout(timeout)
        .connect_timeout(timeout)
        .test_before_acquire(false)
        .sqlx_logging(false)
        // Statements have one text for any values, and one plan serves them all. Planning anew, which PostgreSQL prefers
        // where it guesses a little less work, was measured to cost more than reading a page.
        .map_sqlx_postgres_opts(|options| options.options([("plan_cache_mode", "force_generic_plan")]))
        .map_sqlx_sqlite_opts(|options| {
            options
                .foreign_keys(true)
                .busy_timeout(SQLITE_TIMEOUT)
                .pragma("journal_mode", "WAL")
                // With group commit the full safety costs nothing: what is acknowledged survives a power cut.
                .pragma("synchronous", "FULL")
                // Fewer, larger checkpoints: measured 1.6 to 2.8 times the writes of the default 1,000 pages.
                .pragma("wal_autocheckpoint", "10000")
                // In KiB, for each connection that comes to need so much.
                .pragma("cache_size", "-16384")
        });
    sea_orm::Database::connect(options).await.map_err(|error| match error {
        // It repeats the URL, and with it the password.
        DbErr::Conn(RuntimeErr::Internal(_)) => StorageError::Url,
        error => error.into(),
    })
}
