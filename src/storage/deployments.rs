//! Deployments, each with the facts of its first message.

use super::{Found, Tenant};
use crate::domain::deployment::Deployment;
use crate::domain::id::{DeploymentId, UserId};
use crate::domain::page::{Page, Slice};

/// Deployments by id.
pub async fn find_many(tenant: &Tenant, ids: &[DeploymentId]) -> Found<DeploymentId, Deployment> {
    todo!()
}

/// The latest deployment of each user.
pub async fn latest_of(tenant: &Tenant, users: &[UserId]) -> Found<UserId, Deployment> {
    todo!()
}

/// A page of each user's deployments, newest first.
pub async fn pages(tenant: &Tenant, users: &[UserId], page: &Page) -> Found<UserId, Slice<Deployment>> {
    todo!()
}

/// How many deployments each user has.
pub async fn counts(tenant: &Tenant, users: &[UserId]) -> Found<UserId, i64> {
    todo!()
}
