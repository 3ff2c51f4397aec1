//! Sends out: submitting them, and the dispatcher that calls the provider.

use crate::domain::clock::Timestamp;
use crate::domain::id::{ConversationId, SendId};
use crate::domain::input::Fault;
use crate::storage::{StorageError, Tenant};

/// The most users of one submission.
pub const MOST_USERS: usize = 10_000;

/// One submission of users to a conversation's current version, as it comes in.
#[derive(Debug, Clone)]
pub struct Submission {
    /// What to send.
    pub conversation: ConversationId,
    /// To whom.
    pub users: Vec<Recipient>,
    /// When it is due, if later than now.
    pub scheduled_at: Option<Timestamp>,
    /// The same key with the same input returns the send that it first made.
    pub idempotency_key: Option<String>,
}

/// A user to send to.
#[derive(Debug, Clone)]
pub struct Recipient {
    /// The phone as given.
    pub phone: String,
    /// Named values.
    pub variables: Vec<(String, String)>,
}

/// Why a submission is refused; nothing was stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refused {
    /// The conversation is not there.
    NoConversation,
    /// The conversation is archived.
    Archived,
    /// The conversation is inbound: its users begin it.
    Inbound,
    /// More than [`MOST_USERS`], or none.
    Count(usize),
    /// The phone of the user at this place.
    Phone(usize, Fault),
    /// The variable at this place of the user at that place: (user, variable).
    Variable(usize, usize, Fault),
    /// The idempotency key.
    Key(Fault),
    /// The idempotency key was used with another input.
    KeyTaken,
}

/// Takes sends in. Cheap to clone.
#[derive(Clone)]
pub struct Sends {}

impl Sends {
    /// Stores a send with its users, deployments and first messages in one transaction.
    pub async fn submit(
        &self,
        tenant: &Tenant,
        submission: Submission,
    ) -> Result<Result<SendId, Vec<Refused>>, StorageError> {
        todo!()
    }
}
