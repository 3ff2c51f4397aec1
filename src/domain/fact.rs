//! Facts as they arrive: from a webhook, from the provider's answer to a call, or through `recordFacts`.
//!
//! A fact refers to its subject by whatever identifiers its source has (a provider's message id, a phone number) and carries
//! the time at which it happened. The recorder resolves the identifiers. Facts that must wait are stored as JSON, hence serde.

use serde::{Deserialize, Serialize};

use super::clock::Timestamp;
use super::contact::{ContactKey, ProfileName};
use super::id::{ContactId, ConversationId, DeploymentId, LineId, MessageId};
use super::inbound::Referral;
use super::merge::{MessageFacts, Session, keep_greatest};
use super::message::{MessageKind, Sender};
use super::preference::Preference;

/// Something that happened, and when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Fact {
    /// How far an outgoing message got.
    Status(StatusFact),
    /// A message from or to a user.
    Message(MessageFact),
    /// Who is handling the conversation with the user.
    Session {
        /// The deployment.
        of: Target,
        /// The session status, and since when.
        session: Session,
    },
    /// The user answered a final step.
    Finished {
        /// The deployment.
        of: Target,
        /// When the user answered.
        at: Timestamp,
    },
    /// A named value of a deployment.
    Variable {
        /// The deployment.
        of: Target,
        /// The variable's name.
        name: String,
        /// The variable's value.
        value: String,
        /// When the variable took that value.
        at: Timestamp,
    },
    /// A person said whether to be written to, without a message that says it.
    Preference {
        /// Who said it.
        person: Person,
        /// What was said.
        preference: Preference,
    },
    /// We are about to call the provider for a send. This is recorded before the call, so that a reply finds its deployment
    /// even if the provider's answer is lost.
    Dispatched {
        /// The message about to be sent.
        message: MessageId,
        /// When the call begins.
        at: Timestamp,
        /// The epoch under which the message is claimed. Storage refuses the fact if the claim is not held any more.
        epoch: i64,
    },
    /// Our call to the provider was not made after all, or certainly did not arrive, and the message is queued again. It
    /// undoes an earlier `Dispatched`. Only the dispatcher, which knows their order, reports either of them.
    Withdrawn {
        /// The message that was not sent.
        message: MessageId,
        /// The epoch under which the message is claimed, as for `Dispatched`.
        epoch: i64,
    },
    /// A message of a canceled send. It fails as canceled unless it was dispatched before, which only the version's lock
    /// decides; the one that comes second has no effect.
    Canceled {
        /// The message that is not to be sent.
        message: MessageId,
        /// When the send was canceled.
        at: Timestamp,
    },
    /// An agent takes over an open session. Like all that follows about sessions it is refused if the session is over.
    Assigned {
        /// The session's deployment.
        of: DeploymentId,
        /// The name by which the company knows the agent.
        agent: String,
        /// Whether it is refused if another agent has the session.
        only_unassigned: bool,
    },
    /// An agent writes to the user.
    AgentMessage {
        /// The session's deployment.
        of: DeploymentId,
        /// Our id of the message.
        message: MessageId,
        /// What the agent says.
        content: Content,
    },
    /// An agent closes a session.
    Closed {
        /// The session's deployment.
        of: DeploymentId,
        /// Whether the user is asked for a rating first, if the flow has a step for that.
        rating: bool,
    },
    /// Nothing was said in a session for as long as its flow waits.
    Lapsed {
        /// The session's deployment.
        of: DeploymentId,
        /// When its time was up.
        at: Timestamp,
    },
    /// A flow leads a user to another conversation.
    Jumped(Jump),
    /// Something that could not be understood. It is kept as it arrived, and counted.
    Kept(Kept),
}

/// A way from one conversation to another of the same line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Jump {
    /// The deployment that ended with it.
    pub from: DeploymentId,
    /// The user's contact.
    pub contact: ContactId,
    /// The line of both conversations.
    pub line: LineId,
    /// The conversation that begins.
    pub to: ConversationId,
    /// How many jumps there were since the user last said something.
    pub hops: u8,
}

/// How far an outgoing message got.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatusFact {
    /// The message, or the deployment as a whole, that the status is about.
    pub of: Target,
    /// The reported statuses and failures.
    pub facts: MessageFacts,
    /// What the report says about the recipient, if anything.
    pub recipient: Option<Person>,
}

/// A message from or to a user on a line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MessageFact {
    /// The line on which it was sent or received.
    pub line: LineId,
    /// The user who wrote it or whom it was sent to.
    pub person: Person,
    /// Who wrote it.
    pub sender: Sender,
    /// The provider's id of the message.
    pub provider_message_id: String,
    /// The provider's id of the message that it replies to, if it quotes one.
    pub in_reply_to: Option<String>,
    /// What it says, and when it was written.
    pub content: Content,
    /// What the user tapped to write it, if the provider tells. (Facts that were parked before this was read lack it.)
    #[serde(default)]
    pub referral: Option<Referral>,
}

/// What a message says, and when it was written. Of two reports of the same message the lesser is kept, hence the earlier.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Content {
    /// When it was written.
    pub at: Timestamp,
    /// The kind of message.
    pub kind: MessageKind,
    /// The text, if the kind has one.
    pub text: Option<String>,
    /// What the kind carries beyond its text, as JSON text.
    pub payload: Option<String>,
}

/// A person's identifiers and profile name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    /// The person's identifiers.
    pub key: ContactKey,
    /// The person's WhatsApp profile name, if known.
    pub name: Option<ProfileName>,
}

/// What a fact is about.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Target {
    /// A deployment, by our id.
    Deployment(DeploymentId),
    /// A message, or the deployment to which that message belongs.
    Message(MessageName),
}

/// The ids of a message: our own, which every call carries as opaque callback data, the provider's, or both.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct MessageName {
    /// Our own id, if the report contains it.
    pub own: Option<MessageId>,
    /// The provider's id, if the report contains it.
    pub provider: Option<String>,
}

/// Something that could not be understood, as it arrived.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// Why it was kept: a short constant such as `unknown_status`.
    pub reason: String,
    /// What arrived, as JSON text.
    pub payload: String,
}

impl Fact {
    /// When what it tells happened: of several things the last.
    pub fn happened_at(&self) -> Option<Timestamp> {
        match self {
            Self::Status(status) => {
                let MessageFacts { accepted, held, sent, delivered, read, failed, .. } = &status.facts;
                let failed = failed.as_ref().map(|failure| failure.at);
                [*accepted, *held, *sent, *delivered, *read, failed].into_iter().flatten().max()
            }
            Self::Message(message) => Some(message.content.at),
            _ => None,
        }
    }
}

impl Person {
    /// Adds what `told` says about the same person: identifiers that were unknown, and the latest name. Returns whether
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
    /// A message, by the provider's id alone.
    pub const fn provider(id: String) -> Self {
        Self::Message(MessageName { own: None, provider: Some(id) })
    }

    /// One of our own messages, by our id alone.
    pub const fn own(id: MessageId) -> Self {
        Self::Message(MessageName { own: Some(id), provider: None })
    }

    /// The provider's message id, if it is known.
    pub fn provider_message_id(&self) -> Option<&str> {
        match self {
            Self::Message(name) => name.provider.as_deref(),
            Self::Deployment(_) => None,
        }
    }
}
