//! Opening a book with exactly the rows that a batch names.

use std::collections::BTreeSet;

use super::model::{Offer, Workspace};
use super::preferences::words;
use crate::domain::book::{Book, DeploymentEntry, MessageEntry, Resolved};
use crate::domain::fact::{Fact, StatusFact, Target};
use crate::domain::id::{ContactId, DeploymentId, LineId, MessageId};

/// What the facts of a batch name.
#[derive(Default)]
struct Named {
    own: BTreeSet<MessageId>,
    provider: BTreeSet<String>,
    deployments: BTreeSet<DeploymentId>,
    variables: BTreeSet<String>,
    contacts: BTreeSet<ContactId>,
    pairs: BTreeSet<(LineId, ContactId)>,
}

impl Named {
    fn by(&mut self, fact: &Fact) {
        match fact {
            Fact::Status(StatusFact { of, .. }) | Fact::Session { of, .. } | Fact::Finished { of, .. } => {
                self.target(of);
            }
            Fact::Variable { of, name, .. } => {
                self.target(of);
                self.variables.insert(name.clone());
            }
            Fact::Message(message) => {
                self.provider.insert(message.provider_message_id.clone());
                self.provider.extend(message.in_reply_to.clone());
            }
            Fact::Dispatched { message, .. } | Fact::Withdrawn { message, .. } | Fact::Canceled { message, .. } => {
                self.own.extend([*message]);
            }
            Fact::Assigned { of, .. }
            | Fact::AgentMessage { of, .. }
            | Fact::Closed { of, .. }
            | Fact::Lapsed { of, .. } => {
                self.deployments.extend([*of]);
            }
            Fact::Jumped(jump) => self.deployments.extend([jump.from]),
            Fact::Preference { .. } | Fact::Kept(_) => {}
        }
    }

    fn target(&mut self, of: &Target) {
        match of {
            Target::Deployment(id) => self.deployments.extend([*id]),
            Target::Message(name) => {
                self.own.extend(name.own);
                self.provider.extend(name.provider.clone());
            }
        }
    }
}

impl Workspace {
    /// A book with what the batch names, and nothing else.
    pub(super) fn open(&self, batch: &[Offer]) -> Book {
        let mut named = Named::default();
        for (fact, contact) in batch {
            named.by(fact);
            named.contacts.extend(contact);
            if let (Fact::Message(message), Some(contact)) = (fact, contact) {
                named.pairs.insert((message.line, *contact));
            }
        }
        let mut book = Book { words: words(), ..Book::default() };
        let is_named = |message: &&MessageEntry| {
            named.own.contains(&message.id)
                || message.provider_message_id.as_ref().is_some_and(|name| named.provider.contains(name))
        };
        let messages: Vec<_> = self.messages.values().filter(is_named).collect();
        named.deployments.extend(messages.iter().map(|message| message.deployment));
        for message in messages {
            book.enter_message(message.clone());
        }
        for deployment in self.deployments.values() {
            let by_contact = named.pairs.contains(&(deployment.line, deployment.contact));
            if by_contact || named.deployments.contains(&deployment.id) {
                self.enter(&mut book, deployment, &named.variables);
            }
        }
        let contacts = named.contacts.into_iter().chain(book.deployments.values().map(|one| one.contact));
        book.contacts = contacts.map(|id| (id, self.contacts[&id].clone())).collect();
        book
    }

    /// What is looked up for a fact before it is applied.
    pub(super) fn resolve(&self, fact: &Fact, contact: Option<ContactId>) -> Resolved {
        let begins = match fact {
            Fact::Message(message) => self.lines[&message.line],
            _ => None,
        };
        Resolved { contact, begins }
    }

    fn enter(&self, book: &mut Book, deployment: &DeploymentEntry, variables: &BTreeSet<String>) {
        if let Some(first) = deployment.first {
            book.enter_message(self.messages[&first].clone());
        }
        let mut deployment = deployment.clone();
        deployment.variables.retain(|name, _| variables.contains(name));
        book.enter_user(self.users[&deployment.user].clone());
        book.enter_deployment(deployment);
    }
}
