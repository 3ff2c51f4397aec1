//! Settling a book: from what became dirty to one net change per user and the moves of the tallies.

use std::collections::{BTreeSet, HashMap};

use super::{Book, DeploymentEntry, MessageEntry, UserEntry};
use crate::domain::clock::Timestamp;
use crate::domain::failure::Failure;
use crate::domain::id::{ContactId, DeploymentId, MessageId, SendId, UserId};
use crate::domain::message::Sender;
use crate::domain::standing::Cell;
use crate::domain::user::{ChangeKind, ChangeKinds};

/// What a batch changed, ready to be written.
#[derive(Debug, Default)]
pub struct Settlement {
    /// One net change per user, in the order of their ids.
    pub users: Vec<UserMove>,
    /// One move per deployment of a send that stands elsewhere now.
    pub sends: Vec<SendMove>,
    /// Deployments whose rows changed.
    pub deployments: Vec<DeploymentId>,
    /// Messages that are new, or say something else.
    pub told: Vec<MessageId>,
    /// Messages that say the same and got further, or stand elsewhere in time.
    pub progressed: Vec<MessageId>,
    /// Variables that changed: deployment and name.
    pub variables: BTreeSet<(DeploymentId, String)>,
    /// People about whom something was learnt.
    pub contacts: BTreeSet<ContactId>,
    /// What parked facts may wait for and has become known.
    pub known: BTreeSet<String>,
}

/// A user's net change.
#[derive(Debug, Clone)]
pub struct UserMove {
    /// Who.
    pub user: UserId,
    /// What changed; nothing where only the row's bookkeeping did.
    pub kinds: ChangeKinds,
    /// Where the user stood; none for a new one.
    pub before: Option<Cell>,
    /// Where the user stands.
    pub after: Cell,
}

/// A deployment's move within its send.
#[derive(Debug, Clone, Copy)]
pub struct SendMove {
    /// The send.
    pub send: SendId,
    /// Where its deployment stood; none for a new one.
    pub before: Option<Cell>,
    /// Where it stands.
    pub after: Cell,
}

/// Where a user's latest deployment stands now.
struct Latest {
    cell: Cell,
    /// Whether the failure shown is another than before, be it of the same reason.
    failed_otherwise: bool,
}

impl Book {
    /// Deployments whose earliest answer must be found again, among all messages that their users wrote.
    pub fn answers_moved(&self) -> impl Iterator<Item = &DeploymentEntry> {
        self.touched.answers_moved.iter().filter_map(|id| self.deployments.get(id))
    }

    /// From when on messages answer: from the first message's second on, as the provider counts. Where another system
    /// sends and has not reported what it sent, from the deployment's beginning on.
    pub fn answers_from(&self, deployment: &DeploymentEntry) -> Option<Timestamp> {
        let first = self.first_of(deployment).map(|first| first.content.at);
        let from = first.or_else(|| deployment.began.filter(|_| deployment.send.is_some()));
        from.map(Timestamp::floor_to_second)
    }

    /// Finds the earliest answer again. `stored` are the messages that users wrote in such deployments, as far as the
    /// book does not hold them.
    pub fn find_answers(&mut self, stored: &[Said]) {
        let moved: Vec<_> = self.answers_moved().map(|one| (one.id, self.answers_from(one))).collect();
        for (id, from) in moved {
            let mut said: Vec<&Said> = stored.iter().filter(|said| said.deployment == id).collect();
            let open: Vec<Said> =
                self.messages.values().filter_map(Said::of).filter(|said| said.deployment == id).collect();
            said.extend(&open);
            let by_user = self.deployments.get(&id).is_some_and(|one| one.send.is_none());
            let answered = from.and_then(|from| earliest_answer(&said, from, by_user));
            self.set_answered(id, answered);
        }
    }

    /// Sets the earliest answer.
    pub(super) fn set_answered(&mut self, id: DeploymentId, answered: Option<Timestamp>) {
        let Some(deployment) = self.deployments.get_mut(&id) else { return };
        if deployment.facts.answered != answered {
            deployment.facts.answered = answered;
            self.touch_deployment(id);
        }
    }

    /// Works out where everybody touched stands now. `revisions` then number the changes of each user in turn.
    pub fn settle(&mut self) -> Settlement {
        let touched = std::mem::take(&mut self.touched);
        let sends = touched.standing.iter().filter_map(|id| self.send_move(*id)).collect();
        let latest = self.latest();
        let settle = |(id, kinds)| self.settle_user(id, kinds, latest.get(&id));
        let users = touched.users.into_iter().filter_map(settle).collect();
        Settlement {
            users,
            sends,
            deployments: touched.deployments.into_iter().collect(),
            progressed: touched.progressed.difference(&touched.told).copied().collect(),
            told: touched.told.into_iter().collect(),
            variables: touched.variables,
            contacts: touched.contacts,
            known: touched.known,
        }
    }

    /// `latest` is of the user's latest deployment, if the book holds it at all.
    fn settle_user(&mut self, id: UserId, mut kinds: ChangeKinds, latest: Option<&Latest>) -> Option<UserMove> {
        let user = self.users.get_mut(&id)?;
        let before = user.cell;
        let after = latest.map(|latest| latest.cell).or(before)?;
        user.cell = Some(after);
        if let Some(before) = before {
            kinds.add_difference(before, after);
        }
        if latest.is_some_and(|latest| latest.failed_otherwise) {
            kinds.add(ChangeKind::Failure);
        }
        (before != Some(after) || !kinds.is_empty()).then_some(UserMove { user: id, kinds, before, after })
    }

    fn latest(&self) -> HashMap<UserId, Latest> {
        let latest = self.deployments.values().filter(|one| self.is_latest(one));
        let latest = latest.map(|one| {
            let failed_otherwise = self.failure_of(one).as_ref() != self.failures.get(&one.id);
            (one.user, Latest { cell: self.cell_of(one), failed_otherwise })
        });
        latest.collect()
    }

    pub(super) fn cell_of(&self, deployment: &DeploymentEntry) -> Cell {
        Cell::of(&deployment.facts, self.first_of(deployment).map(|first| &first.facts))
    }

    /// Why a deployment failed, while it is failed.
    pub(super) fn failure_of(&self, deployment: &DeploymentEntry) -> Option<Failure> {
        self.cell_of(deployment).failure_reason?;
        deployment.facts.with_first(self.first_of(deployment).map(|first| &first.facts)).failure()
    }

    fn first_of(&self, deployment: &DeploymentEntry) -> Option<&MessageEntry> {
        self.messages.get(&deployment.first?)
    }

    fn send_move(&self, id: DeploymentId) -> Option<SendMove> {
        let deployment = self.deployments.get(&id)?;
        let (send, after) = (deployment.send?, self.cell_of(deployment));
        let before = deployment.cell_before;
        (before != Some(after)).then_some(SendMove { send, before, after })
    }
}

/// A message that a user wrote, as far as answers go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// In which deployment.
    pub deployment: DeploymentId,
    /// When.
    pub at: Timestamp,
    /// The provider's id of it.
    pub provider_message_id: Option<String>,
    /// Whether it is of a kind that answers.
    pub answers: bool,
}

impl Said {
    /// What a message says here; none for what was said to the user.
    pub(super) fn of(message: &MessageEntry) -> Option<Self> {
        (message.sender == Sender::User).then(|| Self {
            deployment: message.deployment,
            at: message.content.at,
            provider_message_id: message.provider_message_id.clone(),
            answers: message.answers(),
        })
    }
}

/// The earliest answer `from` an instant on. Where the user began, the least of all messages is the one that began, and no
/// answer.
fn earliest_answer(said: &[&Said], from: Timestamp, began_by_user: bool) -> Option<Timestamp> {
    let place = |said: &&&Said| (said.at, said.provider_message_id.clone());
    let beginning = said.iter().min_by_key(place).filter(|_| began_by_user);
    let answers = said.iter().filter(|said| said.answers && said.at >= from && beginning != Some(*said));
    answers.map(|said| said.at).min()
}

impl UserEntry {
    /// Where it stands; queued before it is first settled.
    pub fn standing(&self) -> Cell {
        self.cell.unwrap_or(Cell::QUEUED)
    }
}
