//! Variables of users: those of their latest deployments.

use super::{Found, Tenant};
use crate::domain::id::UserId;
use crate::domain::merge::Variables;

/// The variables of each user's latest deployment.
pub async fn of_users(tenant: &Tenant, users: &[UserId]) -> Found<UserId, Variables> {
    todo!()
}
