//! The differences between SQLite and PostgreSQL, side by side.
//!
//! A list is a single value on both, so that the text of a statement does not depend on the number of keys: an array on
//! PostgreSQL, and a JSON array on SQLite, where ids are blobs and are therefore passed in hexadecimal.

use sea_orm::prelude::Uuid;
use sea_orm::sea_query::ArrayType;
use sea_orm::{DbBackend, Value};

use super::pages::Parts;
use super::query::Place;

/// A list of ids as a single value.
pub(super) fn ids(backend: DbBackend, ids: impl Iterator<Item = Uuid>) -> Value {
    match backend {
        DbBackend::Sqlite => json(ids.map(|id| id.simple().to_string())),
        _ => array(ArrayType::Uuid, ids.map(Value::from)),
    }
}

/// A list of numbers as a single value.
pub(super) fn numbers(backend: DbBackend, numbers: &[i64]) -> Value {
    match backend {
        DbBackend::Sqlite => json(numbers.iter().copied()),
        _ => array(ArrayType::BigInt, numbers.iter().map(|&number| Value::from(number))),
    }
}

/// The condition that a column is one of a list of ids.
pub(super) fn among_ids(backend: DbBackend, column: &str, ids: Place) -> String {
    match backend {
        DbBackend::Sqlite => format!("{column} IN (SELECT unhex(value) FROM json_each({ids}))"),
        _ => format!("{column} = ANY({ids})"),
    }
}

/// A list of strings as a single value.
pub(super) fn texts(backend: DbBackend, texts: &[&str]) -> Value {
    match backend {
        DbBackend::Sqlite => json(texts.iter().copied()),
        _ => array(ArrayType::String, texts.iter().map(|&text| Value::from(text))),
    }
}

/// Pairs of an id and a name: two arrays on PostgreSQL, one JSON array of pairs on SQLite.
pub(super) fn pairs<'n>(backend: DbBackend, pairs: impl Iterator<Item = (Uuid, &'n str)>) -> Vec<Value> {
    if backend == DbBackend::Sqlite {
        return vec![json(pairs.map(|(id, name)| serde_json::json!([id.simple().to_string(), name])))];
    }
    let (ids, names): (Vec<_>, Vec<_>) = pairs.map(|(id, name)| (Value::from(id), Value::from(name))).unzip();
    vec![array(ArrayType::Uuid, ids.into_iter()), array(ArrayType::String, names.into_iter())]
}

/// A source of the rows of [`pairs`], by the places of their lists.
pub(super) fn rows_of_pairs(places: &[Place]) -> String {
    match places {
        [both] => {
            format!("(SELECT unhex(value ->> 0) AS id, value ->> 1 AS name FROM json_each({both})) AS pair")
        }
        lists => {
            let lists: Vec<_> = lists.iter().map(Place::to_string).collect();
            format!("unnest({}) AS pair (id, name)", lists.join(", "))
        }
    }
}

/// The clause that locks the rows of a SELECT against other writers, but not against new references to them. SQLite needs
/// none, as it has a single writing transaction.
pub(super) const fn for_update(backend: DbBackend) -> &'static str {
    match backend {
        DbBackend::Sqlite => "",
        _ => "FOR NO KEY UPDATE",
    }
}

/// The clause that locks the rows of a SELECT against other writers and against new references to them.
pub(super) const fn for_deletion(backend: DbBackend) -> &'static str {
    match backend {
        DbBackend::Sqlite => "",
        _ => "FOR UPDATE",
    }
}

/// An id drawn at random, another for each row.
pub(super) const fn random_id(backend: DbBackend) -> &'static str {
    match backend {
        DbBackend::Sqlite => "randomblob(16)",
        _ => "gen_random_uuid()",
    }
}

/// A text drawn at random, another for each row.
pub(super) const fn random_text(backend: DbBackend) -> &'static str {
    match backend {
        DbBackend::Sqlite => "lower(hex(randomblob(16)))",
        _ => "gen_random_uuid()::text",
    }
}

/// The database's own time, in microseconds since 1970.
pub(super) const fn now_micros(backend: DbBackend) -> &'static str {
    match backend {
        DbBackend::Sqlite => "CAST(unixepoch('subsec') * 1000000 AS INTEGER)",
        _ => "(extract(epoch FROM clock_timestamp()) * 1000000)::bigint",
    }
}

/// The clause that locks rows like [`for_update`], for rows that nobody else has locked: others are left out instead of waited for.
pub(super) const fn for_update_if_free(backend: DbBackend) -> &'static str {
    match backend {
        DbBackend::Sqlite => "",
        _ => "FOR NO KEY UPDATE SKIP LOCKED",
    }
}

/// The condition that a column is one of a list of numbers or strings.
pub(super) fn among_values(backend: DbBackend, column: &str, values: Place) -> String {
    match backend {
        DbBackend::Sqlite => format!("{column} IN (SELECT value FROM json_each({values}))"),
        _ => format!("{column} = ANY({values})"),
    }
}

/// The condition that a column contains a string, compared bytewise and without wildcards.
pub(super) fn contains(backend: DbBackend, column: &str, part: Place) -> String {
    match backend {
        DbBackend::Sqlite => format!("instr({column}, {part}) > 0"),
        _ => format!("strpos({column}, {part}) > 0"),
    }
}

/// A field of a JSON object that is stored as text, as a text.
pub(super) fn json_text(backend: DbBackend, column: &str, field: &str) -> String {
    match backend {
        DbBackend::Sqlite => format!("{column} ->> '{field}'"),
        _ => format!("{column}::json ->> '{field}'"),
    }
}

/// Selects a page for each of many parents, without reading any of their lists beyond the page.
pub(super) fn page_of_each(backend: DbBackend, parts: &Parts, parents: Place) -> String {
    match backend {
        DbBackend::Sqlite => page_by_row_numbers(parts, parents),
        _ => page_by_lateral_join(parts, parents),
    }
}

/// SQLite has no lateral join, but it can look up rows by a list of row numbers that a correlated subquery selects per parent.
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

/// Selects a column of some rows for each of many parents: `rows` is what follows `FROM`, and names `parent.id`.
pub(super) fn rows_of_each(backend: DbBackend, parents: Place, (table, column): (&str, &str), rows: &str) -> String {
    match backend {
        DbBackend::Sqlite => format!(
            "SELECT {table}.{column} FROM (SELECT unhex(value) AS id FROM json_each({parents})) AS parent \
             CROSS JOIN {table} ON {table}.rowid IN (SELECT rowid FROM {table} {rows})"
        ),
        _ => format!(
            "SELECT found.{column} FROM unnest({parents}) AS parent (id) \
             CROSS JOIN LATERAL (SELECT {column} FROM {table} {rows}) AS found"
        ),
    }
}

fn json(items: impl Iterator<Item = impl Into<serde_json::Value>>) -> Value {
    Value::from(items.map(Into::into).collect::<serde_json::Value>().to_string())
}

fn array(of: ArrayType, items: impl Iterator<Item = Value>) -> Value {
    Value::Array(of, Some(Box::new(items.collect())))
}
