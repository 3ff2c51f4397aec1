//! What can be asked: one file per noun. Every field needs a token that may read.

mod audit;
mod conversation;
mod line;
mod node;
mod send;
mod session;
mod viewer;

use async_graphql::MergedObject;

/// Everything that can be read. It requires a token with the scope READ; `auditLog` requires ADMIN.
#[derive(Default, MergedObject)]
pub(crate) struct Query(
    node::NodeQuery,
    viewer::ViewerQuery,
    conversation::ConversationQuery,
    send::SendQuery,
    line::LineQuery,
    session::SessionQuery,
    audit::AuditQuery,
);
