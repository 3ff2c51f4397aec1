//! Versions of conversations.

use super::{Found, Tenant};
use crate::domain::conversation::Version;
use crate::domain::id::{ConversationId, VersionId};
use crate::domain::page::{Page, Slice};

/// Versions by id.
pub async fn find_many(tenant: &Tenant, ids: &[VersionId]) -> Found<VersionId, Version> {
    todo!()
}

/// Versions by conversation and number.
pub async fn find_by_number(
    tenant: &Tenant,
    numbers: &[(ConversationId, i32)],
) -> Found<(ConversationId, i32), Version> {
    todo!()
}

/// A page of each conversation's versions, newest first.
pub async fn pages(
    tenant: &Tenant,
    conversations: &[ConversationId],
    page: &Page,
) -> Found<ConversationId, Slice<Version>> {
    todo!()
}

/// How many versions each conversation has.
pub async fn counts(tenant: &Tenant, conversations: &[ConversationId]) -> Found<ConversationId, i64> {
    todo!()
}

/// The names of the variables that occur among each version's users, by name.
pub async fn variable_names(tenant: &Tenant, versions: &[VersionId]) -> Found<VersionId, Vec<String>> {
    todo!()
}
