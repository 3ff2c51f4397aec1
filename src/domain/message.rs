//! Messages of a user's history.

use super::clock::Timestamp;
use super::code::coded;
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
        /// The company: what a send sent.
        Company = 3 / "COMPANY",
    }
}

coded! {
    /// What a message is.
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
        /// A film.
        Video = 5 / "VIDEO",
        /// A recording.
        Audio = 6 / "AUDIO",
        /// A file.
        Document = 7 / "DOCUMENT",
        /// A sticker.
        Sticker = 8 / "STICKER",
        /// A place.
        Location = 9 / "LOCATION",
        /// Contact cards.
        Contacts = 10 / "CONTACTS",
        /// A reaction to another message; it is an activity, never an answer.
        Reaction = 11 / "REACTION",
        /// What the provider could not pass on, or a kind that is not known here.
        Unsupported = 12 / "UNSUPPORTED",
    }
}

/// One message of a user's history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Its id.
    pub id: MessageId,
    /// Whose history it is in.
    pub user: UserId,
    /// The deployment that it belongs to.
    pub deployment: DeploymentId,
    /// Who wrote it.
    pub sender: Sender,
    /// What it is.
    pub kind: MessageKind,
    /// Its text.
    pub text: Option<String>,
    /// What its kind carries beyond the text: written JSON.
    pub payload: Option<String>,
    /// The provider's id, once known.
    pub provider_message_id: Option<String>,
    /// When it was written, or due.
    pub at: Timestamp,
    /// How far it got, if it is outgoing.
    pub facts: MessageFacts,
}

impl Message {
    /// How far an outgoing message got; a user's own message has no status.
    pub fn status(&self) -> Option<DeploymentStatus> {
        (self.sender != Sender::User).then(|| self.facts.status(false))
    }
}

impl MessageKind {
    /// Whether a user's message of this kind answers.
    pub const fn answers(self) -> bool {
        !matches!(self, Self::Reaction)
    }
}
