//! The keys that a batch of facts names, and the lock on the versions that those keys lead to.

use std::collections::BTreeSet;

use sea_orm::{ConnectionTrait, DatabaseTransaction};

use super::Offered;
use crate::domain::book::MessageEntry;
use crate::domain::clock::Timestamp;
use crate::domain::code::Coded;
use crate::domain::contact::ContactKey;
use crate::domain::fact::{Fact, MessageName, StatusFact, Target};
use crate::domain::failure::ProviderFailure;
use crate::domain::id::{ContactId, DeploymentId, LineId, MessageId, VersionId, WorkspaceId, jump_deployment_key};
use crate::domain::merge::ContactFacts;
use crate::domain::message::Sender;
use crate::domain::standing::SessionStatus;
use crate::storage::contacts::{self, Directory};
use crate::storage::ledger::Locked;
use crate::storage::query::{Query, belongs};
use crate::storage::{StorageError, Tenant};

/// The contacts that the messages of a batch are from or to, and those whose preferences it brings.
#[derive(Default)]
pub(super) struct People {
    /// One entry per fact, in order; `None` for other facts.
    pub(super) contacts: Vec<Option<ContactId>>,
    /// What was known of them before the versions were locked.
    pub(super) directory: Directory,
}

/// The keys by which a batch finds the rows it affects.
#[derive(Default)]
pub(super) struct Keys {
    /// Messages, by our own ids.
    pub(super) messages: Vec<MessageId>,
    /// Messages, by the provider's ids.
    pub(super) provider_ids: BTreeSet<String>,
    /// Those of them whose deployments may change, too, by both ids. Of the others only statuses are told, which make no
    /// difference beyond the message unless it is the first of its deployment.
    consequential: (BTreeSet<MessageId>, BTreeSet<String>),
    /// The names by which such statuses tell of messages: the one name may become known only now.
    reported: Vec<MessageName>,
    /// Messages that must be claimed for their facts to hold.
    pub(super) claims: Vec<MessageId>,
    /// Deployments by id.
    pub(super) deployments: Vec<DeploymentId>,
    /// The names of the variables that facts set.
    pub(super) variables: BTreeSet<String>,
    /// The contacts of messages and preferences.
    pub(super) contacts: BTreeSet<ContactId>,
    /// Those of them whom several facts are about, so that their flows may take several steps.
    pub(super) busy: BTreeSet<ContactId>,
    /// The lines of messages.
    pub(super) lines: BTreeSet<LineId>,
    /// Whether any fact tells anything about a person.
    pub(super) people: bool,
    /// Messages of sends whose calls begin, which ends the open sessions of their contacts.
    pub(super) dispatched: Vec<MessageId>,
    /// The contacts whom flows led to another conversation.
    pub(super) led: BTreeSet<ContactId>,
    /// Whether a session may move.
    pub(super) running: bool,
    /// Whether a flow may have something to say.
    pub(super) talking: bool,
}

impl People {
    /// Finds the contacts, and creates missing ones.
    pub(super) async fn of(tenant: &Tenant, offered: &[Offered], now: Timestamp) -> Result<Self, StorageError> {
        let keys: Vec<Option<&ContactKey>> = offered.iter().map(|one| person(&one.fact)).collect();
        let named: Vec<_> = keys.iter().flatten().map(|&key| key.clone()).collect();
        if named.is_empty() {
            return Ok(Self { contacts: vec![None; offered.len()], ..Self::default() });
        }
        let directory = contacts::resolve(tenant, &named, now).await?;
        Ok(Self { contacts: keys.into_iter().map(|key| directory.find(key?)).collect(), directory })
    }
}

impl Keys {
    pub(super) fn of(offered: &[Offered], people: &People) -> Self {
        let mut keys = Self::default();
        for (one, contact) in offered.iter().zip(&people.contacts) {
            keys.add(&one.fact);
            let again = contact.filter(|contact| !keys.contacts.insert(*contact));
            keys.busy.extend(again);
        }
        let (ids, names) = &mut keys.consequential;
        let matters = |name: &&MessageName| name.provider.as_ref().is_some_and(|name| names.contains(name));
        ids.extend(keys.reported.iter().filter(matters).filter_map(|name| name.own));
        keys
    }

    fn add(&mut self, fact: &Fact) {
        match fact {
            Fact::Status(status) => self.add_status(status),
            Fact::Session { of, .. } => {
                self.running = true;
                self.add_target(of);
            }
            Fact::Finished { of, .. } => self.add_target(of),
            Fact::Variable { of, name, .. } => {
                // Of somebody whose data was erased it is not recorded.
                self.people = true;
                self.variables.insert(name.clone());
                self.add_target(of);
            }
            Fact::Message(message) => {
                self.people = true;
                self.talks(message.sender == Sender::User);
                self.add_name(Some(&message.provider_message_id));
                self.add_name(message.in_reply_to.as_ref());
                self.lines.insert(message.line);
            }
            Fact::Preference { .. } => self.people = true,
            Fact::Dispatched { message, .. } => {
                self.add_message(*message);
                self.claims.push(*message);
                self.dispatched.push(*message);
                self.running = true;
            }
            Fact::Withdrawn { message, .. } => {
                self.add_message(*message);
                self.claims.push(*message);
            }
            Fact::Assigned { of, .. } | Fact::Lapsed { of, .. } => {
                self.running = true;
                self.deployments.push(*of);
            }
            Fact::Closed { of, .. } => {
                self.talks(true);
                self.deployments.push(*of);
            }
            Fact::AgentMessage { of, message, .. } => {
                self.running = true;
                self.deployments.push(*of);
                // What was said already is not said again, and nothing is said to somebody whose data was erased.
                self.add_message(*message);
                self.people = true;
            }
            Fact::Jumped(jump) => {
                // The deployment that the jump begins exists already if it was begun before.
                self.deployments.extend([jump.from, jump_deployment_key(jump.from)]);
                self.led.insert(jump.contact);
                self.lines.insert(jump.line);
                self.people = true;
                self.talks(true);
            }
            Fact::Canceled { message, .. } => self.add_message(*message),
            Fact::Kept(_) => {}
        }
    }

    /// Notes whether a fact may make a flow say something, which moves its session.
    const fn talks(&mut self, talks: bool) {
        self.talking |= talks;
        self.running |= talks;
    }

    fn add_target(&mut self, target: &Target) {
        match target {
            Target::Deployment(id) => self.deployments.push(*id),
            Target::Message(name) => {
                name.own.into_iter().for_each(|id| self.add_message(id));
                self.add_name(name.provider.as_ref());
            }
        }
    }

    fn add_message(&mut self, id: MessageId) {
        self.messages.push(id);
        self.consequential.0.insert(id);
    }

    fn add_name(&mut self, provider_id: Option<&String>) {
        self.provider_ids.extend(provider_id.cloned());
        self.consequential.1.extend(provider_id.cloned());
    }

    fn add_status(&mut self, StatusFact { of, facts, recipient }: &StatusFact) {
        let tells_of_people = recipient.is_some() || facts.failed.as_ref().is_some_and(tells_of_recipient);
        self.people |= tells_of_people;
        match of {
            Target::Message(name) if !tells_of_people => {
                self.messages.extend(name.own);
                self.provider_ids.extend(name.provider.clone());
                self.reported.push(name.clone());
            }
            _ => self.add_target(of),
        }
    }

    /// Whether the deployment of a message may change.
    pub(super) fn moves_deployment_of(&self, message: &MessageEntry) -> bool {
        let (own, others) = &self.consequential;
        let is_named = message.provider_message_id.as_ref().is_some_and(|name| others.contains(name));
        message.first || is_named || own.contains(&message.id)
    }

    /// Locks the versions to which the keys lead, and those that messages may begin.
    pub(super) async fn lock(
        &self,
        db: &DatabaseTransaction,
        workspace: WorkspaceId,
        inbound: &BTreeSet<VersionId>,
    ) -> Result<Locked, StorageError> {
        let mut query = Query::on(db);
        let workspace = query.bind(workspace.0);
        let of_messages = |condition: String| {
            format!(
                "SELECT d.version_id FROM messages m JOIN deployments d ON d.id = m.deployment_id \
                 WHERE {condition}"
            )
        };
        let of_deployments = |condition: String| {
            let belongs = belongs("workspace_id", workspace);
            format!("SELECT version_id FROM deployments WHERE {belongs} AND {condition}")
        };
        let mut ways = Vec::new();
        if !self.messages.is_empty() {
            let ids = query.among("m.id", &self.messages);
            ways.push(of_messages(format!("{ids} AND {}", belongs("m.workspace_id", workspace))));
        }
        if !self.provider_ids.is_empty() {
            let names = query.among_texts("m.provider_message_id", &self.provider_ids());
            ways.push(of_messages(format!("m.workspace_id = {workspace} AND {names}")));
        }
        if !self.deployments.is_empty() {
            ways.push(of_deployments(query.among("id", &self.deployments)));
        }
        if self.reaches() {
            ways.push(of_deployments(self.reached(&mut query)));
        }
        if !self.dispatched.is_empty() {
            ways.push(of_deployments(format!("id IN ({})", self.interrupted(&mut query))));
        }
        if ways.is_empty() {
            return Ok(Locked::default());
        }
        let mut condition = format!("id IN ({})", ways.join(" UNION "));
        if !inbound.is_empty() {
            let inbound = query.among("id", &inbound.iter().copied().collect::<Vec<_>>());
            condition = format!("({condition} OR {inbound})");
        }
        Locked::lock(query, &format!("workspace_id = {workspace} AND {condition}")).await
    }

    /// Whether messages may belong to whatever deployment their contacts have.
    pub(super) fn reaches(&self) -> bool {
        !(self.contacts.is_empty() && self.led.is_empty() || self.lines.is_empty())
    }

    /// The condition that messages of these contacts on these lines may belong to a deployment.
    pub(super) fn reached<C: ConnectionTrait>(&self, query: &mut Query<'_, C>) -> String {
        let contacts = query.among("contact_id", &self.contacts.union(&self.led).copied().collect::<Vec<_>>());
        let lines = query.among("line_id", &self.lines.iter().copied().collect::<Vec<_>>());
        format!("{contacts} AND {lines} AND began_at IS NOT NULL")
    }

    /// The deployments whose open sessions end when messages are dispatched to their contacts on their lines.
    pub(super) fn interrupted<C: ConnectionTrait>(&self, query: &mut Query<'_, C>) -> String {
        let messages = query.among("m.id", &self.dispatched);
        let open = SessionStatus::ALL.iter().filter(|status| !status.is_over()).map(|status| status.code().to_string());
        let open = open.collect::<Vec<_>>().join(", ");
        format!(
            "SELECT o.id FROM messages m JOIN deployments d ON d.id = m.deployment_id JOIN deployments o \
             ON o.contact_id = d.contact_id AND o.line_id = d.line_id AND o.began_at IS NOT NULL \
             WHERE {messages} AND m.first AND o.session_status IN ({open})"
        )
    }

    /// The provider's ids of messages, as string slices.
    pub(super) fn provider_ids(&self) -> Vec<&str> {
        self.provider_ids.iter().map(String::as_str).collect()
    }
}

/// The person that a message is from or to, or whose preference it is. (The recipient of a status is found by its message.)
const fn person(fact: &Fact) -> Option<&ContactKey> {
    match fact {
        Fact::Message(message) => Some(&message.person.key),
        Fact::Preference { person, .. } => Some(&person.key),
        _ => None,
    }
}

fn tells_of_recipient(failure: &ProviderFailure) -> bool {
    !ContactFacts::of_failure(failure).is_empty()
}
