//! What the reads of one kind of thing have in common: the columns, where they come from, and what they mean.

use std::collections::HashMap;
use std::hash::Hash;

use sea_orm::prelude::Uuid;

use super::query::Query;
use super::row::Row;
use super::{Found, StorageError, Tenant};

/// A kind of thing of a workspace, as it is read.
pub(super) struct Source<T> {
    /// The table that has a row for each; it has the columns `id` and `workspace_id`.
    pub(super) table: &'static str,
    /// The columns, by table and name.
    pub(super) columns: &'static str,
    /// The joins to what else the columns name; none may add or drop a row.
    pub(super) joins: &'static str,
    /// Reads the columns.
    pub(super) read: fn(&mut Row<'_>) -> Result<T, StorageError>,
}

impl<T> Source<T> {
    /// Selects the workspace's things for which `condition` holds.
    pub(super) fn select(&self, condition: &str) -> String {
        let Self { table, columns, joins, .. } = self;
        format!("SELECT {columns} FROM {table} {joins} WHERE {table}.workspace_id = $1 AND {condition}")
    }

    /// Things by a key of theirs.
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

/// How many rows of a table belong to each parent, 0 included.
pub(super) async fn counts<P>(tenant: &Tenant, table: &str, parent: &str, parents: &[P]) -> Found<P, i64>
where
    P: Copy + Eq + Hash + From<Uuid> + Into<Uuid>,
{
    let mut query = Query::of(tenant);
    let among = query.among(parent, parents);
    let sql = format!("SELECT {parent}, count(*) FROM {table} WHERE workspace_id = $1 AND {among} GROUP BY {parent}");
    let counts = query.all(sql, |row| Ok((row.id()?, row.value()?))).await?;
    Ok(with_absent(parents, counts))
}

/// What was found for each key, and the default for those that nothing was found for.
pub(super) fn with_absent<K: Copy + Eq + Hash, V: Default>(
    keys: &[K],
    found: impl IntoIterator<Item = (K, V)>,
) -> HashMap<K, V> {
    let mut all: HashMap<K, V> = keys.iter().map(|&key| (key, V::default())).collect();
    all.extend(found);
    all
}
