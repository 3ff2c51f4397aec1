//! Lists of keys as one parameter, so that a statement's text does not depend on how many there are.

use sea_orm::DbBackend;
use sea_orm::sea_query::{ArrayType, Value};
use uuid::Uuid;

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
        match self.backend {
            DbBackend::Sqlite => {
                let ids: Vec<_> = ids.iter().map(|&id| id.into().simple().to_string()).collect();
                let list = self.value(serde_json::Value::from(ids).to_string());
                format!("{column} IN (SELECT unhex(value) FROM json_each({list}))")
            }
            _ => {
                let ids = ids.iter().map(|&id| Value::Uuid(Some(id.into()))).collect();
                let list = self.value(Value::Array(ArrayType::Uuid, Some(Box::new(ids))));
                format!("{column} = ANY({list})")
            }
        }
    }

    /// A condition: `column` is one of these texts.
    pub(super) fn any_text(&mut self, column: &str, texts: &[&str]) -> String {
        match self.backend {
            DbBackend::Sqlite => {
                let list = self.value(serde_json::Value::from(texts.to_vec()).to_string());
                format!("{column} IN (SELECT value FROM json_each({list}))")
            }
            _ => {
                let texts = texts.iter().map(|&text| Value::String(Some(text.to_owned()))).collect();
                let list = self.value(Value::Array(ArrayType::String, Some(Box::new(texts))));
                format!("{column} = ANY({list})")
            }
        }
    }

    /// The collected statement.
    pub(super) fn statement(self, sql: impl Into<String>) -> sea_orm::Statement {
        sea_orm::Statement::from_sql_and_values(self.backend, sql, self.values)
    }
}
