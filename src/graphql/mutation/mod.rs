//! What can be changed: one file per noun.
//!
//! A mutation reports what it cannot do as data, in `userErrors`, and only after it has checked the whole input, so that a
//! form can show every fault at once; if there is any, nothing was changed. GraphQL errors are left for requests
//! that are malformed, for lacking scopes and for faults. Facts and sends go through their doors, the recorder and dispatch.
//! Payloads are resolved with fresh loaders, since what was loaded before the write is old.

mod contact;
mod conversation;
mod fact;
mod line;
mod retry;
mod send;
mod send_control;
mod version;

use async_graphql::MergedObject;

/// Everything that can be changed. It requires a token with the scope WRITE; `createLine`, `updateLine` and `eraseContact` require ADMIN. The fields of
/// one request are executed one after another. Each returns `userErrors`; if that is not empty, the field changed
/// nothing.
#[derive(Default, MergedObject)]
pub(crate) struct Mutation(
    line::LineMutation,
    conversation::ConversationMutation,
    version::VersionMutation,
    send::SendMutation,
    send_control::SendControlMutation,
    retry::RetryMutation,
    fact::FactMutation,
    contact::ContactMutation,
);
