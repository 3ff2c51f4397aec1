//! The users table: rows by id, keyset pages under filters, exact counts.

use super::{Found, StorageError, Tenant};
use crate::domain::filter::UserFilter;
use crate::domain::id::{UserId, VersionId};
use crate::domain::page::{Page, Slice};
use crate::domain::user::{User, UserOrder};

/// Users by id.
pub async fn find_many(tenant: &Tenant, ids: &[UserId]) -> Found<UserId, User> {
    todo!()
}

/// Which users of a version are asked for, and in which order. Users pages of several versions in one go share it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct UserQuery {
    /// Which.
    pub filter: UserFilter,
    /// By what.
    pub order: UserOrder,
    /// Greatest first.
    pub descending: bool,
}

/// A page of each version's users.
pub async fn pages(
    tenant: &Tenant,
    versions: &[VersionId],
    query: &UserQuery,
    page: &Page,
) -> Found<VersionId, Slice<User>> {
    todo!()
}

/// How many users of each version match, counted by the database. (A filter that cells decide is counted from the tally.)
pub async fn counts(tenant: &Tenant, versions: &[VersionId], filter: &UserFilter) -> Found<VersionId, i64> {
    todo!()
}
