//! Settling a book: from what became dirty to one net change per user and the moves of the tallies.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::{Book, DeploymentEntry, MessageEntry, UserEntry};
use crate::domain::clock::Timestamp;
use crate::domain::id::{ContactId, DeploymentId, MessageId, SendId, UserId};
use crate::domain::standing::Cell;
use crate::domain::user::ChangeKinds;

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

impl Book {
    /// Deployments whose earliest answer must be found again, and the instant from which on messages answer: the
    /// beginning of the first message's second, as the provider counts. None: there is no first message.
    pub fn unanswered(&self) -> BTreeMap<DeploymentId, Option<Timestamp>> {
        let first_at = |id| self.first_of(self.deployments.get(&id)?).map(|first| first.content.at.floor_to_second());
        self.touched.unanswered.iter().map(|&id| (id, first_at(id))).collect()
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
        let latest = self.latest_cells();
        let settle = |(id, kinds)| self.settle_user(id, kinds, latest.get(&id).copied());
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

    /// `latest` is where the user's latest deployment stands, if the book holds it at all.
    fn settle_user(&mut self, id: UserId, mut kinds: ChangeKinds, latest: Option<Cell>) -> Option<UserMove> {
        let user = self.users.get_mut(&id)?;
        let before = user.cell;
        let after = latest.or(before)?;
        user.cell = Some(after);
        if let Some(before) = before {
            kinds.add_difference(before, after);
        }
        (before != Some(after) || !kinds.is_empty()).then_some(UserMove { user: id, kinds, before, after })
    }

    fn latest_cells(&self) -> HashMap<UserId, Cell> {
        let latest = self.deployments.values().filter(|one| self.is_latest(one));
        latest.map(|one| (one.user, self.cell_of(one))).collect()
    }

    fn cell_of(&self, deployment: &DeploymentEntry) -> Cell {
        Cell::of(&deployment.facts, self.first_of(deployment).map(|first| &first.facts))
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
