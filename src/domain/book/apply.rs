//! Applying one fact to the book.

use super::attribution::Attribution;
use super::{Book, MessageEntry};
use crate::domain::clock::Timestamp;
use crate::domain::fact::{Fact, MessageFact, MessageName, Person, StatusFact, Target};
use crate::domain::id::{ContactId, DeploymentId, MessageId, UserId, VersionId, WorkspaceId, reported_message_key};
use crate::domain::merge::{ContactFacts, DeploymentFacts, MessageFacts, VariableValue, merge_variable};
use crate::domain::message::Sender;
use crate::domain::user::ChangeKind;

/// What was looked up for a fact before it is applied.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Resolved {
    /// The user side of a message, or the person of a preference; other facts have none.
    pub contact: Option<ContactId>,
    /// The version that a user's message begins if it belongs to no deployment; `None` if there is none to begin.
    pub begins: Option<VersionId>,
}

/// The result of applying a fact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Applied {
    /// It was merged, or was known already.
    Merged,
    /// It must wait until this key becomes known.
    Waits(String),
    /// It came too late: the message is canceled, or claimed by somebody else, and must not be sent.
    Refused,
    /// It belongs to nothing; the constant says why.
    Nowhere(&'static str),
}

impl Book {
    /// Applies a fact.
    pub fn apply(&mut self, workspace: WorkspaceId, fact: &Fact, resolved: Resolved) -> Applied {
        let Resolved { contact, begins } = resolved;
        match fact {
            Fact::Status(status) => self.apply_status(status),
            Fact::Message(message) => match contact {
                Some(contact) => self.apply_message(workspace, message, contact, begins),
                None => Applied::Nowhere("message_of_nobody"),
            },
            Fact::Session { of, session } => {
                let facts = DeploymentFacts { session: Some(*session), ..DeploymentFacts::default() };
                self.apply_to_deployment(of, &facts)
            }
            Fact::Finished { of, at } => {
                let facts = DeploymentFacts { finished: Some(*at), ..DeploymentFacts::default() };
                self.apply_to_deployment(of, &facts)
            }
            Fact::Variable { of, name, value, at } => {
                self.apply_variable(of, name, &VariableValue { at: *at, value: value.clone() })
            }
            Fact::Preference { person, preference } => {
                let facts = ContactFacts { preference: Some(*preference), blocked: None };
                self.learn(contact, Some(person), &facts);
                contact.map_or(Applied::Nowhere("preference_of_nobody"), |_| Applied::Merged)
            }
            Fact::Dispatched { message, at, .. } => self.apply_dispatched(*message, *at),
            Fact::Withdrawn { message, .. } => self.apply_withdrawn(*message),
            Fact::Canceled { message, at } => self.apply_canceled(*message, *at),
            Fact::Assigned { of, agent, only_unassigned } => self.apply_assigned(*of, agent, *only_unassigned),
            Fact::AgentMessage { of, message, content } => self.apply_agent_message(*of, *message, content),
            Fact::Closed { of, rating } => self.apply_closed(*of, *rating),
            Fact::Lapsed { of, at } => self.apply_lapsed(*of, *at),
            Fact::Jumped(jump) => self.apply_jumped(jump, begins),
            Fact::Kept(_) => Applied::Merged,
        }
    }

    fn apply_status(&mut self, status: &StatusFact) -> Applied {
        let name = match &status.of {
            Target::Message(name) => name,
            Target::Deployment(_) => {
                let facts = DeploymentFacts { reported: status.facts.clone(), ..DeploymentFacts::default() };
                let applied = self.apply_to_deployment(&status.of, &facts);
                self.learn_from_status(status);
                return applied;
            }
        };
        let Some(id) = self.message_named(name) else { return waits(name) };
        self.learn_name(id, name);
        self.merge_message(id, &status.facts);
        self.learn_from_status(status);
        Applied::Merged
    }

    /// Learns what a status says about the recipient. Every failure counts, even if another is the least of the message:
    /// which one that is depends on what else was reported, whereas what each says about the recipient does not.
    fn learn_from_status(&mut self, status: &StatusFact) {
        let contact = self.deployment_of(&status.of).and_then(|id| self.deployments.get(&id));
        let contact = contact.map(|deployment| deployment.contact);
        let facts = status.facts.failed.as_ref().map(ContactFacts::of_failure).unwrap_or_default();
        self.learn(contact, status.recipient.as_ref(), &facts);
    }

    fn apply_message(
        &mut self,
        workspace: WorkspaceId,
        message: &MessageFact,
        contact: ContactId,
        begins: Option<VersionId>,
    ) -> Applied {
        let by_user = message.sender == Sender::User;
        let preference = self.words.said(&message.content).filter(|_| by_user);
        self.learn(Some(contact), Some(&message.person), &ContactFacts { preference, blocked: None });
        if let Some(&known) = self.names.get(&message.provider_message_id) {
            self.merge_content(known, message);
            return Applied::Merged;
        }
        match self.attribute(message, contact, begins) {
            Attribution::To(deployment) => {
                let id = reported_message_key(workspace, &message.provider_message_id);
                self.add_message(id, deployment, message);
                // Who asks not to be written to, or to be written to again, says nothing to the flow.
                if by_user && preference.is_none() {
                    self.hear(id);
                }
                Applied::Merged
            }
            Attribution::Waits(key) => Applied::Waits(key),
            Attribution::Nowhere => Applied::Nowhere("unattributed_message"),
        }
    }

    pub(super) fn apply_to_deployment(&mut self, of: &Target, facts: &DeploymentFacts) -> Applied {
        let Some(id) = self.deployment_of(of) else { return missing(of) };
        let Some(deployment) = self.deployments.get_mut(&id) else { return missing(of) };
        let before = deployment.facts.clone();
        deployment.facts.merge(facts);
        if deployment.facts != before {
            self.touch_deployment(id);
        }
        Applied::Merged
    }

    fn apply_variable(&mut self, of: &Target, name: &str, value: &VariableValue) -> Applied {
        let Some(id) = self.deployment_of(of) else { return missing(of) };
        let contact = self.deployments.get(&id).and_then(|deployment| self.contacts.get(&deployment.contact));
        if contact.is_some_and(|contact| contact.erased.is_some()) {
            // It is a person's who is not to be known any more.
            return Applied::Merged;
        }
        self.set_variable(id, name, value);
        Applied::Merged
    }

    pub(super) fn set_variable(&mut self, id: DeploymentId, name: &str, value: &VariableValue) {
        let news = self.deployments.get_mut(&id).is_some_and(|one| merge_variable(&mut one.variables, name, value));
        if news {
            self.touched.variables.insert((id, name.to_owned()));
            self.note_on_latest(id, ChangeKind::Variable);
        }
    }

    fn learn(&mut self, contact: Option<ContactId>, person: Option<&Person>, facts: &ContactFacts) {
        let known = contact.and_then(|id| Some((id, self.contacts.get_mut(&id)?)));
        if let Some((id, known)) = known
            && known.learn(person, facts)
        {
            self.touched.contacts.insert(id);
        }
    }

    fn add_message(&mut self, id: MessageId, deployment: DeploymentId, fact: &MessageFact) {
        let Some(user) = self.deployments.get(&deployment).map(|deployment| deployment.user) else { return };
        self.enter_message(MessageEntry {
            id,
            user,
            deployment,
            line: fact.line,
            sender: fact.sender,
            content: fact.content.clone(),
            provider_message_id: Some(fact.provider_message_id.clone()),
            first: false,
            time_to_live: None,
            facts: MessageFacts::default(),
            revision: None,
        });
        self.touched.known.insert(fact.provider_message_id.clone());
        self.touch_user(user).add(ChangeKind::Message);
        self.placed(id);
    }

    /// Merges another report of a known message: the lesser content is kept. Reports do not change messages of our own.
    ///
    /// The message stays in the deployment to which its first report led, even if a later report alone would have led to
    /// another one: a session or a variable that refers to the deployment by this message could not follow it.
    fn merge_content(&mut self, id: MessageId, fact: &MessageFact) {
        let Some(message) = self.messages.get_mut(&id) else { return };
        let (user, sender, deployment) = (message.user, message.sender, message.deployment);
        let made = message.first && self.deployments.get(&deployment).is_some_and(|one| one.made);
        if !made && fact.content < message.content {
            message.content = fact.content.clone();
            self.touched.answers_moved.insert(deployment);
            if sender == Sender::User && fact.in_reply_to.is_none() {
                self.begin_earlier(deployment, fact.content.at);
            }
            self.placed(id);
        }
        if sender == Sender::User {
            self.user_active(user, fact.content.at);
        }
    }

    /// Draws the consequences of a reported message's time and content: it may be an activity and an answer of the user's,
    /// or the deployment's first message.
    fn placed(&mut self, id: MessageId) {
        self.touched.told.insert(id);
        let Some(message) = self.messages.get(&id).cloned() else { return };
        if message.sender == Sender::User {
            self.user_acted(&message);
        } else {
            self.reconsider_first(&message);
        }
    }

    fn user_acted(&mut self, message: &MessageEntry) {
        let at = message.content.at;
        self.user_active(message.user, at);
        let Some(deployment) = self.deployments.get(&message.deployment) else { return };
        if deployment.send.is_none() && deployment.began.is_some_and(|began| at <= began) {
            // The user's least message began the deployment; it alone does not count as an answer.
            self.touched.answers_moved.insert(message.deployment);
            return;
        }
        let counts = message.answers() && self.answers_from(deployment).is_some_and(|from| from <= at);
        if counts && deployment.facts.answered.is_none_or(|known| at < known) {
            self.set_answered(message.deployment, Some(at));
        }
    }

    fn user_active(&mut self, id: UserId, at: Timestamp) {
        let Some(user) = self.users.get_mut(&id) else { return };
        if user.activity.is_none_or(|known| known < at) {
            user.activity = Some(at);
            self.touch_user(id).add(ChangeKind::Activity);
        }
    }

    pub(super) fn reconsider_first(&mut self, message: &MessageEntry) {
        let Some(deployment) = self.deployments.get_mut(&message.deployment) else { return };
        let first = deployment.first.and_then(|id| self.messages.get(&id));
        if deployment.made || first.is_some_and(|first| first.id != message.id && first.place() <= message.place()) {
            return;
        }
        let former = deployment.first.replace(message.id);
        for (id, first) in former.map(|id| (id, false)).into_iter().chain([(message.id, true)]) {
            if let Some(entry) = self.messages.get_mut(&id) {
                entry.first = first;
                self.touched.progressed.insert(id);
            }
        }
        self.touched.answers_moved.insert(message.deployment);
        self.touch_deployment(message.deployment);
    }

    pub(super) fn merge_message(&mut self, id: MessageId, facts: &MessageFacts) {
        let Some(message) = self.messages.get_mut(&id) else { return };
        let before = message.facts.clone();
        message.facts.merge(facts);
        if message.facts == before {
            return;
        }
        let (deployment, first) = (message.deployment, message.first);
        self.touched.progressed.insert(id);
        if first {
            self.touch_deployment_of_first(deployment);
        }
    }

    fn learn_name(&mut self, id: MessageId, name: &MessageName) {
        let (Some(provider), Some(message)) = (&name.provider, self.messages.get_mut(&id)) else { return };
        if message.provider_message_id.is_some() || self.names.contains_key(provider) {
            return;
        }
        message.provider_message_id = Some(provider.clone());
        self.names.insert(provider.clone(), id);
        self.touched.progressed.insert(id);
        self.touched.known.insert(provider.clone());
    }

    fn message_named(&self, name: &MessageName) -> Option<MessageId> {
        let own = name.own.filter(|id| self.messages.contains_key(id));
        own.or_else(|| self.names.get(name.provider.as_ref()?).copied())
    }

    fn deployment_of(&self, of: &Target) -> Option<DeploymentId> {
        match of {
            Target::Deployment(id) => self.deployments.contains_key(id).then_some(*id),
            Target::Message(name) => {
                let message = self.message_named(name)?;
                self.messages.get(&message).map(|message| message.deployment)
            }
        }
    }

    pub(super) fn touch_deployment(&mut self, id: DeploymentId) {
        self.touched.deployments.insert(id);
        self.touch_deployment_of_first(id);
    }

    /// Marks a deployment whose own row does not change, but whose cell may.
    fn touch_deployment_of_first(&mut self, id: DeploymentId) {
        if let Some(user) = self.deployments.get(&id).map(|deployment| deployment.user) {
            self.touched.standing.insert(id);
            self.touch_user(user);
        }
    }

    pub(super) fn note_on_latest(&mut self, id: DeploymentId, kind: ChangeKind) {
        if let Some(deployment) = self.deployments.get(&id)
            && self.is_latest(deployment)
        {
            let user = deployment.user;
            self.touch_user(user).add(kind);
        }
    }
}

fn missing(of: &Target) -> Applied {
    match of {
        Target::Deployment(_) => Applied::Nowhere("unknown_deployment"),
        Target::Message(name) => waits(name),
    }
}

fn waits(name: &MessageName) -> Applied {
    name.provider.clone().map_or(Applied::Nowhere("unknown_message"), Applied::Waits)
}
