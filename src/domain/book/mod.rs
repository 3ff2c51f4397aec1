//! The book: the part of a workspace that a batch of facts affects, and how the facts change it.
//!
//! Storage opens a book with the rows to which the facts refer, the facts are applied one by one, and storage writes the rows
//! that became dirty. Nothing here reads or writes a database, so the same code runs in the recorder and in the property
//! tests, which check the law: the same facts, in any order and with any repetition, lead to the same book.

mod apply;
mod attribution;
mod cancel;
mod deploy;
mod dispatch;
mod erase;
mod session;
mod settle;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use super::clock::Timestamp;
use super::fact::{Content, Jump, Person};
use super::failure::Failure;
use super::flow::Flow;
use super::flow::engine::State;
use super::funnel::Contribution;
use super::id::{ContactId, DeploymentId, LineId, MessageId, SendId, UserId, VersionId};
use super::merge::{ContactFacts, DeploymentFacts, MessageFacts, Variables};
use super::message::Sender;
use super::preference::PreferenceWords;
use super::standing::Cell;
use super::user::ChangeKinds;

pub use apply::{Applied, Resolved};
pub use deploy::NewDeployment;
pub use session::WINDOW;
pub use settle::{Said, SendMove, Settlement, UserMove};

/// Added to a message's time to live, since the provider's clock and its last attempt may be a little behind.
const EXPIRY_BUFFER: Duration = Duration::from_mins(1);

/// The rows that a batch affects. The fields are public for storage, which fills them and reads them back.
#[derive(Debug, Default)]
pub struct Book {
    /// The users of the deployments below.
    pub users: HashMap<UserId, UserEntry>,
    /// The deployments to which facts refer, directly or by a message, and those to which a contact's message may belong. Those
    /// of messages are left out of which only a status is told that makes no difference to them.
    pub deployments: HashMap<DeploymentId, DeploymentEntry>,
    /// The messages to which facts refer, and the first messages of the deployments.
    pub messages: HashMap<MessageId, MessageEntry>,
    /// Messages by the provider's id.
    pub names: HashMap<String, MessageId>,
    /// The senders and recipients of messages, and whoever else a fact is about.
    pub contacts: HashMap<ContactId, ContactEntry>,
    /// What is kept of the sessions of the deployments above.
    pub sessions: HashMap<DeploymentId, SessionEntry>,
    /// The flows that run in the versions of the deployments above, and in those that may begin.
    pub flows: HashMap<VersionId, Arc<Flow>>,
    /// The words by which contacts opt out and in again.
    pub words: Arc<PreferenceWords>,
    /// The time of the batch, at which flows answer.
    pub now: Timestamp,
    /// The failures of deployments at the time when the book was opened.
    failures: HashMap<DeploymentId, Failure>,
    users_by_contact: HashMap<(VersionId, ContactId), UserId>,
    touched: Touched,
}

/// What is known of a contact.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ContactEntry {
    /// The contact's identifiers and profile name.
    pub person: Person,
    /// Whether the contact may be written to.
    pub facts: ContactFacts,
    /// When the contact's data was erased, if it was: nothing is learnt of the contact any more.
    pub erased: Option<Timestamp>,
}

/// A user's row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserEntry {
    /// The user's id.
    pub id: UserId,
    /// The version of which this is a user.
    pub version: VersionId,
    /// The contact who is the user.
    pub contact: ContactId,
    /// How many deployments the user has, which is the number of the latest; at least 1.
    pub deployments: i32,
    /// When the latest deployment was due.
    pub deployed_at: Timestamp,
    /// The user's cell; `None` until it is settled for the first time.
    pub cell: Option<Cell>,
    /// The user's latest own action, if any.
    pub activity: Option<Timestamp>,
}

/// A deployment's row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeploymentEntry {
    /// The deployment's id.
    pub id: DeploymentId,
    /// The user that it is for.
    pub user: UserId,
    /// The user's version.
    pub version: VersionId,
    /// The user's contact.
    pub contact: ContactId,
    /// The line on which it runs.
    pub line: LineId,
    /// The send that created it; `None` if an inbound message did.
    pub send: Option<SendId>,
    /// 1, 2, 3 … within the user.
    pub number: i32,
    /// Whether it retries the user's deployment before it.
    pub retries: bool,
    /// When it was due to be sent.
    pub queued_at: Timestamp,
    /// The time from which messages of its contact on its line belong to it; `None` until it has begun.
    pub began: Option<Timestamp>,
    /// Whether its first message was created with it, rather than being the earliest that another system reports.
    pub made: bool,
    /// Its first message, if it has one yet.
    pub first: Option<MessageId>,
    /// The facts of the deployment itself.
    pub facts: DeploymentFacts,
    /// Those of its variables that the batch's facts set, and that its flow needs to answer.
    pub variables: Variables,
    /// Its cell when the book was opened; `None` if it is new.
    pub cell_before: Option<Cell>,
}

/// A message's row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageEntry {
    /// The message's id.
    pub id: MessageId,
    /// The user in whose history it is.
    pub user: UserId,
    /// The deployment to which it belongs.
    pub deployment: DeploymentId,
    /// The line on which it was sent or received.
    pub line: LineId,
    /// Who wrote it.
    pub sender: Sender,
    /// What it says, and when it was written.
    pub content: Content,
    /// The provider's id of the message, once it is known.
    pub provider_message_id: Option<String>,
    /// Whether it is its deployment's first message.
    pub first: bool,
    /// How long after its acceptance it expires unless delivered; `None` if somebody else sent it.
    pub time_to_live: Option<Duration>,
    /// The statuses and failures of an outgoing message.
    pub facts: MessageFacts,
    /// The number of the version's change that added it; `None` until it is written.
    pub revision: Option<i64>,
}

/// What is kept of a session beyond its status.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SessionEntry {
    /// Where the user is in the flow; `None` if no flow runs.
    pub state: Option<State>,
    /// The agent to whom it was last assigned, and when.
    pub agent: Option<(Timestamp, String)>,
    /// When it expires unless something is said before; `None` once it is over.
    pub expires: Option<Timestamp>,
    /// When we last said something in it.
    pub said: Option<Timestamp>,
    /// Whether it ended by a jump to another conversation that has yet to begin.
    pub jumping: bool,
    /// What it adds to the funnel of its version, as it is stored.
    pub contribution: Contribution,
}

/// A message of ours that is said in a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reply {
    /// The message.
    pub message: MessageId,
    /// The contact to whom it is said.
    pub contact: ContactId,
    /// The line to send it on.
    pub line: LineId,
    /// When it is said, which decides the order among what is said to the contact.
    pub at: Timestamp,
}

/// What became dirty, in ordered sets so that settling is deterministic.
#[derive(Debug, Default)]
struct Touched {
    users: BTreeMap<UserId, ChangeKinds>,
    deployments: BTreeSet<DeploymentId>,
    /// Deployments whose cell may have changed, whether or not their own rows did.
    standing: BTreeSet<DeploymentId>,
    /// Messages that are new or whose content changed.
    told: BTreeSet<MessageId>,
    /// Messages whose status or time changed.
    progressed: BTreeSet<MessageId>,
    /// Messages that were canceled before their call.
    canceled: BTreeSet<MessageId>,
    variables: BTreeSet<(DeploymentId, String)>,
    contacts: BTreeSet<ContactId>,
    /// Deployments whose earliest answer must be determined again, because the time of their first message, of their
    /// beginning or of an answer changed.
    answers_moved: BTreeSet<DeploymentId>,
    /// Keys that became known and for which facts may be parked.
    known: BTreeSet<String>,
    sessions: BTreeSet<DeploymentId>,
    /// What is to be sent besides first messages.
    replies: Vec<Reply>,
    /// Steps that were answered, with the rounded seconds that it took.
    answers: Vec<(VersionId, String, i64)>,
    /// Where flows lead from here.
    jumps: Vec<Jump>,
}

impl Book {
    /// Adds a message, and makes it known by the provider's id.
    pub fn enter_message(&mut self, message: MessageEntry) {
        if let Some(name) = &message.provider_message_id {
            self.names.insert(name.clone(), message.id);
        }
        self.messages.insert(message.id, message);
    }

    /// Adds a deployment as it is before the batch. Its first message must have been added already.
    pub fn enter_deployment(&mut self, mut deployment: DeploymentEntry) {
        deployment.cell_before = Some(self.cell_of(&deployment));
        self.failures.extend(self.failure_of(&deployment).map(|failure| (deployment.id, failure)));
        self.deployments.insert(deployment.id, deployment);
    }

    /// Adds a user as it is before the batch.
    pub fn enter_user(&mut self, user: UserEntry) {
        self.users_by_contact.insert((user.version, user.contact), user.id);
        self.users.insert(user.id, user);
    }

    /// Adds what is kept of a session, as it is before the batch. Its deployment and flow must have been added already.
    pub fn enter_session(&mut self, id: DeploymentId, session: SessionEntry) {
        self.sessions.insert(id, session);
        let contribution = self.contribution(id).unwrap_or_default();
        if let Some(session) = self.sessions.get_mut(&id) {
            session.contribution = contribution;
        }
    }

    fn touch_user(&mut self, id: UserId) -> &mut ChangeKinds {
        self.touched.users.entry(id).or_default()
    }

    /// The deployments in the book that are not their user's latest.
    pub fn superseded(&self) -> impl Iterator<Item = &DeploymentEntry> {
        self.deployments.values().filter(|one| !self.is_latest(one))
    }

    fn is_latest(&self, deployment: &DeploymentEntry) -> bool {
        self.users.get(&deployment.user).is_some_and(|user| user.deployments == deployment.number)
    }
}

impl ContactEntry {
    /// Adds what was told of the contact. Returns whether anything was new.
    pub fn learn(&mut self, person: Option<&Person>, facts: &ContactFacts) -> bool {
        if self.erased.is_some() {
            return false;
        }
        let known_as = person.is_some_and(|person| self.person.learn(person));
        self.facts.merge(facts) || known_as
    }
}

impl MessageEntry {
    /// Whether the user wrote it and its kind counts as an answer.
    pub fn answers(&self) -> bool {
        self.sender == Sender::User && self.content.kind.answers()
    }

    /// When it expires; `None` unless it is on its way.
    pub fn expires_at(&self) -> Option<Timestamp> {
        Some(self.facts.under_way_since()?.plus(self.time_to_live?).plus(EXPIRY_BUFFER))
    }

    /// The order of outgoing messages. The least is the first message of a deployment that was created without one.
    fn place(&self) -> (Timestamp, Option<&str>) {
        (self.content.at, self.provider_message_id.as_deref())
    }
}
