//! Messages in a user's history.

use super::clock::Timestamp;
use super::code::coded;
use super::failure::Failure;
use super::id::{DeploymentId, MessageId, UserId};
use super::merge::MessageFacts;
use super::standing::DeploymentStatus;

coded! {
    /// Who wrote a message.
    Sender {
        /// The user.
        User = 0 / "USER",
        /// The bot.
        Bot = 1 / "BOT",
        /// A human agent.
        Agent = 2 / "AGENT",
        /// The company, by a send.
        Company = 3 / "COMPANY",
    }
}

coded! {
    /// The kind of a message.
    MessageKind {
        /// Plain text.
        Text = 0 / "TEXT",
        /// An approved template.
        Template = 1 / "TEMPLATE",
        /// A pressed button, or a message that offers some.
        Button = 2 / "BUTTON",
        /// A choice from a list, or a message that offers one.
        List = 3 / "LIST",
        /// A picture.
        Image = 4 / "IMAGE",
        /// A video.
        Video = 5 / "VIDEO",
        /// An audio recording.
        Audio = 6 / "AUDIO",
        /// A file.
        Document = 7 / "DOCUMENT",
        /// A sticker.
        Sticker = 8 / "STICKER",
        /// A location.
        Location = 9 / "LOCATION",
        /// Contact cards.
        Contacts = 10 / "CONTACTS",
        /// A reaction to another message. It counts as an activity but not as an answer.
        Reaction = 11 / "REACTION",
        /// A message that the provider could not deliver to us, or whose kind is unknown.
        Unsupported = 12 / "UNSUPPORTED",
    }
}

/// A message in a user's history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// The message's id.
    pub id: MessageId,
    /// The user in whose history it is.
    pub user: UserId,
    /// The deployment to which it belongs.
    pub deployment: DeploymentId,
    /// Who wrote it.
    pub sender: Sender,
    /// The kind of message.
    pub kind: MessageKind,
    /// The text, if the kind has one.
    pub text: Option<String>,
    /// What the kind carries beyond its text, as JSON text.
    pub payload: Option<String>,
    /// The provider's id of the message, once it is known.
    pub provider_message_id: Option<String>,
    /// When it was written or, for a queued message, when it is due.
    pub at: Timestamp,
    /// The statuses and failures of an outgoing message; empty for a user's message.
    pub facts: MessageFacts,
}

impl Message {
    /// How far an outgoing message got; a user's own message has no status.
    pub fn status(&self) -> Option<DeploymentStatus> {
        (self.sender != Sender::User).then(|| self.facts.status(false))
    }
}

impl Message {
    /// Why an outgoing message failed; `None` unless its status is `Failed`.
    pub fn failure(&self) -> Option<Failure> {
        self.facts.failure().filter(|_| self.status() == Some(DeploymentStatus::Failed))
    }
}

impl MessageKind {
    /// Whether a user's message of this kind counts as an answer.
    pub const fn answers(self) -> bool {
        !matches!(self, Self::Reaction)
    }
}
