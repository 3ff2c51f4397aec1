//! What is learnt, as it comes in: from a webhook, from the provider's answer to a call, or through `recordFacts`.
//!
//! A fact names what it is about in the words of whoever tells it (a provider's message id, a phone) and carries the time
//! at which it happened. The recorder finds out whom it means. Facts that must wait are kept as JSON, hence serde.

use serde::{Deserialize, Serialize};

use super::clock::Timestamp;
use super::contact::{ContactKey, ProfileName};
use super::id::{DeploymentId, LineId, MessageId};
use super::merge::{MessageFacts, Session, keep_greatest};
use super::message::{MessageKind, Sender};

/// Something learnt, with the time at which it happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Fact {
    /// How far an outgoing message got.
    Status(StatusFact),
    /// A message, either way.
    Message(MessageFact),
    /// Who holds the talk with the user.
    Session {
        /// Which deployment's.
        of: Target,
        /// Who, since when.
        session: Session,
    },
    /// The user answered a final step.
    Finished {
        /// Of which deployment.
        of: Target,
        /// When.
        at: Timestamp,
    },
    /// A named value of a deployment.
    Variable {
        /// Which deployment's.
        of: Target,
        /// The variable's name.
        name: String,
        /// Its value.
        value: String,
        /// When it was given.
        at: Timestamp,
    },
    /// Our call to the provider begins. Recorded before the call, so that a reply finds its deployment whatever becomes
    /// of the answer.
    Dispatched {
        /// The message about to be sent.
        message: MessageId,
        /// When.
        at: Timestamp,
    },
    /// Our call to the provider did not take place after all, or certainly did not arrive: the message is queued again. It
    /// voids what was told to be dispatched before it; only the dispatcher, which knows the order, tells either.
    Withdrawn {
        /// The message.
        message: MessageId,
    },
    /// What could not be understood: it is kept as it came, and counted.
    Kept(Kept),
}

/// How far an outgoing message got.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatusFact {
    /// The message, or the deployment as a whole.
    pub of: Target,
    /// What is told of it.
    pub facts: MessageFacts,
    /// What is told of its recipient beside.
    pub recipient: Option<Person>,
}

/// A message of the user's, or to the user, on a line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MessageFact {
    /// The line that it was on.
    pub line: LineId,
    /// The person on the other side.
    pub person: Person,
    /// Who wrote it.
    pub sender: Sender,
    /// The provider's id of it.
    pub provider_message_id: String,
    /// The provider's id of the message that it answers.
    pub in_reply_to: Option<String>,
    /// What it says, and when.
    pub content: Content,
}

/// What a message says, and when. Of two reports of one message the lesser counts, so the earlier.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Content {
    /// When it was written.
    pub at: Timestamp,
    /// Its kind.
    pub kind: MessageKind,
    /// Its text.
    pub text: Option<String>,
    /// What the kind carries beyond its text: written JSON.
    pub payload: Option<String>,
}

/// Names of one person, and the profile's name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    /// What names the person.
    pub key: ContactKey,
    /// The WhatsApp profile's name.
    pub name: Option<ProfileName>,
}

/// What a fact is about.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Target {
    /// A deployment, by our id.
    Deployment(DeploymentId),
    /// A message, or the deployment that it belongs to.
    Message(MessageName),
}

/// What names a message: our id, which every call carries as opaque callback data, the provider's, or both.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct MessageName {
    /// Our own id, where it came back to us.
    pub own: Option<MessageId>,
    /// The provider's id.
    pub provider: Option<String>,
}

/// What could not be understood, as it came.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// Why it was kept: a short constant such as `unknown_status`.
    pub reason: String,
    /// What came: written JSON.
    pub payload: String,
}

impl Person {
    /// Learns what `told` knows of the same person: ids where they were not known, and the newest name. Tells whether
    /// anything was new.
    pub fn learn(&mut self, told: &Self) -> bool {
        let before = self.clone();
        let ContactKey { phone, wa_id, provider_user_id } = &told.key;
        self.key.phone = self.key.phone.take().or_else(|| phone.clone());
        self.key.wa_id = self.key.wa_id.take().or_else(|| wa_id.clone());
        self.key.provider_user_id = self.key.provider_user_id.take().or_else(|| provider_user_id.clone());
        keep_greatest(&mut self.name, told.name.as_ref());
        *self != before
    }
}

impl Target {
    /// A message by the provider's id alone.
    pub const fn provider(id: String) -> Self {
        Self::Message(MessageName { own: None, provider: Some(id) })
    }

    /// One of our own messages.
    pub const fn own(id: MessageId) -> Self {
        Self::Message(MessageName { own: Some(id), provider: None })
    }

    /// The provider's id in it.
    pub fn provider_message_id(&self) -> Option<&str> {
        match self {
            Self::Message(name) => name.provider.as_deref(),
            Self::Deployment(_) => None,
        }
    }
}
