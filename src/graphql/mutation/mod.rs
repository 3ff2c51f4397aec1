//! What can be changed: one file per noun.
//!
//! A mutation reports what it cannot do as data, in `userErrors`, and only after it has checked the whole input, so that a
//! form can show every fault at once; if there is any, nothing was changed. GraphQL errors are left for requests
//! that are malformed, for lacking scopes and for faults. Facts and sends go through their doors, the recorder and dispatch.
//! Payloads are resolved with fresh loaders, since what was loaded before the write is old. The audit log has an entry of each
//! before it begins, by its guard, and [`finish`] adds what became of it.

mod contact;
mod conversation;
mod fact;
mod line;
mod retry;
mod send;
mod send_control;
mod session;
mod version;

use std::sync::PoisonError;

use async_graphql::{Context, ID, MergedObject};

use super::context::ContextExt;
use super::error::Result;
use super::fresh::Fresh;
use super::user_error::UserError;
use crate::domain::audit::AuditOutcome;

/// The result of a mutation, as the audit log tells it.
trait Payload {
    /// The id of what was written.
    fn subject(&self) -> Option<ID>;

    /// Why nothing was.
    fn user_errors(&self) -> &[UserError];
}

/// Tells of which of its fields a payload is.
macro_rules! payload {
    ($name:ident: $subject:ident) => {
        impl super::Payload for $name {
            fn subject(&self) -> Option<async_graphql::ID> {
                self.$subject.as_ref().map(|subject| subject.0.id())
            }

            fn user_errors(&self) -> &[crate::graphql::user_error::UserError] {
                &self.user_errors
            }
        }
    };
}

use payload;

/// A payload, once the audit log tells what became of the mutation.
async fn finish<P: Payload>(ctx: &Context<'_>, payload: P) -> Result<Fresh<P>> {
    let request = ctx.request()?;
    let audited = request.audited.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some(audited) = audited {
        let rejected = !payload.user_errors().is_empty();
        let outcome = if rejected { AuditOutcome::Rejected } else { AuditOutcome::Done };
        audited.finish(outcome, payload.subject().map(|id| id.0)).await;
    }
    Ok(Fresh::new(&request.tenant, payload))
}

/// Everything that can be changed. It requires a token with the scope WRITE; `createLine`, `updateLine` and `eraseContact`
/// require ADMIN. The fields of one request are executed one after another. Each returns `userErrors`; if that is not
/// empty, the field changed nothing.
#[derive(Default, MergedObject)]
pub(crate) struct Mutation(
    line::LineMutation,
    conversation::ConversationMutation,
    version::VersionMutation,
    send::SendMutation,
    send_control::SendControlMutation,
    retry::RetryMutation,
    fact::FactMutation,
    session::SessionMutation,
    contact::ContactMutation,
);
