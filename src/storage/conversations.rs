//! Conversations.

use super::{Found, StorageError, Tenant};
use crate::domain::clock::Timestamp;
use crate::domain::conversation::{Conversation, ConversationFilter, Version};
use crate::domain::id::ConversationId;
use crate::domain::page::{Page, Slice};

/// What conversations can be ordered by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ConversationOrder {
    /// When they were created.
    Created,
    /// Their names, bytewise.
    Name,
}

/// Creates a conversation together with its first version.
pub async fn create(tenant: &Tenant, conversation: &Conversation, first: &Version) -> Result<(), StorageError> {
    todo!()
}

/// Publishes the next version; `None` where the conversation is not there. The version's number is found under the
/// conversation's lock, so concurrent calls get consecutive numbers.
pub async fn publish(
    tenant: &Tenant,
    conversation: ConversationId,
    flow: &str,
    now: Timestamp,
) -> Result<Option<Version>, StorageError> {
    todo!()
}

/// Archives a conversation, keeping the time of an earlier archiving; `false` where it is not there.
pub async fn archive(tenant: &Tenant, id: ConversationId, now: Timestamp) -> Result<bool, StorageError> {
    todo!()
}

/// Conversations by id.
pub async fn find_many(tenant: &Tenant, ids: &[ConversationId]) -> Found<ConversationId, Conversation> {
    todo!()
}

/// A page of the workspace's conversations.
pub async fn page(
    tenant: &Tenant,
    filter: &ConversationFilter,
    order: ConversationOrder,
    descending: bool,
    page: &Page,
) -> Result<Slice<Conversation>, StorageError> {
    todo!()
}

/// How many conversations match.
pub async fn count(tenant: &Tenant, filter: &ConversationFilter) -> Result<i64, StorageError> {
    todo!()
}
