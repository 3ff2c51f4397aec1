//! What must differ between SQLite and PostgreSQL, side by side.
//!
//! Lists are one value in both, so that a statement has one text whatever the number of keys: an array in PostgreSQL, a
//! JSON array in SQLite, where ids are blobs and so travel as hexadecimal digits.

use std::fmt::Display;

use sea_orm::prelude::Uuid;
use sea_orm::sea_query::ArrayType;
use sea_orm::{DbBackend, Value};

use super::pages::Parts;
use super::query::Place;

/// A list of ids as one value.
pub(super) fn ids(backend: DbBackend, ids: impl Iterator<Item = Uuid>) -> Value {
    match backend {
        DbBackend::Sqlite => json(ids.map(|id| id.simple().to_string())),
        _ => array(ArrayType::Uuid, ids.map(Value::from)),
    }
}

/// A list of numbers as one value.
pub(super) fn numbers(backend: DbBackend, numbers: &[i64]) -> Value {
    match backend {
        DbBackend::Sqlite => json(numbers.iter().copied()),
        _ => array(ArrayType::BigInt, numbers.iter().map(|&number| Value::from(number))),
    }
}

/// That a column is one of a list of ids.
pub(super) fn among_ids(backend: DbBackend, column: &str, ids: impl Display) -> String {
    match backend {
        DbBackend::Sqlite => format!("{column} IN (SELECT unhex(value) FROM json_each({ids}))"),
        _ => format!("{column} = ANY({ids})"),
    }
}

/// A list of texts as one value.
pub(super) fn texts(backend: DbBackend, texts: &[&str]) -> Value {
    match backend {
        DbBackend::Sqlite => json(texts.iter().copied()),
        _ => array(ArrayType::String, texts.iter().map(|&text| Value::from(text))),
    }
}

/// That a column is one of a list of texts.
pub(super) fn among_texts(backend: DbBackend, column: &str, texts: impl Display) -> String {
    match backend {
        DbBackend::Sqlite => format!("{column} IN (SELECT value FROM json_each({texts}))"),
        _ => format!("{column} = ANY({texts})"),
    }
}

/// Locks the rows that a SELECT finds against other writers, but not against references to them. SQLite's writing
/// transaction is alone already.
pub(super) const fn for_update(backend: DbBackend) -> &'static str {
    match backend {
        DbBackend::Sqlite => "",
        _ => "FOR NO KEY UPDATE",
    }
}

/// That a column is one of a list of numbers.
pub(super) fn among_numbers(backend: DbBackend, column: &str, numbers: Place) -> String {
    match backend {
        DbBackend::Sqlite => format!("{column} IN (SELECT value FROM json_each({numbers}))"),
        _ => format!("{column} = ANY({numbers})"),
    }
}

/// That a text contains a part, byte by byte; no character of the part is a wildcard.
pub(super) fn contains(backend: DbBackend, column: &str, part: Place) -> String {
    match backend {
        DbBackend::Sqlite => format!("instr({column}, {part}) > 0"),
        _ => format!("strpos({column}, {part}) > 0"),
    }
}

/// One page of each of many parents, none of whose lists is read further than its page reaches.
pub(super) fn page_of_each(backend: DbBackend, parts: &Parts, parents: Place) -> String {
    match backend {
        DbBackend::Sqlite => page_by_row_numbers(parts, parents),
        _ => page_by_lateral_join(parts, parents),
    }
}

/// SQLite has no lateral join. But it looks up rows by a list of row numbers that it makes anew for each parent.
fn page_by_row_numbers(parts: &Parts, parents: Place) -> String {
    let Parts { table, columns, joins, order, .. } = parts;
    let rows = parts.limited(&format!("{table}.rowid AS row_number, {table}.{order}, {table}.id"), "");
    format!(
        "SELECT {columns} FROM (SELECT unhex(value) AS id FROM json_each({parents})) AS parent \
         CROSS JOIN {table} ON {table}.rowid IN (SELECT row_number FROM ({rows})) {joins}"
    )
}

fn page_by_lateral_join(parts: &Parts, parents: Place) -> String {
    let rows = parts.limited(parts.columns, parts.joins);
    format!("SELECT page.* FROM unnest({parents}) AS parent (id) CROSS JOIN LATERAL ({rows}) AS page")
}

fn json(items: impl Iterator<Item = impl Into<serde_json::Value>>) -> Value {
    Value::from(items.map(Into::into).collect::<serde_json::Value>().to_string())
}

fn array(of: ArrayType, items: impl Iterator<Item = Value>) -> Value {
    Value::Array(of, Some(Box::new(items.collect())))
}
