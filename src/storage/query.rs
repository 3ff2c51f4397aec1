//! Statements: SQL text with numbered placeholders, and the values bound to them.
//!
//! They are text rather than made by a query builder, because the exact text matters: one text for any number of keys, limits
//! that the planner sees, and row comparisons. Values are never part of the text. In every statement that reads tenant data
//! through a [`Tenant`], `$1` is the workspace. Both databases understand `$n`.

use std::fmt;

use sea_orm::prelude::Uuid;
use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, FromQueryResult, QueryResult, Statement, Value};

use super::row::Row;
use super::{Database, StorageError, Tenant, dialect};

/// A statement under construction: the connection it is for, and the values bound so far.
pub(super) struct Query<'d, C = DatabaseConnection> {
    connection: &'d C,
    values: Vec<Value>,
    /// Whether a list of keys that rows must be among is empty, so that the statement can affect no row.
    no_keys: bool,
}

/// The placeholder of a bound value.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place(usize);

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "${}", self.0)
    }
}

/// The condition that a row which is found by a key of its own belongs to a workspace. No index serves it in this form: the
/// planner might otherwise read all rows of the workspace to find a few of them.
pub(super) fn belongs(column: &str, workspace: impl fmt::Display) -> String {
    format!("({column} = {workspace}) IS TRUE")
}

impl<'d> Query<'d> {
    /// A read of a tenant's data, with the workspace as `$1`.
    pub(super) fn of(tenant: &'d Tenant) -> Self {
        let mut query = Self::anywhere(tenant.database());
        query.bind(tenant.workspace().0);
        query
    }

    /// A read that is not limited to a tenant: only for what serves the whole installation.
    pub(super) const fn anywhere(db: &'d Database) -> Self {
        Self::on(db.reader())
    }
}

impl<'d, C: ConnectionTrait> Query<'d, C> {
    /// A statement on a connection or in a transaction.
    pub(super) const fn on(connection: &'d C) -> Self {
        Self { connection, values: Vec::new(), no_keys: false }
    }

    /// The kind of database.
    pub(super) fn backend(&self) -> DbBackend {
        self.connection.get_database_backend()
    }

    /// Binds a value.
    pub(super) fn bind(&mut self, value: impl Into<Value>) -> Place {
        self.values.push(value.into());
        Place(self.values.len())
    }

    /// Binds ids as a single value.
    pub(super) fn bind_ids<K: Copy + Into<Uuid>>(&mut self, ids: &[K]) -> Place {
        self.no_keys |= ids.is_empty();
        let ids = dialect::ids(self.backend(), ids.iter().map(|&id| id.into()));
        self.bind(ids)
    }

    /// Pairs of an id and a name, as a source of rows: `pair.id` and `pair.name`.
    pub(super) fn bind_pairs<K: Copy + Into<Uuid>>(&mut self, pairs: &[(K, &str)]) -> String {
        self.no_keys |= pairs.is_empty();
        let pairs = pairs.iter().map(|&(id, name)| (id.into(), name));
        let places: Vec<_> = dialect::pairs(self.backend(), pairs).into_iter().map(|list| self.bind(list)).collect();
        dialect::rows_of_pairs(&places)
    }

    /// The condition that a column is one of these ids.
    pub(super) fn among<K: Copy + Into<Uuid>>(&mut self, column: &str, ids: &[K]) -> String {
        if let [id] = ids {
            // Most lists have one id, and an equality is cheaper to plan and to execute.
            return format!("{column} = {}", self.bind(Into::<Uuid>::into(*id)));
        }
        let ids = self.bind_ids(ids);
        dialect::among_ids(self.backend(), column, ids)
    }

    /// The condition that a column is none of these ids.
    pub(super) fn not_among<K: Copy + Into<Uuid>>(&mut self, column: &str, ids: &[K]) -> String {
        let no_keys = self.no_keys;
        let among = self.among(column, ids);
        // Every row is among none of no ids.
        self.no_keys = no_keys;
        format!("NOT {among}")
    }

    /// The condition that a column is one of these numbers.
    pub(super) fn among_numbers(&mut self, column: &str, numbers: &[i64]) -> String {
        self.no_keys |= numbers.is_empty();
        let numbers = dialect::numbers(self.backend(), numbers);
        let numbers = self.bind(numbers);
        dialect::among_values(self.backend(), column, numbers)
    }

    /// The condition that a column is one of these strings.
    pub(super) fn among_texts(&mut self, column: &str, texts: &[&str]) -> String {
        self.no_keys |= texts.is_empty();
        let texts = dialect::texts(self.backend(), texts);
        let texts = self.bind(texts);
        dialect::among_values(self.backend(), column, texts)
    }

    /// All rows. A statement about no keys finds nothing, so it is not sent.
    pub(super) async fn all<T>(
        self,
        sql: String,
        read: impl Fn(&mut Row<'_>) -> Result<T, StorageError>,
    ) -> Result<Vec<T>, StorageError> {
        let rows = self.rows(sql).await?;
        rows.iter().map(|row| read(&mut Row::new(row))).collect()
    }

    /// The first column of all rows, which is an id.
    pub(super) async fn ids<K: From<Uuid>>(self, sql: String) -> Result<Vec<K>, StorageError> {
        let rows = self.rows(sql).await?;
        rows.iter().map(|row| Row::new(row).id()).collect()
    }

    /// All rows of a `SELECT *`, read by the names of their columns.
    pub(super) async fn models<M: FromQueryResult>(self, sql: String) -> Result<Vec<M>, StorageError> {
        if self.no_keys {
            return Ok(Vec::new());
        }
        let connection = self.connection;
        Ok(M::find_by_statement(self.statement(sql)).all(connection).await?)
    }

    /// The first row, if there is one.
    pub(super) async fn first<T>(
        self,
        sql: String,
        read: impl Fn(&mut Row<'_>) -> Result<T, StorageError>,
    ) -> Result<Option<T>, StorageError> {
        let connection = self.connection;
        let row = connection.query_one_raw(self.statement(sql)).await?;
        row.map(|row| read(&mut Row::new(&row))).transpose()
    }

    /// The first column of the first row, which is a number; `None` if there is no row.
    pub(super) async fn number(self, sql: String) -> Result<Option<i64>, StorageError> {
        let connection = self.connection;
        let row = connection.query_one_raw(self.statement(sql)).await?;
        row.map(|row| Row::new(&row).value()).transpose()
    }

    /// Executes a write. Returns how many rows it affected.
    pub(super) async fn execute(self, sql: String) -> Result<u64, StorageError> {
        if self.no_keys {
            return Ok(0);
        }
        let connection = self.connection;
        Ok(connection.execute_raw(self.statement(sql)).await?.rows_affected())
    }

    async fn rows(self, sql: String) -> Result<Vec<QueryResult>, StorageError> {
        if self.no_keys {
            return Ok(Vec::new());
        }
        let connection = self.connection;
        Ok(connection.query_all_raw(self.statement(sql)).await?)
    }

    fn statement(self, sql: String) -> Statement {
        Statement::from_sql_and_values(self.backend(), sql, self.values)
    }
}
