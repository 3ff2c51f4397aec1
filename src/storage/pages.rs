//! Keyset pages in SQL, of a single list or of the lists of many parents in one statement.
//!
//! A page begins with a row comparison, `(value, id) > ($2, $3)`, for which an index can be used at any depth; the equivalent
//! with `OR` would read from the start of the list. The limit is part of the text, because otherwise PostgreSQL cannot see how
//! few rows are wanted, and plans the statement anew at every call.

use std::collections::HashMap;
use std::hash::Hash;

use sea_orm::Value;
use sea_orm::prelude::Uuid;

use super::query::{Place, Query};
use super::source::Source;
use super::{Found, StorageError, Tenant, dialect};
use crate::domain::page::{Key, Page, Slice, SortValue};

/// A list in an order.
pub(super) struct List<T: 'static> {
    /// What is listed.
    pub(super) source: &'static Source<T>,
    /// The column that the list is ordered by, with the id to break ties.
    pub(super) order: &'static str,
    /// Whether the order is descending.
    pub(super) descending: bool,
    /// The key of an element.
    pub(super) key: fn(&T) -> Key,
}

/// A list for each of many parents.
pub(super) struct Lists<P, T: 'static> {
    /// The list of each parent.
    pub(super) list: List<T>,
    /// The condition that a row belongs to a parent, given an expression for the parent's id.
    pub(super) within: fn(&str) -> String,
    /// The parent of an element.
    pub(super) parent: fn(&T) -> P,
}

/// A restriction of a list; by default there is none.
#[derive(Default)]
pub(super) struct Narrowed {
    /// Conditions on the table's rows.
    pub(super) conditions: Vec<String>,
    /// Mutually exclusive conditions, of which one holds for every row that meets the other conditions. The rows of each are
    /// read in order from an index, and no further than a page reaches.
    pub(super) branches: Vec<String>,
}

/// The parts of a statement that reads a page.
pub(super) struct Parts {
    /// The table.
    pub(super) table: &'static str,
    /// The columns to read.
    pub(super) columns: &'static str,
    /// The joins that the columns need.
    pub(super) joins: &'static str,
    /// The column that the list is ordered by.
    pub(super) order: &'static str,
    direction: &'static str,
    limit: usize,
    condition: String,
    branches: Vec<String>,
}

impl<T> List<T> {
    /// A page of the list.
    pub(super) async fn page(
        &self,
        mut query: Query<'_>,
        narrowed: Narrowed,
        page: &Page,
    ) -> Result<Slice<T>, StorageError> {
        let parts = self.parts(&mut query, narrowed, page);
        let rows = query.all(parts.limited(parts.columns, parts.joins), self.source.read).await?;
        Ok(self.slice(rows, page))
    }

    fn parts(&self, query: &mut Query<'_>, narrowed: Narrowed, page: &Page) -> Parts {
        let Source { table, columns, joins, .. } = *self.source;
        let mut conditions = vec![format!("{table}.workspace_id = $1")];
        conditions.extend(narrowed.conditions);
        conditions.extend(page.after.as_ref().map(|key| self.beyond(query, key, self.descending)));
        conditions.extend(page.before.as_ref().map(|key| self.beyond(query, key, !self.descending)));
        Parts {
            table,
            columns,
            joins,
            order: self.order,
            direction: if self.falls(page) { "DESC" } else { "ASC" },
            limit: page.fetch(),
            condition: conditions.join(" AND "),
            branches: narrowed.branches,
        }
    }

    /// The condition that a row is below or above a key.
    fn beyond(&self, query: &mut Query<'_>, key: &Key, below: bool) -> String {
        let (table, sign) = (self.source.table, if below { "<" } else { ">" });
        let (value, id) = bind_key(query, key);
        format!("({table}.{}, {table}.id) {sign} ({value}, {id})", self.order)
    }

    /// Whether rows are read in descending order.
    const fn falls(&self, page: &Page) -> bool {
        self.descending != page.backward
    }

    fn slice(&self, rows: Vec<T>, page: &Page) -> Slice<T> {
        let mut rows: Vec<_> = rows.into_iter().map(|row| ((self.key)(&row), row)).collect();
        // SQL guarantees the order for a single list only. Usually the rows are in order anyway, and sorting them is cheap.
        if self.falls(page) {
            rows.sort_by(|(one, _), (other, _)| other.cmp(one));
        } else {
            rows.sort_by(|(one, _), (other, _)| one.cmp(other));
        }
        page.slice(rows)
    }
}

impl<P, T> Lists<P, T>
where
    P: Copy + Ord + Hash + Into<Uuid>,
{
    /// A page of each parent's list; it may be empty.
    pub(super) async fn pages(&self, tenant: &Tenant, parents: &[P], page: &Page) -> Found<P, Slice<T>> {
        self.narrowed_pages(Query::of(tenant), Narrowed::default(), parents, page).await
    }

    /// A page of each parent's restricted list. The query contains the values of the restriction.
    pub(super) async fn narrowed_pages(
        &self,
        mut query: Query<'_>,
        mut narrowed: Narrowed,
        parents: &[P],
        page: &Page,
    ) -> Found<P, Slice<T>> {
        if let &[parent] = parents {
            let place = query.bind(parent.into());
            narrowed.conditions.push((self.within)(&place.to_string()));
            return Ok(HashMap::from([(parent, self.list.page(query, narrowed, page).await?)]));
        }
        let places = query.bind_ids(&distinct(parents));
        narrowed.conditions.push((self.within)("parent.id"));
        let parts = self.list.parts(&mut query, narrowed, page);
        let sql = dialect::page_of_each(query.backend(), &parts, places);
        let rows = query.all(sql, self.list.source.read).await?;
        Ok(self.slices(rows, parents, page))
    }

    fn slices(&self, rows: Vec<T>, parents: &[P], page: &Page) -> HashMap<P, Slice<T>> {
        let mut lists: HashMap<P, Vec<T>> = parents.iter().map(|&parent| (parent, Vec::new())).collect();
        for row in rows {
            lists.entry((self.parent)(&row)).or_default().push(row);
        }
        lists.into_iter().map(|(parent, rows)| (parent, self.list.slice(rows, page))).collect()
    }
}

impl Parts {
    /// Selects the first rows of the list, in reading direction.
    pub(super) fn limited(&self, columns: &str, joins: &str) -> String {
        let Self { order, direction, limit, .. } = self;
        if self.branches.len() < 2 {
            return self.branch(columns, joins, None);
        }
        // Each branch has its own limit, so that there are few rows to sort.
        let branches: Vec<_> = self.branches.iter().map(|branch| self.branch(columns, joins, Some(branch))).collect();
        let union = branches.join(") AS branch UNION ALL SELECT * FROM (");
        format!("SELECT * FROM ({union}) AS branch ORDER BY {order} {direction}, id {direction} LIMIT {limit}")
    }

    fn branch(&self, columns: &str, joins: &str, branch: Option<&String>) -> String {
        let Self { table, order, direction, limit, condition, .. } = self;
        let branch = branch.map_or_else(String::new, |branch| format!(" AND {branch}"));
        format!(
            "SELECT {columns} FROM {table} {joins} WHERE {condition}{branch} \
             ORDER BY {table}.{order} {direction}, {table}.id {direction} LIMIT {limit}"
        )
    }
}

fn bind_key(query: &mut Query<'_>, key: &Key) -> (Place, Place) {
    let value = match &key.value {
        SortValue::Number(number) => Value::from(*number),
        SortValue::Text(text) => Value::from(text.as_str()),
    };
    (query.bind(value), query.bind(key.id))
}

fn distinct<P: Copy + Ord>(parents: &[P]) -> Vec<P> {
    let mut parents = parents.to_vec();
    parents.sort_unstable();
    parents.dedup();
    parents
}
