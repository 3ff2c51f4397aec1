//! Statements that read, as text with numbered places for their values.
//!
//! SQL rather than a query builder: pages and filters are built for every request, and what is measured to matter (one
//! text for any number of keys, limits that the planner sees, row comparisons) is a matter of the very text. Values are
//! never part of it. `$1` is the workspace in every statement about a tenant, and both databases understand `$n`.

use std::fmt;

use sea_orm::prelude::Uuid;
use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, Statement, Value};

use super::row::Row;
use super::{Database, StorageError, Tenant, dialect};

/// A statement in the making: where it goes and the values it has so far.
pub(super) struct Query<'d> {
    connection: &'d DatabaseConnection,
    values: Vec<Value>,
    vain: bool,
}

/// The place of a value in a statement's text.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place(usize);

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "${}", self.0)
    }
}

impl<'d> Query<'d> {
    /// About a tenant, whose workspace is `$1`.
    pub(super) fn of(tenant: &'d Tenant) -> Self {
        let mut query = Self::anywhere(tenant.database());
        query.bind(tenant.workspace().0);
        query
    }

    /// About no tenant: only for what watches, or serves, the whole installation.
    pub(super) const fn anywhere(db: &'d Database) -> Self {
        Self { connection: db.reader(), values: Vec::new(), vain: false }
    }

    /// Which database it is for.
    pub(super) fn backend(&self) -> DbBackend {
        self.connection.get_database_backend()
    }

    /// Adds a value.
    pub(super) fn bind(&mut self, value: impl Into<Value>) -> Place {
        self.values.push(value.into());
        Place(self.values.len())
    }

    /// Adds ids as one value.
    pub(super) fn bind_ids<K: Copy + Into<Uuid>>(&mut self, ids: &[K]) -> Place {
        self.vain |= ids.is_empty();
        let ids = dialect::ids(self.backend(), ids.iter().map(|&id| id.into()));
        self.bind(ids)
    }

    /// That a column is one of these ids.
    pub(super) fn among<K: Copy + Into<Uuid>>(&mut self, column: &str, ids: &[K]) -> String {
        if let [id] = ids {
            // Most lists have one, which is planned and read for less.
            return format!("{column} = {}", self.bind(Into::<Uuid>::into(*id)));
        }
        let ids = self.bind_ids(ids);
        dialect::among_ids(self.backend(), column, ids)
    }

    /// That a column is one of these numbers.
    pub(super) fn among_numbers(&mut self, column: &str, numbers: &[i64]) -> String {
        self.vain |= numbers.is_empty();
        let numbers = dialect::numbers(self.backend(), numbers);
        let numbers = self.bind(numbers);
        dialect::among_numbers(self.backend(), column, numbers)
    }

    /// Every row. A statement about no keys finds nothing, so it is not sent.
    pub(super) async fn all<T>(
        self,
        sql: String,
        read: impl Fn(&mut Row<'_>) -> Result<T, StorageError>,
    ) -> Result<Vec<T>, StorageError> {
        if self.vain {
            return Ok(Vec::new());
        }
        let connection = self.connection;
        let rows = connection.query_all_raw(self.statement(sql)).await?;
        rows.iter().map(|row| read(&mut Row::new(row))).collect()
    }

    /// The one number that a statement counts.
    pub(super) async fn number(self, sql: String) -> Result<i64, StorageError> {
        let connection = self.connection;
        let row = connection.query_one_raw(self.statement(sql)).await?;
        row.map_or(Ok(0), |row| Row::new(&row).value())
    }

    fn statement(self, sql: String) -> Statement {
        Statement::from_sql_and_values(self.backend(), sql, self.values)
    }
}
