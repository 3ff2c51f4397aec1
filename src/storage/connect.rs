//! Connections: pools, their settings, and transactions.
//!
//! SQLite allows a single writer, so it has a pool with one connection for writing, and another pool for reading. PostgreSQL has
//! one pool.

use std::time::Duration;

use sea_orm::{
    AccessMode, ConnectOptions, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, IsolationLevel, RuntimeErr,
    SqliteTransactionMode, TransactionOptions, TransactionTrait,
};

use super::StorageError;

/// The least time that a server's statement may take: background work is done in larger pieces than requests are.
const MIN_STATEMENT_LIMIT: Duration = Duration::from_secs(10);
/// How long to wait for SQLite's single writer.
const SQLITE_TIMEOUT: Duration = Duration::from_secs(10);
/// How long to wait for a connection to PostgreSQL. While the server is unavailable, every request waits this long.
const POSTGRES_TIMEOUT: Duration = Duration::from_secs(3);

/// A connected database. Cheap to clone.
#[derive(Clone)]
pub struct Database {
    reader: DatabaseConnection,
    writer: DatabaseConnection,
}

impl Database {
    /// Connects to `sqlite://…` or `postgres://…` with up to `connections` connections.
    pub async fn connect(url: &str, connections: u32) -> Result<Self, StorageError> {
        Self::open(url, connections, None).await
    }

    /// The same for a server, whose statements PostgreSQL cancels after so long: also those of an operation that nobody waits
    /// for any more.
    pub async fn connect_serving(url: &str, connections: u32, limit: Duration) -> Result<Self, StorageError> {
        Self::open(url, connections, Some(limit.max(MIN_STATEMENT_LIMIT))).await
    }

    async fn open(url: &str, connections: u32, limit: Option<Duration>) -> Result<Self, StorageError> {
        let reader = open(url, connections, limit).await?;
        let writer = match reader.get_database_backend() {
            DbBackend::Sqlite => open(url, 1, limit).await?,
            _ => reader.clone(),
        };
        Ok(Self { reader, writer })
    }

    /// Brings the schema up to date. Several nodes may do so at the same time.
    pub async fn migrate(&self) -> Result<(), StorageError> {
        Ok(migration::run(&self.writer).await?)
    }

    /// The connections for reads.
    pub(super) const fn reader(&self) -> &DatabaseConnection {
        &self.reader
    }

    /// The connections for writes of a single statement.
    pub(super) const fn writer(&self) -> &DatabaseConnection {
        &self.writer
    }

    pub(super) fn backend(&self) -> DbBackend {
        self.reader.get_database_backend()
    }

    /// Whether several transactions may write at the same time.
    pub fn writes_side_by_side(&self) -> bool {
        self.backend() == DbBackend::Postgres
    }

    /// How many connections to PostgreSQL are in use, and idle.
    pub fn connections(&self) -> Option<(usize, usize)> {
        if self.backend() != DbBackend::Postgres {
            return None;
        }
        let pool = self.reader.get_postgres_connection_pool();
        let (all, idle) = (pool.size() as usize, pool.num_idle());
        Some((all.saturating_sub(idle), idle))
    }

    /// Checks that the database answers.
    pub async fn ping(&self) -> Result<(), StorageError> {
        Ok(self.reader.ping().await?)
    }

    /// Begins a writing transaction. On SQLite it takes the writer's lock immediately, so that it cannot fail later when its
    /// first write follows a read.
    pub(super) async fn begin(&self) -> Result<DatabaseTransaction, DbErr> {
        let options = TransactionOptions {
            isolation_level: None,
            access_mode: None,
            sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
        };
        self.writer.begin_with_options(options).await
    }

    /// Lets a test observe all statements.
    #[cfg(test)]
    pub(crate) fn observe(&mut self, see: impl Fn(&sea_orm::Statement) + Clone + Send + Sync + 'static) {
        for connection in [&mut self.reader, &mut self.writer] {
            let see = see.clone();
            connection.set_metric_callback(move |info| see(info.statement));
        }
    }

    /// Begins a transaction in which all reads see the same snapshot.
    pub(super) async fn snapshot(&self) -> Result<DatabaseTransaction, DbErr> {
        match self.backend() {
            // Transactions of SQLite always do.
            DbBackend::Sqlite => self.reader.begin().await,
            _ => self.reader.begin_with_config(Some(IsolationLevel::RepeatableRead), Some(AccessMode::ReadOnly)).await,
        }
    }
}

/// A statement has the same text for all values, and one plan suits them all. Replanning, which PostgreSQL does if it expects
/// slightly less work, was measured to cost more than reading a page.
///
/// A node that vanishes without closing its connections, or is suspended, must not hold its locks for long.
const POSTGRES_OPTIONS: [(&str, &str); 6] = [
    ("plan_cache_mode", "force_generic_plan"),
    ("jit", "off"),
    ("idle_in_transaction_session_timeout", "5s"),
    ("tcp_keepalives_idle", "10"),
    ("tcp_keepalives_interval", "5"),
    ("tcp_keepalives_count", "3"),
];

async fn open(url: &str, connections: u32, limit: Option<Duration>) -> Result<DatabaseConnection, StorageError> {
    // A server never means to read a whole table. A plan that does so because the table was small, or empty, when it was made
    // stays in use while the table grows.
    let serving = limit
        .map(|limit| [("statement_timeout", format!("{}ms", limit.as_millis())), ("enable_seqscan", "off".to_owned())]);
    let timeout = if url.starts_with("sqlite:") { SQLITE_TIMEOUT } else { POSTGRES_TIMEOUT };
    let mut options = ConnectOptions::new(url);
    options
        .max_connections(connections)
        .acquire_timeout(timeout)
        .connect_timeout(timeout)
        .test_before_acquire(false)
        .sqlx_logging(false)
        .map_sqlx_postgres_opts(move |options| {
            options.options(POSTGRES_OPTIONS).options(serving.clone().into_iter().flatten())
        })
        .map_sqlx_sqlite_opts(|options| {
            options
                .foreign_keys(true)
                .busy_timeout(SQLITE_TIMEOUT)
                .pragma("journal_mode", "WAL")
                // What is acknowledged survives a power failure. With group commit this costs nothing.
                .pragma("synchronous", "FULL")
                // Fewer, larger checkpoints: measured 1.6 to 2.8 times the writes of the default 1,000 pages.
                .pragma("wal_autocheckpoint", "10000")
                // In KiB, and per connection that needs this much.
                .pragma("cache_size", "-16384")
        });
    sea_orm::Database::connect(options).await.map_err(|error| match error {
        // The error contains the URL, including the password.
        DbErr::Conn(RuntimeErr::Internal(_)) => StorageError::Url,
        error => error.into(),
    })
}
