//! Statements that write, or read under a lock: their parameters as they are collected.

use sea_orm::{DbBackend, Value};
use uuid::Uuid;

use super::dialect;

/// A statement's parameters as they are collected, for one database.
pub(super) struct Given {
    backend: DbBackend,
    values: Vec<Value>,
}

impl Given {
    pub(super) const fn new(backend: DbBackend) -> Self {
        Self { backend, values: Vec::new() }
    }

    /// One value; returns its placeholder.
    pub(super) fn value(&mut self, value: impl Into<Value>) -> String {
        self.values.push(value.into());
        format!("${}", self.values.len())
    }

    /// A condition: `column` is one of these ids.
    pub(super) fn any_id<T: Copy + Into<Uuid>>(&mut self, column: &str, ids: &[T]) -> String {
        if let [id] = ids {
            return format!("{column} = {}", self.value(Into::<Uuid>::into(*id)));
        }
        let list = self.value(dialect::ids(self.backend, ids.iter().map(|&id| id.into())));
        dialect::among_ids(self.backend, column, list)
    }

    /// A condition: `column` is one of these texts.
    pub(super) fn any_text(&mut self, column: &str, texts: &[&str]) -> String {
        let list = self.value(dialect::texts(self.backend, texts));
        dialect::among_texts(self.backend, column, list)
    }

    /// The collected statement.
    pub(super) fn statement(self, sql: impl Into<String>) -> sea_orm::Statement {
        sea_orm::Statement::from_sql_and_values(self.backend, sql, self.values)
    }
}
