//! Messages: a user's history, and a deployment's part of it.

use super::{Found, StorageError, Tenant};
use crate::domain::id::{DeploymentId, MessageId, UserId};
use crate::domain::message::Message;
use crate::domain::page::{Page, Slice};

/// Messages by id.
pub async fn find_many(tenant: &Tenant, ids: &[MessageId]) -> Found<MessageId, Message> {
    todo!()
}

/// A page of each user's history, oldest first.
pub async fn pages_of_users(tenant: &Tenant, users: &[UserId], page: &Page) -> Found<UserId, Slice<Message>> {
    todo!()
}

/// A page of each deployment's messages, oldest first.
pub async fn pages_of_deployments(
    tenant: &Tenant,
    deployments: &[DeploymentId],
    page: &Page,
) -> Found<DeploymentId, Slice<Message>> {
    todo!()
}

/// How many messages each user's history has.
pub async fn counts_of_users(tenant: &Tenant, users: &[UserId]) -> Found<UserId, i64> {
    todo!()
}

/// How many messages each deployment has.
pub async fn counts_of_deployments(tenant: &Tenant, deployments: &[DeploymentId]) -> Found<DeploymentId, i64> {
    todo!()
}

/// The messages that these changes of a user's version added, in the order recorded (then by time and key).
pub async fn added_by(tenant: &Tenant, user: UserId, revisions: &[i64]) -> Result<Vec<Message>, StorageError> {
    todo!()
}
