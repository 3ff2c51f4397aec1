//! The design read aloud: what a history comes to, from all its facts at once and in the plainest words. It shares no
//! code with the book and knows no order.

use std::collections::{BTreeMap, BTreeSet};

use super::history::{Line, Sent, Step};
use crate::domain::clock::Timestamp;
use crate::domain::fact::{Content, Fact, MessageFact, StatusFact, Target};
use crate::domain::failure::FailureReason;
use crate::domain::id::{ContactId, DeploymentId, LineId, MessageId, UserId, inbound_deployment_key, user_key};
use crate::domain::merge::{MessageFacts, Session, VariableValue};
use crate::domain::message::{MessageKind, Sender};
use crate::domain::preference::Preference;
use crate::domain::standing::{DeploymentStatus, Stage};

/// Where a deployment stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Standing {
    pub(super) status: DeploymentStatus,
    pub(super) stage: Option<Stage>,
    pub(super) failure: Option<FailureReason>,
    pub(super) answered: Option<Timestamp>,
    pub(super) session: Option<Session>,
    pub(super) variables: BTreeMap<String, VariableValue>,
}

/// A history, read.
pub(super) struct Reading<'a> {
    lines: &'a [Line],
    sent: Vec<&'a Sent>,
    pub(super) facts: Vec<&'a Fact>,
    pub(super) preferences: Vec<(Preference, ContactId)>,
    pub(super) reports: Vec<(&'a MessageFact, ContactId)>,
    /// The deployments that messages of contacts began, and when.
    inbound: BTreeMap<(LineId, ContactId), Inbound>,
    /// The deployments of messages by the provider's id.
    places: BTreeMap<String, DeploymentId>,
}

/// A deployment that a contact's own messages began.
struct Inbound {
    began: Timestamp,
    deployment: DeploymentId,
    user: UserId,
}

impl<'a> Reading<'a> {
    pub(super) fn of(lines: &'a [Line], steps: &'a [Step]) -> Self {
        let mut reading = Self {
            lines,
            sent: Vec::new(),
            facts: Vec::new(),
            preferences: Vec::new(),
            reports: Vec::new(),
            inbound: BTreeMap::new(),
            places: BTreeMap::new(),
        };
        for step in steps {
            match step {
                Step::Send(sent) => reading.sent.push(sent),
                Step::Fact(Fact::Message(message), Some(contact)) => reading.reports.push((message, *contact)),
                Step::Fact(Fact::Preference { preference, .. }, Some(contact)) => {
                    reading.preferences.push((*preference, *contact));
                }
                Step::Fact(fact, _) => reading.facts.push(fact),
            }
        }
        reading.find_beginnings();
        reading.find_places();
        reading
    }

    /// A message of the user's that answers nothing by name, and that no send came before, begins the conversation.
    fn find_beginnings(&mut self) {
        for (message, contact) in &self.reports {
            let unasked = message.sender == Sender::User
                && message.in_reply_to.is_none()
                && self.sent_before(message, *contact).is_none();
            if let Some(version) = self.line(message.line).inbound.filter(|_| unasked) {
                let began = message.content.at;
                let inbound = self.inbound.entry((message.line, *contact)).or_insert_with(|| Inbound {
                    began,
                    deployment: inbound_deployment_key(version, *contact),
                    user: user_key(version, *contact),
                });
                inbound.began = inbound.began.min(began);
            }
        }
    }

    fn find_places(&mut self) {
        for fact in &self.facts {
            if let Fact::Status(StatusFact { of: Target::Message(name), .. }) = fact
                && let (Some(own), Some(provider)) = (name.own, &name.provider)
            {
                self.places.extend(self.made_with(own).map(|sent| (provider.clone(), sent.deployment)));
            }
        }
        // An answer is placed once what it answers is, which may be an answer itself.
        for _ in 0..=self.reports.len() {
            for (message, contact) in &self.reports {
                let place = match &message.in_reply_to {
                    Some(answered) => self.places.get(answered).copied(),
                    None => self.by_time(message, *contact),
                };
                self.places.extend(place.map(|place| (message.provider_message_id.clone(), place)));
            }
        }
    }

    /// The contact's latest deployment on the line that was dispatched not after the message, in whole seconds; else the
    /// one that the contact's own messages begin.
    pub(super) fn by_time(&self, message: &MessageFact, contact: ContactId) -> Option<DeploymentId> {
        let inbound = self.inbound.get(&(message.line, contact));
        let inbound = inbound.filter(|inbound| inbound.began.seconds() <= message.content.at.seconds());
        self.sent_before(message, contact).or_else(|| inbound.map(|inbound| inbound.deployment))
    }

    fn sent_before(&self, message: &MessageFact, contact: ContactId) -> Option<DeploymentId> {
        let theirs = self.sent.iter().filter(|sent| sent.line == message.line && sent.contact == contact);
        let began = theirs.filter_map(|sent| Some((self.began(sent)?, sent.deployment)));
        let before = began.filter(|(began, _)| began.seconds() <= message.content.at.seconds());
        before.max().map(|(_, deployment)| deployment)
    }

    fn began(&self, sent: &Sent) -> Option<Timestamp> {
        if sent.external { Some(sent.queued_at) } else { self.dispatched(sent) }
    }

    fn dispatched(&self, sent: &Sent) -> Option<Timestamp> {
        let calls = self.facts.iter().filter_map(|fact| match fact {
            Fact::Dispatched { message, at, .. } if *message == sent.message => Some(*at),
            _ => None,
        });
        calls.min()
    }

    fn line(&self, id: LineId) -> &Line {
        self.lines.iter().find(|line| line.id == id).unwrap()
    }

    fn made_with(&self, message: MessageId) -> Option<&'a Sent> {
        self.sent.iter().find(|sent| !sent.external && sent.message == message).copied()
    }

    /// All deployments with their users.
    pub(super) fn deployments(&self) -> BTreeMap<DeploymentId, UserId> {
        let sent = self.sent.iter().map(|sent| (sent.deployment, user_key(sent.version, sent.contact)));
        sent.chain(self.inbound.values().map(|inbound| (inbound.deployment, inbound.user))).collect()
    }

    /// When the deployment that messages of the contact began was due.
    pub(super) fn began_inbound(&self, deployment: DeploymentId) -> Option<Timestamp> {
        self.inbound.values().find(|inbound| inbound.deployment == deployment).map(|inbound| inbound.began)
    }

    /// The reported messages with their deployments and the least that was told of them.
    pub(super) fn messages(&self) -> BTreeMap<String, (DeploymentId, Sender, Content)> {
        let mut messages: BTreeMap<String, (DeploymentId, Sender, Content)> = BTreeMap::new();
        for (message, _) in &self.reports {
            let name = &message.provider_message_id;
            let Some(place) = self.places.get(name) else { continue };
            let told = (*place, message.sender, message.content.clone());
            messages.entry(name.clone()).and_modify(|known| *known = known.clone().min(told.clone())).or_insert(told);
        }
        messages
    }

    /// The user's own latest action, by whatever report.
    pub(super) fn activity(&self, user: UserId) -> Option<Timestamp> {
        let users = self.deployments();
        let own = self.reports.iter().filter(|(message, _)| {
            let place = self.places.get(&message.provider_message_id);
            message.sender == Sender::User && place.and_then(|place| users.get(place)) == Some(&user)
        });
        own.map(|(message, _)| message.content.at).max()
    }

    /// How many facts wait for something that never becomes known.
    pub(super) fn waiting(&self) -> BTreeSet<String> {
        let facts = self.facts.iter().copied().filter(|fact| self.waits(fact));
        let facts = facts.map(|fact| serde_json::to_string(fact).unwrap());
        let reports = self.reports.iter().filter(|(message, _)| {
            let placed = self.places.contains_key(&message.provider_message_id);
            !placed && (message.in_reply_to.is_some() || message.sender != Sender::User)
        });
        let reports = reports.map(|(message, _)| serde_json::to_string(&Fact::Message((*message).clone())).unwrap());
        facts.chain(reports).collect()
    }

    fn waits(&self, fact: &Fact) -> bool {
        target(fact).is_some_and(|of| self.deployment_of(of).is_none())
    }

    fn deployment_of(&self, of: &Target) -> Option<DeploymentId> {
        match of {
            Target::Deployment(id) => Some(*id),
            Target::Message(name) => {
                let own = name.own.and_then(|own| self.made_with(own)).map(|sent| sent.deployment);
                own.or_else(|| self.places.get(name.provider.as_ref()?).copied())
            }
        }
    }

    /// Whom the message or deployment is for, if that is known.
    pub(super) fn recipient_of(&self, of: &Target) -> Option<ContactId> {
        let deployment = self.deployment_of(of)?;
        let sent = self.sent.iter().find(|sent| sent.deployment == deployment).map(|sent| sent.contact);
        let begun = || self.inbound.iter().find(|(_, inbound)| inbound.deployment == deployment);
        sent.or_else(|| begun().map(|((_, contact), _)| *contact))
    }

    /// What is told of a deployment.
    pub(super) fn standing(&self, deployment: DeploymentId) -> Standing {
        let facts: Vec<_> = self
            .facts
            .iter()
            .copied()
            .filter(|fact| target(fact).is_some_and(|of| self.deployment_of(of) == Some(deployment)))
            .collect();
        let answered = self.answered(deployment);
        let finished =
            facts.iter().filter_map(|fact| if let Fact::Finished { at, .. } = fact { Some(*at) } else { None });
        let finished = finished.min();
        let responded = answered.is_some() || finished.is_some();
        let (status, failure) = status(&self.statuses(deployment, &facts), responded);
        let sessions = facts
            .iter()
            .filter_map(|fact| if let Fact::Session { session, .. } = fact { Some(*session) } else { None });
        let sent = self.sent.iter().find(|sent| sent.deployment == deployment);
        let mut variables = sent.map(|sent| sent.variables.clone()).unwrap_or_default();
        for fact in &facts {
            if let Fact::Variable { name, value, at, .. } = fact {
                let told = VariableValue { at: *at, value: value.clone() };
                let known = variables.entry(name.clone()).or_insert_with(|| told.clone());
                *known = told.max(known.clone());
            }
        }
        let stage = if finished.is_some() { Some(Stage::Finished) } else { responded.then_some(Stage::InFlow) };
        Standing { status, stage, failure, answered, session: sessions.max(), variables }
    }

    /// What was told of the deployment as a whole, and of its first message.
    fn statuses(&self, deployment: DeploymentId, facts: &[&Fact]) -> Vec<MessageFacts> {
        let sent = self.sent.iter().find(|sent| sent.deployment == deployment && !sent.external);
        let first = self.first_reported(deployment).map(|(_, name)| name);
        let counts = |of: &Target| match of {
            Target::Deployment(_) => true,
            Target::Message(name) => match sent {
                // Any other message of the deployment is one that was reported.
                Some(sent) => {
                    name.own == Some(sent.message) || name.provider.as_ref().is_some_and(|name| !self.is_reported(name))
                }
                None => name.provider == first,
            },
        };
        let told = facts.iter().filter_map(|fact| match fact {
            Fact::Status(status) if counts(&status.of) => Some(status.facts.clone()),
            _ => None,
        });
        let own_failure = self.sent.iter().find(|sent| sent.deployment == deployment).and_then(|sent| sent.own_failure);
        told.chain([MessageFacts { own_failure, ..MessageFacts::default() }]).collect()
    }

    fn is_reported(&self, name: &str) -> bool {
        self.reports.iter().any(|(message, _)| message.provider_message_id == name)
    }

    /// The outgoing message with the least time and name.
    fn first_reported(&self, deployment: DeploymentId) -> Option<(Timestamp, String)> {
        let messages = self.messages().into_iter();
        let outgoing = messages.filter(|(_, (place, sender, _))| *place == deployment && *sender != Sender::User);
        outgoing.map(|(name, (_, _, content))| (content.at, name)).min()
    }

    /// The first answer at or after the first message, in whole seconds; the message that begins the conversation is none.
    fn answered(&self, deployment: DeploymentId) -> Option<Timestamp> {
        let sent = self.sent.iter().find(|sent| sent.deployment == deployment);
        let first = match sent {
            Some(sent) if !sent.external => self.dispatched(sent).unwrap_or(sent.queued_at),
            Some(sent) => self.first_reported(deployment).map_or(sent.queued_at, |first| first.0),
            None => self.first_reported(deployment)?.0,
        };
        let messages = self.messages().into_iter();
        let own = messages.filter(|(_, (place, sender, _))| *place == deployment && *sender == Sender::User);
        let own: BTreeMap<_, _> = own.map(|(name, (_, _, content))| ((content.at, name), content.kind)).collect();
        let began = sent.is_none().then(|| own.keys().next().cloned()).flatten();
        let answers = own.into_iter().filter(|(place, kind)| {
            *kind != MessageKind::Reaction && place.0.seconds() >= first.seconds() && began.as_ref() != Some(place)
        });
        answers.map(|((at, _), _)| at).min()
    }
}

fn target(fact: &Fact) -> Option<&Target> {
    match fact {
        Fact::Status(StatusFact { of, .. })
        | Fact::Session { of, .. }
        | Fact::Finished { of, .. }
        | Fact::Variable { of, .. } => Some(of),
        _ => None,
    }
}

/// The design's list, line by line.
fn status(told: &[MessageFacts], responded: bool) -> (DeploymentStatus, Option<FailureReason>) {
    let any = |is: fn(&MessageFacts) -> bool| told.iter().any(is);
    let left = any(|told| told.accepted.is_some() || told.held.is_some() || told.sent.is_some());
    let provider = told.iter().filter_map(|told| told.failed.clone());
    let provider = provider.map(|told| (told.at, told.code, told.reason, told.text)).min().map(|least| least.2);
    let found = told.iter().filter_map(|told| told.own_failure).map(|told| (told.at, told.reason));
    let unknown = told.iter().filter_map(|told| told.unknown).filter(|_| !left);
    let ours = found.chain(unknown.map(|at| (at, FailureReason::OutcomeUnknown))).min().map(|least| least.1);
    let failure = provider.or(ours);
    let status = if any(|told| told.read.is_some()) {
        DeploymentStatus::Read
    } else if responded || any(|told| told.delivered.is_some()) {
        DeploymentStatus::Delivered
    } else if failure.is_some() {
        DeploymentStatus::Failed
    } else if any(|told| told.sent.is_some()) {
        DeploymentStatus::Sent
    } else if any(|told| told.held.is_some()) {
        DeploymentStatus::Held
    } else if left {
        DeploymentStatus::Accepted
    } else {
        DeploymentStatus::Queued
    };
    (status, failure.filter(|_| status == DeploymentStatus::Failed))
}
