//! Bulk writes: many rows in a statement whose text does not depend on their number, so that it is prepared only once.
//!
//! PostgreSQL takes an array per column, SQLite a single JSON document. The driver's arrays cannot contain nulls, so a null is
//! passed as a value that the column never has, and the statement turns it back into null.

use sea_orm::sea_query::{ArrayType, Value};
use sea_orm::{ConnectionTrait, DbBackend, DbErr, Statement};
use uuid::Uuid;

use crate::domain::clock::Timestamp;

/// A table that is written in bulk.
pub(super) struct Bulk {
    /// The table's name.
    pub(super) table: &'static str,
    /// Its columns, in the order of the data.
    pub(super) columns: &'static [(&'static str, Kind)],
    /// The columns of the key, separated by commas.
    pub(super) key: &'static str,
    /// What to do about a row that exists already.
    pub(super) on_conflict: OnConflict,
}

/// What to do about a row that exists already.
#[derive(Clone, Copy)]
pub(super) enum OnConflict {
    /// Overwrite all of its columns except the key.
    Overwrite,
    /// Keep it as it is, whichever unique constraint the new row violates.
    Keep,
}

/// The type of a column.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    Uuid,
    SmallInt,
    Int,
    BigInt,
    Text,
    Bool,
}

/// The value of a column.
#[derive(Debug, Clone)]
pub(super) enum Datum {
    Uuid(Option<Uuid>),
    Number(Option<i64>),
    Text(Option<String>),
    Bool(bool),
}

/// The most rows in a statement on SQLite: enough to make its fixed cost negligible, few enough to keep the parameter small.
const ROWS_PER_STATEMENT: usize = 2_000;

/// The most bytes of parameters in a statement on PostgreSQL. sqlx 0.9.0 does not turn off Nagle's algorithm, so whatever does
/// not fit into one TLS record of 16 KiB waits about 40 ms for the server's delayed acknowledgement. Many small statements are
/// much faster. This can be increased once sqlx sets `TCP_NODELAY`.
const BYTES_PER_STATEMENT: usize = 15_000;

/// Represents null in an array of numbers; no column contains this value.
const NO_NUMBER: i64 = i64::MIN;

impl Bulk {
    /// Inserts rows. Without rows, no statement is sent.
    pub(super) async fn write(&self, db: &impl ConnectionTrait, rows: &[Vec<Datum>]) -> Result<(), DbErr> {
        self.write_counted(db, rows).await.map(drop)
    }

    /// Inserts rows, and returns how many were written; those that were kept as they are do not count.
    pub(super) async fn write_counted(&self, db: &impl ConnectionTrait, rows: &[Vec<Datum>]) -> Result<u64, DbErr> {
        self.run(db, rows, &self.insert(db.get_database_backend())).await
    }

    /// Updates existing rows, in the listed columns only.
    pub(super) async fn overwrite(&self, db: &impl ConnectionTrait, rows: &[Vec<Datum>]) -> Result<(), DbErr> {
        self.run(db, rows, &self.update(db.get_database_backend())).await.map(drop)
    }

    async fn run(&self, db: &impl ConnectionTrait, rows: &[Vec<Datum>], sql: &str) -> Result<u64, DbErr> {
        let backend = db.get_database_backend();
        let chunks: Vec<_> = match backend {
            DbBackend::Sqlite => rows.chunks(ROWS_PER_STATEMENT).collect(),
            _ => chunks(rows, BYTES_PER_STATEMENT),
        };
        let mut affected = 0;
        for chunk in chunks {
            let values = match backend {
                DbBackend::Sqlite => vec![json(chunk)],
                _ => self.arrays(chunk),
            };
            affected += db.execute_raw(Statement::from_sql_and_values(backend, sql, values)).await?.rows_affected();
        }
        Ok(affected)
    }

    fn insert(&self, backend: DbBackend) -> String {
        let names: Vec<_> = self.columns.iter().map(|(name, _)| *name).collect();
        let conflict = match self.on_conflict {
            OnConflict::Keep => "DO NOTHING".to_owned(),
            OnConflict::Overwrite => format!("({}) DO UPDATE SET {}", self.key, self.sets("excluded")),
        };
        format!("INSERT INTO {} ({}) {} ON CONFLICT {conflict}", self.table, names.join(", "), self.source(backend))
    }

    fn update(&self, backend: DbBackend) -> String {
        let Self { table, key, .. } = self;
        let (sets, source) = (self.sets("given"), self.source(backend));
        format!("UPDATE {table} SET {sets} FROM ({source}) AS given WHERE {table}.{key} = given.{key}")
    }

    /// Assigns every column except the key from `source`.
    fn sets(&self, source: &str) -> String {
        let key: Vec<_> = self.key.split(", ").collect();
        let others = self.columns.iter().map(|(name, _)| *name).filter(|name| !key.contains(name));
        others.map(|name| format!("{name} = {source}.{name}")).collect::<Vec<_>>().join(", ")
    }

    /// The subquery that returns the rows.
    fn source(&self, backend: DbBackend) -> String {
        match backend {
            DbBackend::Sqlite => self.json_source(),
            _ => self.array_source(),
        }
    }

    fn json_source(&self) -> String {
        let value = |(at, (name, kind)): (usize, &(&str, Kind))| format!("{} AS {name}", kind.json_value(at));
        let values: Vec<_> = self.columns.iter().enumerate().map(value).collect();
        // SQLite requires a WHERE before ON CONFLICT, which it would otherwise parse as the ON of a join.
        format!("SELECT {} FROM json_each($1) WHERE true", values.join(", "))
    }

    fn array_source(&self) -> String {
        let columns = || self.columns.iter().enumerate();
        let value = |(at, (name, kind)): (usize, &(&str, Kind))| format!("{} AS {name}", kind.array_value(at));
        let values: Vec<_> = columns().map(value).collect();
        let arrays: Vec<_> = columns().map(|(at, (_, kind))| format!("${}::{}[]", at + 1, kind.array_type())).collect();
        let names: Vec<_> = columns().map(|(at, _)| format!("c{at}")).collect();
        format!("SELECT {} FROM UNNEST({}) AS given({})", values.join(", "), arrays.join(", "), names.join(", "))
    }

    fn arrays(&self, rows: &[Vec<Datum>]) -> Vec<Value> {
        let column = |(at, (_, kind)): (usize, &(&str, Kind))| {
            kind.array(rows.iter().filter_map(|row| row.get(at)).map(Datum::without_null).collect())
        };
        self.columns.iter().enumerate().map(column).collect()
    }
}

impl Kind {
    /// The SQLite expression for the value at an index of a JSON row.
    fn json_value(self, at: usize) -> String {
        match self {
            Self::Uuid => format!("unhex(value ->> {at})"),
            _ => format!("value ->> {at}"),
        }
    }

    /// The PostgreSQL expression for the value of an array's column, with nulls restored.
    fn array_value(self, at: usize) -> String {
        match self {
            Self::Uuid => format!("NULLIF(c{at}, '{}')", Uuid::nil()),
            Self::SmallInt => format!("NULLIF(c{at}, {NO_NUMBER})::smallint"),
            Self::Int => format!("NULLIF(c{at}, {NO_NUMBER})::int"),
            Self::BigInt => format!("NULLIF(c{at}, {NO_NUMBER})"),
            Self::Text => format!("substr(NULLIF(c{at}, ''), 2)"),
            Self::Bool => format!("c{at}"),
        }
    }

    const fn array_type(self) -> &'static str {
        match self {
            Self::Uuid => "uuid",
            Self::SmallInt | Self::Int | Self::BigInt => "bigint",
            Self::Text => "text",
            Self::Bool => "bool",
        }
    }

    fn array(self, values: Vec<Value>) -> Value {
        let kind = match self {
            Self::Uuid => ArrayType::Uuid,
            Self::SmallInt | Self::Int | Self::BigInt => ArrayType::BigInt,
            Self::Text => ArrayType::String,
            Self::Bool => ArrayType::Bool,
        };
        Value::Array(kind, Some(Box::new(values)))
    }
}

impl Datum {
    /// An id that is never null.
    pub(super) fn id(id: impl Into<Uuid>) -> Self {
        Self::Uuid(Some(id.into()))
    }

    /// A number that is never null.
    pub(super) fn number(number: impl Into<i64>) -> Self {
        Self::Number(Some(number.into()))
    }

    /// A number that may be null.
    pub(super) fn optional(number: Option<impl Into<i64>>) -> Self {
        Self::Number(number.map(Into::into))
    }

    /// A time that is never null.
    pub(super) const fn at(at: Timestamp) -> Self {
        Self::Number(Some(at.micros()))
    }

    /// A time that may be null.
    pub(super) fn optional_time(at: Option<Timestamp>) -> Self {
        Self::Number(at.map(Timestamp::micros))
    }

    /// A text that is never null.
    pub(super) fn text(text: impl Into<String>) -> Self {
        Self::Text(Some(text.into()))
    }

    /// Its size in a PostgreSQL array, in bytes.
    fn bytes(&self) -> usize {
        const LENGTH: usize = 4;
        LENGTH
            + match self {
                Self::Uuid(_) => 16,
                Self::Number(_) => 8,
                Self::Text(text) => text.as_ref().map_or(0, |text| text.len() + 1),
                Self::Bool(_) => 1,
            }
    }

    /// Its value as an element of a PostgreSQL array. Texts are prefixed with a character, so that an empty element means null.
    fn without_null(&self) -> Value {
        match self {
            Self::Uuid(uuid) => Value::Uuid(Some(uuid.unwrap_or_default())),
            Self::Number(number) => Value::BigInt(Some(number.unwrap_or(NO_NUMBER))),
            Self::Text(text) => Value::String(Some(text.as_ref().map_or_else(String::new, |text| format!("={text}")))),
            Self::Bool(bool) => Value::Bool(Some(*bool)),
        }
    }

    fn json(&self) -> serde_json::Value {
        match self {
            Self::Uuid(uuid) => uuid.map(|uuid| uuid.simple().to_string()).into(),
            Self::Number(number) => (*number).into(),
            Self::Text(text) => text.clone().into(),
            Self::Bool(bool) => (*bool).into(),
        }
    }
}

impl From<Option<i64>> for Datum {
    fn from(number: Option<i64>) -> Self {
        Self::Number(number)
    }
}

impl From<Option<i32>> for Datum {
    fn from(number: Option<i32>) -> Self {
        Self::optional(number)
    }
}

impl From<Option<i16>> for Datum {
    fn from(number: Option<i16>) -> Self {
        Self::optional(number)
    }
}

impl From<Option<String>> for Datum {
    fn from(text: Option<String>) -> Self {
        Self::Text(text)
    }
}

/// Splits rows into chunks of at most this many bytes, but at least one row.
fn chunks(mut rows: &[Vec<Datum>], bytes: usize) -> Vec<&[Vec<Datum>]> {
    let mut chunks = Vec::new();
    while !rows.is_empty() {
        let mut room = bytes;
        let fits = rows.iter().take_while(|row| {
            let size = row.iter().map(Datum::bytes).sum();
            let fits = room >= size;
            room = room.saturating_sub(size);
            fits
        });
        let (chunk, rest) = rows.split_at(fits.count().max(1));
        chunks.push(chunk);
        rows = rest;
    }
    chunks
}

fn json(rows: &[Vec<Datum>]) -> Value {
    let rows: Vec<Vec<_>> = rows.iter().map(|row| row.iter().map(Datum::json).collect()).collect();
    Value::String(Some(serde_json::Value::from(rows).to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_split_by_size_and_none_is_lost() {
        let row = |length: usize| vec![Datum::number(1), Datum::text("x".repeat(length))];
        let rows: Vec<_> = [10, 10, 10, 500, 10, 10].map(row).into();
        let sizes: Vec<_> = chunks(&rows, 60).iter().map(|chunk| chunk.len()).collect();
        assert_eq!(sizes, [2, 1, 1, 2]);
        assert!(chunks(&[], 60).is_empty());
    }
}
