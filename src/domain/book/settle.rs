//! Settling a book: from what became dirty to one net change per user and the moves of the tallies.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use super::{Book, DeploymentEntry, MessageEntry, UserEntry};
use crate::domain::clock::Timestamp;
use crate::domain::failure::Failure;
use crate::domain::id::{ContactId, DeploymentId, MessageId, SendId, UserId};
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
    /// Messages whose rows changed, or which are new.
    pub messages: Vec<MessageId>,
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
    /// Deployments whose earliest answer must be found again, and the instant from which on messages answer. None: there
    /// is no first message.
    pub fn unanswered(&self) -> BTreeMap<DeploymentId, Option<Timestamp>> {
        let from = |id| self.answers_from(self.deployments.get(&id)?);
        self.touched.unanswered.iter().map(|&id| (id, from(id))).collect()
    }

    /// From when on messages answer: from the beginning of the first message's second, as the provider counts; but where
    /// the user began, only after that beginning, which is no answer even to what is said in the same second.
    pub(super) fn answers_from(&self, deployment: &DeploymentEntry) -> Option<Timestamp> {
        let first = self.first_of(deployment)?.content.at.floor_to_second();
        let began = deployment.began.filter(|_| deployment.send.is_none());
        Some(began.map_or(first, |began| first.max(began.plus(Duration::from_micros(1)))))
    }

    /// Sets the earliest answer that was found.
    pub fn set_answered(&mut self, id: DeploymentId, answered: Option<Timestamp>) {
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
            messages: touched.messages.into_iter().collect(),
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

impl UserEntry {
    /// Where it stands; queued before it is first settled.
    pub fn standing(&self) -> Cell {
        self.cell.unwrap_or(Cell::QUEUED)
    }
}
