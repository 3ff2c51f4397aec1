//! What all reads of a kind of object have in common: its columns, their tables, and how to read them.

use std::collections::HashMap;
use std::hash::Hash;

use sea_orm::prelude::Uuid;

use super::query::{Query, belongs};
use super::row::Row;
use super::{Found, StorageError, Tenant};

/// How to read a kind of object in a workspace.
pub(super) struct Source<T> {
    /// The table with a row per object, and with the columns `id` and `workspace_id`.
    pub(super) table: &'static str,
    /// The columns to read, each with its table.
    pub(super) columns: &'static str,
    /// The joins that the columns need. They must not add or remove rows.
    pub(super) joins: &'static str,
    /// Reads the columns.
    pub(super) read: fn(&mut Row<'_>) -> Result<T, StorageError>,
}

impl<T> Source<T> {
    /// Selects the workspace's objects that are found by a condition on their keys.
    pub(super) fn select(&self, condition: &str) -> String {
        let Self { table, columns, joins, .. } = self;
        let belongs = belongs(&format!("{table}.workspace_id"), "$1");
        format!("SELECT {columns} FROM {table} {joins} WHERE {belongs} AND {condition}")
    }

    /// Finds objects by id.
    pub(super) async fn find_many<K>(&self, tenant: &Tenant, ids: &[K], id: fn(&T) -> K) -> Found<K, T>
    where
        K: Copy + Eq + Hash + Into<Uuid>,
    {
        let mut query = Query::of(tenant);
        let among = query.among(&format!("{}.id", self.table), ids);
        let things = query.all(self.select(&among), self.read).await?;
        Ok(things.into_iter().map(|thing| (id(&thing), thing)).collect())
    }
}

/// The number of rows that each parent has in a table, including 0.
pub(super) async fn counts<P>(tenant: &Tenant, table: &str, parent: &str, parents: &[P]) -> Found<P, i64>
where
    P: Copy + Eq + Hash + From<Uuid> + Into<Uuid>,
{
    let mut query = Query::of(tenant);
    let among = query.among(parent, parents);
    let belongs = belongs("workspace_id", "$1");
    let sql = format!("SELECT {parent}, count(*) FROM {table} WHERE {belongs} AND {among} GROUP BY {parent}");
    let counts = query.all(sql, |row| Ok((row.id()?, row.value()?))).await?;
    Ok(with_absent(parents, counts))
}

/// What was found for each key, and the default value for the other keys.
pub(super) fn with_absent<K: Copy + Eq + Hash, V: Default>(
    keys: &[K],
    found: impl IntoIterator<Item = (K, V)>,
) -> HashMap<K, V> {
    let mut all: HashMap<K, V> = keys.iter().map(|&key| (key, V::default())).collect();
    all.extend(found);
    all
}
