//! The users table: rows by id, keyset pages under filters, exact counts.

use super::filter;
use super::pages::{List, Lists, Narrowed};
use super::query::Query;
use super::row::Row;
use super::source::{Source, with_absent};
use super::{Found, StorageError, Tenant};
use crate::domain::clock::Timestamp;
use crate::domain::filter::UserFilter;
use crate::domain::id::{UserId, VersionId};
use crate::domain::page::{Key, Page, Slice};
use crate::domain::standing::Cell;
use crate::domain::user::{User, UserOrder};

const USERS: Source<User> = Source {
    table: "users",
    columns: "users.id, users.version_id, contacts.phone, contacts.wa_id, contacts.name, \
              contacts.opted_out_at, contacts.erased_at, users.deployments, users.deployed_at, users.status, users.stage, users.session_status, users.failure_reason, \
              users.activity_at",
    joins: "JOIN contacts ON contacts.id = users.contact_id",
    read,
};

/// The filter and order of a list of users. Pages of several versions with the same query are read in one statement.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct UserQuery {
    /// Which users to list.
    pub filter: UserFilter,
    /// What to order them by.
    pub order: UserOrder,
    /// Whether the order is descending.
    pub descending: bool,
}

/// Users by id.
pub async fn find_many(tenant: &Tenant, ids: &[UserId]) -> Found<UserId, User> {
    USERS.find_many(tenant, ids, |user| user.id).await
}

/// A page of the users of each version.
pub async fn pages(
    tenant: &Tenant,
    versions: &[VersionId],
    query: &UserQuery,
    page: &Page,
) -> Found<VersionId, Slice<User>> {
    let mut statement = Query::of(tenant);
    let narrowed = Narrowed {
        conditions: vec![filter::condition(&mut statement, &query.filter)],
        branches: match query.order {
            UserOrder::Deployed => filter::branches(&query.filter),
            UserOrder::Activity => Vec::new(),
        },
    };
    query.lists().narrowed_pages(statement, narrowed, versions, page).await
}

/// How many users of each version match a filter, counted by the database. (Callers count from the tally if cells decide.)
pub async fn counts(tenant: &Tenant, versions: &[VersionId], filter: &UserFilter) -> Found<VersionId, i64> {
    let mut query = Query::of(tenant);
    let among = query.among("users.version_id", versions);
    let matches = filter::condition(&mut query, filter);
    let sql = format!(
        "SELECT users.version_id, count(*) FROM users \
         WHERE users.workspace_id = $1 AND {among} AND {matches} GROUP BY users.version_id"
    );
    let counts = query.all(sql, |row| Ok((row.id()?, row.value()?))).await?;
    Ok(with_absent(versions, counts))
}

impl UserQuery {
    fn lists(&self) -> Lists<VersionId, User> {
        let (order, key): (_, fn(&User) -> Key) = match self.order {
            UserOrder::Deployed => ("deployed_at", |user| Key::number(user.deployed_at.micros(), user.id.0)),
            UserOrder::Activity => ("activity_at", |user| Key::number(activity(user), user.id.0)),
        };
        Lists {
            list: List { source: &USERS, order, descending: self.descending, key },
            within: |version| format!("users.version_id = {version}"),
            parent: |user| user.version,
        }
    }
}

/// The last activity as it is stored: 0 if there is none, since a sort key is never null.
fn activity(user: &User) -> i64 {
    user.last_activity_at.unwrap_or(Timestamp::MIN).micros()
}

fn read(row: &mut Row<'_>) -> Result<User, StorageError> {
    Ok(User {
        id: row.id()?,
        version: row.id()?,
        phone: row.value()?,
        whatsapp_id: row.value()?,
        name: row.value()?,
        opted_out_at: row.optional_time()?,
        erased_at: row.optional_time()?,
        deployments: row.value()?,
        deployed_at: row.time()?,
        cell: Cell {
            status: row.code()?,
            stage: row.optional_code()?,
            session_status: row.optional_code()?,
            failure_reason: row.optional_code()?,
        },
        last_activity_at: Some(row.time()?).filter(|&at| at > Timestamp::MIN),
    })
}
