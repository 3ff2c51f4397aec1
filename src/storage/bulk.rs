//! Many rows in one statement, of a text that does not depend on how many, so that both databases prepare it once.
//!
//! PostgreSQL takes one array per column, SQLite one JSON document. Drivers' arrays cannot hold nulls, so there a null
//! travels as a value that the column's type never has, and becomes null again in the statement.

use sea_orm::sea_query::{ArrayType, Value};
use sea_orm::{ConnectionTrait, DbBackend, DbErr, Statement};
use uuid::Uuid;

use crate::domain::clock::Timestamp;

/// A table to be written in bulk.
pub(super) struct Bulk {
    /// The table's name.
    pub(super) table: &'static str,
    /// Its columns, in the order of the data.
    pub(super) columns: &'static [(&'static str, Kind)],
    /// The key's columns.
    pub(super) key: &'static str,
    /// What happens to a row that exists already.
    pub(super) on_conflict: OnConflict,
}

/// What happens to a row that exists already.
#[derive(Clone, Copy)]
pub(super) enum OnConflict {
    /// All its columns but the key's are overwritten.
    Overwrite,
    /// It stays as it is, whatever uniqueness it breaks.
    Keep,
}

/// What a column holds.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    Uuid,
    SmallInt,
    Int,
    BigInt,
    Text,
    Bool,
}

/// One value of a row.
#[derive(Debug, Clone)]
pub(super) enum Datum {
    Uuid(Option<Uuid>),
    Number(Option<i64>),
    Text(Option<String>),
    Bool(bool),
}

/// How many rows go into one statement on SQLite: enough that its cost is the rows', few enough that no parameter grows huge.
const ROWS_PER_STATEMENT: usize = 2_000;

/// How many bytes of parameters go into one statement on PostgreSQL. sqlx 0.9.0 leaves Nagle's algorithm on, and what does
/// not fit one TLS record of 16 KiB then waits some 40 ms for the server's delayed acknowledgement; many small statements
/// are faster by far. Once a release sets `TCP_NODELAY`, this can grow.
const BYTES_PER_STATEMENT: usize = 15_000;

/// Stands for null in an array of numbers; no column has it.
const NO_NUMBER: i64 = i64::MIN;

impl Bulk {
    /// Inserts the rows; nothing for none.
    pub(super) async fn write(&self, db: &impl ConnectionTrait, rows: &[Vec<Datum>]) -> Result<(), DbErr> {
        self.run(db, rows, &self.insert(db.get_database_backend())).await
    }

    /// Overwrites rows that exist, in the columns named here and no others.
    pub(super) async fn overwrite(&self, db: &impl ConnectionTrait, rows: &[Vec<Datum>]) -> Result<(), DbErr> {
        self.run(db, rows, &self.update(db.get_database_backend())).await
    }

    async fn run(&self, db: &impl ConnectionTrait, rows: &[Vec<Datum>], sql: &str) -> Result<(), DbErr> {
        let backend = db.get_database_backend();
        let chunks: Vec<_> = match backend {
            DbBackend::Sqlite => rows.chunks(ROWS_PER_STATEMENT).collect(),
            _ => chunks(rows, BYTES_PER_STATEMENT),
        };
        for chunk in chunks {
            let values = match backend {
                DbBackend::Sqlite => vec![json(chunk)],
                _ => self.arrays(chunk),
            };
            db.execute_raw(Statement::from_sql_and_values(backend, sql, values)).await?;
        }
        Ok(())
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

    /// Every column but the key's, set to what a source has.
    fn sets(&self, source: &str) -> String {
        let key: Vec<_> = self.key.split(", ").collect();
        let others = self.columns.iter().map(|(name, _)| *name).filter(|name| !key.contains(name));
        others.map(|name| format!("{name} = {source}.{name}")).collect::<Vec<_>>().join(", ")
    }

    /// The rows as a query.
    fn source(&self, backend: DbBackend) -> String {
        match backend {
            DbBackend::Sqlite => self.json_source(),
            _ => self.array_source(),
        }
    }

    fn json_source(&self) -> String {
        let value = |(at, (name, kind)): (usize, &(&str, Kind))| format!("{} AS {name}", kind.json_value(at));
        let values: Vec<_> = self.columns.iter().enumerate().map(value).collect();
        // SQLite wants a WHERE before ON CONFLICT, to tell it from a join's ON.
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
    /// The value at a place of a JSON row, as SQLite reads it.
    fn json_value(self, at: usize) -> String {
        match self {
            Self::Uuid => format!("unhex(value ->> {at})"),
            _ => format!("value ->> {at}"),
        }
    }

    /// The value of an array's column, as PostgreSQL reads it, with its null restored.
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
    /// A key.
    pub(super) fn id(id: impl Into<Uuid>) -> Self {
        Self::Uuid(Some(id.into()))
    }

    /// A number that is always there.
    pub(super) fn number(number: impl Into<i64>) -> Self {
        Self::Number(Some(number.into()))
    }

    /// A number that may be null.
    pub(super) fn optional(number: Option<impl Into<i64>>) -> Self {
        Self::Number(number.map(Into::into))
    }

    /// A time.
    pub(super) const fn at(at: Timestamp) -> Self {
        Self::Number(Some(at.micros()))
    }

    /// A time that may be null.
    pub(super) fn optional_time(at: Option<Timestamp>) -> Self {
        Self::Number(at.map(Timestamp::micros))
    }

    /// A text that is always there.
    pub(super) fn text(text: impl Into<String>) -> Self {
        Self::Text(Some(text.into()))
    }

    /// How many bytes it takes in a PostgreSQL array.
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

    /// As an element of a PostgreSQL array: a text has one character before it, so that the empty array element is null.
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

/// The rows in parts of at most so many bytes, and of at least one row.
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
    fn rows_are_parted_by_their_bytes_and_none_is_lost() {
        let row = |length: usize| vec![Datum::number(1), Datum::text("x".repeat(length))];
        let rows: Vec<_> = [10, 10, 10, 500, 10, 10].map(row).into();
        let sizes: Vec<_> = chunks(&rows, 60).iter().map(|chunk| chunk.len()).collect();
        assert_eq!(sizes, [2, 1, 1, 2]);
        assert!(chunks(&[], 60).is_empty());
    }
}
