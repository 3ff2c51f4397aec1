//! Generated histories: what is sent and what is told of it, realistic and nasty, and the orders in which it may arrive.
//!
//! An order is free but for what cannot happen otherwise: a deployment is made, and its call recorded, before anything
//! that names it by our own ids or that comes of it in time. Two reports of one message may differ in text, kind and
//! time, but not in where they place it: the first report decides that for good, since what names the deployment by the
//! message (a session, a variable) cannot be taken back.

use std::collections::BTreeMap;
use std::fmt;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use uuid::Uuid;

use super::oracle::Reading;
use crate::domain::clock::Timestamp;
use crate::domain::fact::{Fact, StatusFact, Target};
use crate::domain::failure::OwnFailure;
use crate::domain::id::{ContactId, DeploymentId, LineId, MessageId, SendId, VersionId, WorkspaceId};
use crate::domain::merge::Variables;

pub(super) const WORKSPACE: WorkspaceId = WorkspaceId(Uuid::from_u128(1));

/// What happened.
#[derive(Clone)]
pub(super) struct History {
    pub(super) lines: Vec<Line>,
    pub(super) contacts: Vec<ContactId>,
    pub(super) steps: Vec<Step>,
    /// For each step the steps that come before it in any order.
    after: Vec<Vec<usize>>,
}

#[derive(Debug, Clone)]
pub(super) struct Line {
    pub(super) id: LineId,
    pub(super) inbound: Option<VersionId>,
    pub(super) external: bool,
    pub(super) outbound: [VersionId; 2],
}

/// Something that happens to a workspace.
#[derive(Debug, Clone)]
pub(super) enum Step {
    Send(Sent),
    Fact(Fact, Option<ContactId>),
}

/// A deployment of a send.
#[derive(Debug, Clone)]
pub(super) struct Sent {
    pub(super) send: SendId,
    pub(super) deployment: DeploymentId,
    pub(super) message: MessageId,
    pub(super) version: VersionId,
    pub(super) contact: ContactId,
    pub(super) line: LineId,
    pub(super) external: bool,
    pub(super) queued_at: Timestamp,
    pub(super) variables: Variables,
    pub(super) own_failure: Option<OwnFailure>,
}

/// An order in which a history arrives, with repetitions, and the sizes of the batches.
#[derive(Debug, Clone)]
pub(super) struct Arrival {
    priorities: Vec<u16>,
    repeated: Vec<Index>,
    pub(super) sizes: Vec<usize>,
}

/// The steps alone, one to a line: what there is to see of a history that breaks the law.
impl fmt::Debug for History {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.steps.iter().enumerate().try_for_each(|(place, step)| writeln!(formatter, "\n{place}: {step:?}"))
    }
}

impl History {
    /// What these steps make, without reports that contradict each other.
    pub(super) fn of(lines: Vec<Line>, contacts: Vec<ContactId>, mut steps: Vec<Step>) -> Self {
        drop_contradictions(&lines, &mut steps);
        let after = steps.iter().map(|step| needed_before(step, &steps)).collect();
        Self { lines, contacts, steps, after }
    }

    /// The steps in the order of an arrival.
    pub(super) fn arriving(&self, arrival: &Arrival) -> Vec<Step> {
        let facts: Vec<_> = (0..self.steps.len()).filter(|&step| matches!(self.steps[step], Step::Fact(..))).collect();
        let mut waiting: Vec<usize> = (0..self.steps.len()).collect();
        if !facts.is_empty() {
            waiting.extend(arrival.repeated.iter().map(|index| *index.get(&facts)));
        }
        let priority = |place: usize| arrival.priorities.get(place).copied().unwrap_or_default();
        let mut waiting: Vec<_> =
            waiting.into_iter().enumerate().map(|(place, step)| (priority(place), place, step)).collect();
        waiting.sort_unstable();
        let mut arrived = Vec::new();
        while !waiting.is_empty() {
            let ready = |step: usize| self.after[step].iter().all(|before| arrived.contains(before));
            let next = waiting.iter().position(|&(_, _, step)| ready(step)).unwrap();
            arrived.push(waiting.remove(next).2);
        }
        arrived.into_iter().map(|step| self.steps[step].clone()).collect()
    }

    /// All its facts.
    pub(super) fn facts(&self) -> Vec<(Fact, Option<ContactId>)> {
        let fact = |step: &Step| match step {
            Step::Fact(fact, contact) => Some((fact.clone(), *contact)),
            Step::Send(_) => None,
        };
        self.steps.iter().filter_map(fact).collect()
    }
}

/// Drops every later report of a message that places it elsewhere than the first does.
fn drop_contradictions(lines: &[Line], steps: &mut Vec<Step>) {
    loop {
        let before = steps.clone();
        let reading = Reading::of(lines, &before);
        let mut places = BTreeMap::new();
        steps.retain(|step| match step {
            Step::Fact(Fact::Message(message), Some(contact)) if message.in_reply_to.is_none() => {
                let place = reading.by_time(message, *contact);
                *places.entry(message.provider_message_id.clone()).or_insert(place) == place
            }
            _ => true,
        });
        if steps.len() == before.len() {
            return;
        }
    }
}

/// The steps that come before this one in any order.
fn needed_before(step: &Step, steps: &[Step]) -> Vec<usize> {
    let places = 0..steps.len();
    match step {
        Step::Send(sent) => {
            let earlier = |other: &Step| matches!(other, Step::Send(other) if other.send < sent.send);
            places.filter(|&place| earlier(&steps[place])).collect()
        }
        Step::Fact(Fact::Message(message), Some(contact)) if message.in_reply_to.is_none() => {
            let before = |sent: &Sent, at: Timestamp| {
                sent.line == message.line && sent.contact == *contact && at.seconds() <= message.content.at.seconds()
            };
            places.filter(|&place| begins(&steps[place], steps).is_some_and(|(sent, at)| before(sent, at))).collect()
        }
        Step::Fact(Fact::Dispatched { message, at, .. }, _) => {
            let earlier = |other: &Step| match other {
                Step::Send(sent) => sent.message == *message,
                Step::Fact(Fact::Dispatched { message: other, at: when, .. }, _) => other == message && when < at,
                Step::Fact(..) => false,
            };
            places.filter(|&place| earlier(&steps[place])).collect()
        }
        Step::Fact(fact, _) => {
            let named = |sent: &Sent| names_our_own(fact, sent);
            let makes = |other: &Step| match other {
                Step::Send(sent) => named(sent),
                Step::Fact(..) => begins(other, steps).is_some_and(|(sent, _)| named(sent)),
            };
            places.filter(|&place| makes(&steps[place])).collect()
        }
    }
}

/// The deployment from whose beginning on messages belong to it, where this step is that beginning.
fn begins<'a>(step: &'a Step, steps: &'a [Step]) -> Option<(&'a Sent, Timestamp)> {
    match step {
        Step::Send(sent) => sent.external.then_some((sent, sent.queued_at)),
        Step::Fact(Fact::Dispatched { message, at, .. }, _) => {
            let mut sends = steps.iter().filter_map(|step| match step {
                Step::Send(sent) => Some(sent),
                Step::Fact(..) => None,
            });
            sends.find(|sent| sent.message == *message).map(|sent| (sent, *at))
        }
        Step::Fact(..) => None,
    }
}

fn names_our_own(fact: &Fact, sent: &Sent) -> bool {
    match fact {
        Fact::Status(StatusFact { of, .. })
        | Fact::Session { of, .. }
        | Fact::Finished { of, .. }
        | Fact::Variable { of, .. } => match of {
            Target::Deployment(id) => *id == sent.deployment,
            Target::Message(name) => name.own == Some(sent.message),
        },
        _ => false,
    }
}

/// Any arrival.
pub(super) fn arrival() -> impl Strategy<Value = Arrival> {
    (vec(any::<u16>(), 0..80), vec(any::<Index>(), 0..12), vec(1_usize..8, 1..6))
        .prop_map(|(priorities, repeated, sizes)| Arrival { priorities, repeated, sizes })
}
