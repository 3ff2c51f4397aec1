//! Where a user stands, in the words of the API.

use async_graphql::Enum;

use crate::domain::standing;

/// How far a deployment, or a message, got on its way to the user. It is worked out from everything reported so far, in
/// whatever order the reports came, and the furthest proof wins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "standing::DeploymentStatus")]
pub(crate) enum DeploymentStatus {
    /// It waits to be handed to WhatsApp.
    Queued,
    /// WhatsApp took it, and has not told more yet.
    Accepted,
    /// WhatsApp holds it back for a check of its quality.
    Held,
    /// It left WhatsApp (one tick); the user's phone is off or offline.
    Sent,
    /// It is on the user's phone (two ticks), or the user answered it, which proves the same.
    Delivered,
    /// The user opened it (two blue ticks). Users may turn read receipts off, so this is seen less often than it happens.
    Read,
    /// It did not arrive and will not.
    Failed,
}

/// How far a user who answered came in the conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "standing::Stage")]
pub(crate) enum Stage {
    /// The user answered, and has not answered a final step yet.
    InFlow,
    /// The user answered a final step of the flow. Having received the final message is not enough.
    Finished,
}

/// Who talks with the user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "standing::SessionStatus")]
pub(crate) enum SessionStatus {
    /// The bot leads the user through the flow.
    Bot,
    /// A human agent took over.
    Agent,
    /// The user is asked how the talk was.
    Rating,
    /// The talk was brought to its end.
    Completed,
    /// The talk ended because the user fell silent.
    Expired,
}
