//! The book: the part of a workspace that a batch of facts touches, and what the facts make of it.
//!
//! Storage opens a book with the rows that the facts name, the facts are applied one by one, and storage writes what became
//! dirty. Nothing here reads or writes a database, so the same code runs in the recorder and in the property tests, which
//! hold the law: any order and any duplication of the same facts ends in the same book.

mod apply;
mod attribution;
mod deploy;
mod settle;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::clock::Timestamp;
use super::fact::{Content, Person};
use super::failure::Failure;
use super::id::{ContactId, DeploymentId, LineId, MessageId, SendId, UserId, VersionId};
use super::merge::{DeploymentFacts, MessageFacts, Variables};
use super::message::Sender;
use super::standing::Cell;
use super::user::ChangeKinds;

pub use apply::Applied;
pub use deploy::NewDeployment;
pub use settle::{Said, SendMove, Settlement, UserMove};

/// The rows that a batch touches. Everything is public to storage, which fills it and reads it back.
#[derive(Debug, Default)]
pub struct Book {
    /// Lines that messages are on.
    pub lines: HashMap<LineId, LineEntry>,
    /// Users of the deployments below.
    pub users: HashMap<UserId, UserEntry>,
    /// Deployments that facts name, directly or by a message, and those that a message by its contact may belong to.
    pub deployments: HashMap<DeploymentId, DeploymentEntry>,
    /// Messages that facts name, and the first messages of the deployments.
    pub messages: HashMap<MessageId, MessageEntry>,
    /// Messages by the provider's id.
    pub names: HashMap<String, MessageId>,
    /// People that messages are from and to.
    pub contacts: HashMap<ContactId, Person>,
    /// Why deployments had failed when the book was opened.
    failures: HashMap<DeploymentId, Failure>,
    users_by_contact: HashMap<(VersionId, ContactId), UserId>,
    touched: Touched,
}

/// A line, as far as messages on it need it.
#[derive(Debug, Clone, Copy)]
pub struct LineEntry {
    /// The current version of the line's inbound conversation.
    pub inbound: Option<VersionId>,
}

/// A user's row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserEntry {
    /// Its id.
    pub id: UserId,
    /// Its version.
    pub version: VersionId,
    /// Its contact.
    pub contact: ContactId,
    /// How many deployments it has; the number of the latest.
    pub deployments: i32,
    /// When the latest was due.
    pub deployed_at: Timestamp,
    /// Where it stands; none before it is first settled.
    pub cell: Option<Cell>,
    /// Its own latest action.
    pub activity: Option<Timestamp>,
}

/// A deployment's row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeploymentEntry {
    /// Its id.
    pub id: DeploymentId,
    /// Its user.
    pub user: UserId,
    /// Its version.
    pub version: VersionId,
    /// Its contact.
    pub contact: ContactId,
    /// Its line.
    pub line: LineId,
    /// Its send; none where an inbound message began it.
    pub send: Option<SendId>,
    /// Its number within the user.
    pub number: i32,
    /// When it was due.
    pub queued_at: Timestamp,
    /// From when on messages of its contact on its line belong to it.
    pub began: Option<Timestamp>,
    /// Whether its first message was made with it, rather than being the earliest that another system reports.
    pub made: bool,
    /// Its first message, where it has one yet.
    pub first: Option<MessageId>,
    /// What is known of it.
    pub facts: DeploymentFacts,
    /// Its variables, as far as facts name them.
    pub variables: Variables,
    /// Where it stood when the book was opened; none where it is new.
    pub cell_before: Option<Cell>,
}

/// A message's row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageEntry {
    /// Its id.
    pub id: MessageId,
    /// Whose history it is in.
    pub user: UserId,
    /// The deployment that it belongs to.
    pub deployment: DeploymentId,
    /// The line that it was on.
    pub line: LineId,
    /// Who wrote it.
    pub sender: Sender,
    /// What it says, and when.
    pub content: Content,
    /// The provider's id, once known.
    pub provider_message_id: Option<String>,
    /// Whether it is its deployment's first message.
    pub first: bool,
    /// How far it got.
    pub facts: MessageFacts,
    /// The change that added it; none until the book is settled.
    pub revision: Option<i64>,
}

/// What became dirty, in orders that make a settlement repeatable.
#[derive(Debug, Default)]
struct Touched {
    users: BTreeMap<UserId, ChangeKinds>,
    deployments: BTreeSet<DeploymentId>,
    /// Deployments that may stand elsewhere now, though their own rows may be as they were.
    standing: BTreeSet<DeploymentId>,
    /// Messages that are new, or say something else.
    told: BTreeSet<MessageId>,
    /// Messages that got further, or stand elsewhere in time.
    progressed: BTreeSet<MessageId>,
    variables: BTreeSet<(DeploymentId, String)>,
    contacts: BTreeSet<ContactId>,
    /// Deployments whose answers must be looked through again: their first message, their beginning or an answer moved in
    /// time.
    answers_moved: BTreeSet<DeploymentId>,
    /// What parked facts may wait for and has become known.
    known: BTreeSet<String>,
}

impl Book {
    /// Enters a message with its provider's name.
    pub fn enter_message(&mut self, message: MessageEntry) {
        if let Some(name) = &message.provider_message_id {
            self.names.insert(name.clone(), message.id);
        }
        self.messages.insert(message.id, message);
    }

    /// Enters a deployment as it stands before the batch: call it after its first message was entered.
    pub fn enter_deployment(&mut self, mut deployment: DeploymentEntry) {
        deployment.cell_before = Some(self.cell_of(&deployment));
        self.failures.extend(self.failure_of(&deployment).map(|failure| (deployment.id, failure)));
        self.deployments.insert(deployment.id, deployment);
    }

    /// Enters a user as it stands before the batch.
    pub fn enter_user(&mut self, user: UserEntry) {
        self.users_by_contact.insert((user.version, user.contact), user.id);
        self.users.insert(user.id, user);
    }

    fn touch_user(&mut self, id: UserId) -> &mut ChangeKinds {
        self.touched.users.entry(id).or_default()
    }

    fn is_latest(&self, deployment: &DeploymentEntry) -> bool {
        self.users.get(&deployment.user).is_some_and(|user| user.deployments == deployment.number)
    }
}

impl MessageEntry {
    /// Whether it is a message of the user's that answers.
    pub fn answers(&self) -> bool {
        self.sender == Sender::User && self.content.kind.answers()
    }

    /// The place among outgoing messages: the least is the first message where none was made with the deployment.
    fn place(&self) -> (Timestamp, Option<&str>) {
        (self.content.at, self.provider_message_id.as_deref())
    }
}
