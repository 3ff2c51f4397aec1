//! Sends as they are read.

use super::{Found, Tenant};
use crate::domain::id::{ConversationId, SendId};
use crate::domain::page::{Page, Slice};
use crate::domain::send::Send;
use crate::domain::tally::Tally;

/// Sends by id.
pub async fn find_many(tenant: &Tenant, ids: &[SendId]) -> Found<SendId, Send> {
    todo!()
}

/// A page of each conversation's sends, newest first.
pub async fn pages(
    tenant: &Tenant,
    conversations: &[ConversationId],
    page: &Page,
) -> Found<ConversationId, Slice<Send>> {
    todo!()
}

/// How many sends each conversation has.
pub async fn counts(tenant: &Tenant, conversations: &[ConversationId]) -> Found<ConversationId, i64> {
    todo!()
}

/// Where the deployments of each send stand.
pub async fn tallies(tenant: &Tenant, sends: &[SendId]) -> Found<SendId, Tally> {
    todo!()
}
