//! Sessions: letting the flow of a deployment answer its user, and handing the conversation over to agents and back.
//!
//! What the flow says depends on the order in which answers are recorded, since it answers at once and cannot take back what
//! was said. Every message is heard once, under the version's lock, and what is said to it is written in the same transaction.

use std::time::Duration;

use super::apply::Applied;
use super::{Book, DeploymentEntry, MessageEntry, Reply, SessionEntry};
use crate::domain::clock::Timestamp;
use crate::domain::fact::{Content, Jump, Target};
use crate::domain::flow::engine::{self, Reaction, Said, State};
use crate::domain::funnel::{Contribution, Funnels, rounded};
use crate::domain::id::{DeploymentId, MessageId, VersionId, jump_deployment_key, new_key};
use crate::domain::merge::{DeploymentFacts, MessageFacts, Session, VariableValue};
use crate::domain::message::Sender;
use crate::domain::standing::SessionStatus;
use crate::domain::user::ChangeKind;

/// How long after a user's message anything may be said but templates: WhatsApp's customer service window.
pub const WINDOW: Duration = Duration::from_hours(24);

/// How long a session without a flow of its own stays open.
const DEFAULT_STAY: Duration = WINDOW;
/// The most jumps from conversation to conversation without a word from the user. More can only be a circle.
const MAX_HOPS: u8 = 5;
/// How long the provider tries to deliver what is said in a session.
const TIME_TO_LIVE: Duration = Duration::from_hours(30 * 24);
const MICROSECOND: Duration = Duration::from_micros(1);

impl Book {
    /// Lets the flow take a message that its user just wrote.
    pub(super) fn hear(&mut self, id: MessageId) {
        let Some(message) = self.messages.get(&id) else { return };
        let (deployment, at) = (message.deployment, message.content.at);
        let (said, answers) = (Said::of(&message.content), message.answers());
        if !answers || at < self.now.minus(WINDOW) {
            return;
        }
        match self.session_status(deployment) {
            // An agent of another system is that system's matter.
            Some(SessionStatus::Agent) if !self.sessions.contains_key(&deployment) => {}
            Some(SessionStatus::Agent) => self.stay(deployment),
            Some(status) if status.is_over() => {}
            _ => self.answer(deployment, &said, at),
        }
    }

    /// Whether what a contact says must begin something new, because the session of this deployment is over.
    pub(super) fn is_over(&self, id: DeploymentId) -> bool {
        self.sessions.contains_key(&id) && self.session_status(id).is_some_and(SessionStatus::is_over)
    }

    /// Whether a session ended by a jump that has yet to be made.
    pub fn is_jumping(&self, id: DeploymentId) -> bool {
        self.sessions.get(&id).is_some_and(|session| session.jumping)
    }

    /// Whether a flow runs in a version.
    pub(super) fn runs(&self, version: VersionId) -> bool {
        self.flows.contains_key(&version)
    }

    /// Lets an agent take over a session.
    pub(super) fn apply_assigned(&mut self, id: DeploymentId, agent: &str, only_unassigned: bool) -> Applied {
        let before = self.sessions.get(&id).and_then(|session| session.agent.as_ref());
        let taken = before.is_some_and(|(_, other)| other != agent);
        if !self.is_open(id) || only_unassigned && taken {
            return Applied::Refused;
        }
        let at = later(self.now, before.map(|(at, _)| *at));
        self.sessions.entry(id).or_default().agent = Some((at, agent.to_owned()));
        self.take_status(id, SessionStatus::Agent);
        self.note_on_latest(id, ChangeKind::Session);
        Applied::Merged
    }

    /// Says what an agent says.
    pub(super) fn apply_agent_message(&mut self, id: DeploymentId, message: MessageId, content: &Content) -> Applied {
        if self.messages.contains_key(&message) {
            return Applied::Merged;
        }
        let erased = self.deployments.get(&id).and_then(|one| self.contacts.get(&one.contact)?.erased);
        if self.session_status(id) != Some(SessionStatus::Agent) || erased.is_some() {
            return Applied::Refused;
        }
        self.say(id, Sender::Agent, message, content.clone());
        self.stay(id);
        Applied::Merged
    }

    /// Closes a session, or leads it to the step that asks for a rating.
    pub(super) fn apply_closed(&mut self, id: DeploymentId, rating: bool) -> Applied {
        if !self.is_open(id) {
            return Applied::Refused;
        }
        let flow = self.deployments.get(&id).and_then(|one| self.flows.get(&one.version)).cloned();
        let state = self.sessions.get(&id).and_then(|session| session.state.clone());
        match flow.filter(|flow| rating && flow.rating.is_some()).zip(state) {
            Some((flow, state)) => {
                let variables = self.deployments.get(&id).map(|one| one.variables.clone()).unwrap_or_default();
                let reaction = engine::ask_for_rating(&flow, &state, &variables, self.now);
                self.react(id, reaction, self.now, 0);
            }
            None => self.take_status(id, SessionStatus::Completed),
        }
        Applied::Merged
    }

    /// Ends a session in which nothing was said for too long. If something was said meanwhile, it goes on.
    pub(super) fn apply_lapsed(&mut self, id: DeploymentId, at: Timestamp) -> Applied {
        let due = self.sessions.get(&id).and_then(|session| session.expires).is_some_and(|expires| expires <= at);
        if due && self.is_open(id) {
            self.take_status(id, SessionStatus::Expired);
        } else if due {
            // Somebody else reported its end.
            self.session(id).expires = None;
        }
        Applied::Merged
    }

    /// Begins the conversation to which a flow led.
    pub(super) fn apply_jumped(&mut self, jump: &Jump, begins: Option<VersionId>) -> Applied {
        let id = jump_deployment_key(jump.from);
        if self.sessions.get(&jump.from).is_some_and(|session| session.jumping) {
            self.session(jump.from).jumping = false;
            // What the user said meanwhile waits for it.
            self.touched.known.insert(jump.from.to_string());
        }
        let erased = self.contacts.get(&jump.contact).is_some_and(|contact| contact.erased.is_some());
        if erased || self.deployments.contains_key(&id) {
            return Applied::Merged;
        }
        let variables = self.deployments.get(&jump.from).map(|from| from.variables.clone());
        let (Some(version), Some(variables)) = (begins, variables) else { return Applied::Nowhere("jump_to_nothing") };
        self.begin_as(id, version, (jump.line, jump.contact), self.now);
        self.touched.variables.extend(variables.keys().map(|name| (id, name.clone())));
        if let Some(deployment) = self.deployments.get_mut(&id) {
            deployment.variables = variables;
        }
        self.begin_session(id, self.now, jump.hops);
        Applied::Merged
    }

    /// Ends the other open sessions of a deployment's contact on its line, since it begins something new. Those that a bot
    /// of the company's own holds, which reports them, are its own matter.
    pub(super) fn close_others(&mut self, id: DeploymentId) {
        let Some(new) = self.deployments.get(&id) else { return };
        let open = self.on_line(new.line, new.contact).map(|one| one.id).filter(|one| self.holds_open(*one));
        for other in open.filter(|other| *other != id).collect::<Vec<_>>() {
            self.take_status(other, SessionStatus::Completed);
        }
    }

    /// By how much the figures of funnels change with the sessions that did, whose contributions are counted from now on.
    pub(super) fn move_funnels(&mut self) -> Funnels {
        let mut moves = Funnels::new();
        let touched: Vec<_> = self.touched.deployments.union(&self.touched.sessions).copied().collect();
        for id in touched {
            self.move_funnel(id, &mut moves);
        }
        moves.retain(|_, figures| !figures.is_empty());
        moves
    }

    fn move_funnel(&mut self, id: DeploymentId, moves: &mut Funnels) -> Option<()> {
        let (version, after) = (self.deployments.get(&id)?.version, self.contribution(id)?);
        let (flow, session) = (self.flows.get(&version)?, self.sessions.get_mut(&id)?);
        session.contribution.move_to(&after, moves, version, flow);
        session.contribution = after;
        Some(())
    }

    /// What a session adds to the funnel of its version as it stands.
    pub(super) fn contribution(&self, id: DeploymentId) -> Option<Contribution> {
        let (deployment, session) = (self.deployments.get(&id)?, self.sessions.get(&id)?);
        let (flow, state) = (self.flows.get(&deployment.version)?, session.state.as_ref()?);
        Some(Contribution::of(flow, state, self.session_status(id), deployment.send.is_some()))
    }

    fn session_status(&self, id: DeploymentId) -> Option<SessionStatus> {
        self.deployments.get(&id)?.facts.session.map(|session| session.status)
    }

    /// Whether a flow or an agent of ours has a session that is open.
    pub(super) fn holds_open(&self, id: DeploymentId) -> bool {
        self.sessions.contains_key(&id) && self.is_open(id)
    }

    /// The deployments whose flows may still say something, or have a jump to make.
    pub fn talking(&self) -> impl Iterator<Item = &DeploymentEntry> {
        let runs = self.deployments.values().filter(|one| self.runs(one.version));
        runs.filter(|one| !self.is_over(one.id) || self.is_jumping(one.id))
    }

    fn is_open(&self, id: DeploymentId) -> bool {
        self.session_status(id).is_some_and(|status| !status.is_over())
    }

    /// Lets the flow answer, if one runs.
    fn answer(&mut self, id: DeploymentId, said: &Said, at: Timestamp) {
        let Some(deployment) = self.deployments.get(&id) else { return };
        let Some(flow) = self.flows.get(&deployment.version).cloned() else { return };
        let known = self.sessions.get(&id).and_then(|session| session.state.clone());
        // Whoever was sent the conversation stands in its first step, which the send said.
        let sent = deployment.send.map(|_| State::at_start(&flow, deployment.began.unwrap_or(at)));
        let Some(state) = known.or(sent) else { return self.begin_session(id, at, 0) };
        let begins = deployment.facts.session.is_none();
        let reaction = engine::answer(&flow, &state, &deployment.variables, said, self.now);
        self.react(id, reaction, at, 0);
        if begins {
            self.close_others(id);
        }
    }

    /// Says what the first step of a deployment's flow says.
    fn begin_session(&mut self, id: DeploymentId, at: Timestamp, hops: u8) {
        let Some(deployment) = self.deployments.get(&id) else { return };
        let Some(flow) = self.flows.get(&deployment.version).cloned() else { return };
        let reaction = engine::begin(&flow, &deployment.variables, self.now);
        self.react(id, reaction, at, hops);
        self.close_others(id);
    }

    /// Does what follows from an event. `at` is when it happened.
    fn react(&mut self, id: DeploymentId, reaction: Reaction, at: Timestamp, hops: u8) {
        let Reaction { state, status, messages, captured, answered, finished, jump } = reaction;
        for message in &messages {
            self.say(id, Sender::Bot, new_key().into(), message.content(self.now));
        }
        if let Some((name, value)) = captured {
            self.capture(id, &name, value);
        }
        if finished {
            let facts = DeploymentFacts { finished: Some(at), ..DeploymentFacts::default() };
            self.apply_to_deployment(&Target::Deployment(id), &facts);
        }
        let Some(deployment) = self.deployments.get(&id) else { return };
        let (version, contact, line) = (deployment.version, deployment.contact, deployment.line);
        self.touched.answers.extend(answered.map(|(step, seconds)| (version, step, rounded(seconds))));
        self.sessions.entry(id).or_default().state = Some(state);
        self.take_status(id, status);
        if let Some(to) = jump.filter(|_| hops < MAX_HOPS) {
            self.session(id).jumping = true;
            self.touched.jumps.push(Jump { from: id, contact, line, to, hops: hops + 1 });
        }
    }

    fn capture(&mut self, id: DeploymentId, name: &str, value: String) {
        let known = self.deployments.get(&id).and_then(|one| one.variables.get(name)).map(|known| known.at);
        let value = VariableValue { at: later(self.now, known), value };
        self.set_variable(id, name, &value);
    }

    /// Puts a message of ours into the history, and into the outbox.
    fn say(&mut self, id: DeploymentId, sender: Sender, message: MessageId, content: Content) {
        let Some(deployment) = self.deployments.get(&id) else { return };
        let (user, line, contact, made) = (deployment.user, deployment.line, deployment.contact, deployment.made);
        // What is said at once, or by another node whose clock is behind, keeps its order by a microsecond.
        let now = self.now;
        let session = self.session(id);
        let at = later(now, session.said);
        session.said = Some(at);
        let entry = MessageEntry {
            id: message,
            user,
            deployment: id,
            line,
            sender,
            content: Content { at, ..content },
            provider_message_id: None,
            first: false,
            time_to_live: Some(TIME_TO_LIVE),
            facts: MessageFacts::default(),
            revision: None,
        };
        self.enter_message(entry.clone());
        self.touched.told.insert(message);
        self.touched.replies.push(Reply { message, contact, line, at });
        self.touch_user(user).add(ChangeKind::Message);
        if !made {
            self.reconsider_first(&entry);
        }
    }

    /// Lets a session take on a status, and moves the time at which it expires.
    fn take_status(&mut self, id: DeploymentId, status: SessionStatus) {
        let known = self.deployments.get(&id).and_then(|one| one.facts.session);
        if known.map(|known| known.status) != Some(status) {
            let session = Session { at: later(self.now, known.map(|known| known.at)), status };
            let facts = DeploymentFacts { session: Some(session), ..DeploymentFacts::default() };
            self.apply_to_deployment(&Target::Deployment(id), &facts);
        }
        if status.is_over() {
            self.session(id).expires = None;
        } else {
            self.stay(id);
        }
    }

    /// Moves the time at which a session expires, since something was said in it.
    fn stay(&mut self, id: DeploymentId) {
        let flow = self.deployments.get(&id).and_then(|one| self.flows.get(&one.version));
        let stay = flow.map_or(DEFAULT_STAY, |flow| Duration::from_mins(flow.session_minutes.into()));
        let expires = self.now.plus(stay);
        self.session(id).expires = Some(expires);
    }

    /// What is kept of a session, which changes.
    fn session(&mut self, id: DeploymentId) -> &mut SessionEntry {
        self.touched.sessions.insert(id);
        self.sessions.entry(id).or_default()
    }
}

/// Now, or right after what is known, if another node's clock is ahead: what is done later wins.
fn later(now: Timestamp, known: Option<Timestamp>) -> Timestamp {
    known.map_or(now, |known| now.max(known.plus(MICROSECOND)))
}
