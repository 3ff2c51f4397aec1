//! Where a user stands, in the words of the API.

use async_graphql::Enum;

use crate::domain::standing;

/// How far a deployment or message has got on its way to the user. It is derived from everything reported so far,
/// whatever the order of the reports: the furthest point proven wins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "standing::DeploymentStatus")]
pub(crate) enum DeploymentStatus {
    /// It is waiting to be handed to WhatsApp.
    Queued,
    /// WhatsApp has accepted it and reported nothing more yet.
    Accepted,
    /// WhatsApp is holding it back for a quality check.
    Held,
    /// WhatsApp has sent it (one tick); the user's phone is off or offline.
    Sent,
    /// It has reached the user's phone (two ticks), or the user has answered it, which proves the same.
    Delivered,
    /// The user has opened it (two blue ticks). Users can turn read receipts off, so not every read is reported.
    Read,
    /// It did not arrive and will not.
    Failed,
}

/// How far a user who has answered has got in the conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "standing::Stage")]
pub(crate) enum Stage {
    /// The user has answered, but not a final step yet.
    InFlow,
    /// The user has answered a final step of the flow. Having received the final message is not enough.
    Finished,
}

/// Who handles the conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "standing::SessionStatus")]
pub(crate) enum SessionStatus {
    /// The bot is guiding the user through the flow.
    Bot,
    /// A human agent has taken over.
    Agent,
    /// The user is being asked to rate the conversation.
    Rating,
    /// The conversation was concluded.
    Completed,
    /// The conversation ended because the user stopped responding.
    Expired,
}
