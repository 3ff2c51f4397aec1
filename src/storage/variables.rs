//! Variables of users: those of their latest deployments.

use super::query::Query;
use super::row::Row;
use super::source::with_absent;
use super::{Found, StorageError, Tenant};
use crate::domain::id::UserId;
use crate::domain::merge::{VariableValue, Variables};

/// The variables of each user's latest deployment.
pub async fn of_users(tenant: &Tenant, users: &[UserId]) -> Found<UserId, Variables> {
    let mut query = Query::of(tenant);
    let among = query.among("users.id", users);
    let sql = format!(
        "SELECT users.id, variables.name, variables.value, variables.at FROM users \
         JOIN deployments ON deployments.user_id = users.id AND deployments.number = users.deployments \
         JOIN variables ON variables.deployment_id = deployments.id \
         WHERE users.workspace_id = $1 AND {among}"
    );
    let mut found = with_absent(users, []);
    for (user, name, value) in query.all(sql, read).await? {
        found.entry(user).or_insert_with(Variables::new).insert(name, value);
    }
    Ok(found)
}

fn read(row: &mut Row<'_>) -> Result<(UserId, String, VariableValue), StorageError> {
    let (user, name, value) = (row.id()?, row.value()?, row.value()?);
    Ok((user, name, VariableValue { at: row.time()?, value }))
}
