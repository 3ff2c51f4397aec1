//! Settling a book: from dirty rows to one net change per user and the moves between cells.

use std::collections::{BTreeSet, HashMap};

use super::{Book, DeploymentEntry, MessageEntry, Reply, UserEntry};
use crate::domain::clock::Timestamp;
use crate::domain::fact::Jump;
use crate::domain::failure::Failure;
use crate::domain::funnel::Funnels;
use crate::domain::id::{ContactId, DeploymentId, MessageId, SendId, UserId, VersionId};
use crate::domain::message::Sender;
use crate::domain::standing::Cell;
use crate::domain::user::{ChangeKind, ChangeKinds};

/// The changes of a batch, ready to be written.
#[derive(Debug, Default)]
pub struct Settlement {
    /// One net change per user, in the order of their ids.
    pub users: Vec<UserMove>,
    /// One move per deployment of a send whose cell changed.
    pub sends: Vec<SendMove>,
    /// Deployments whose rows changed.
    pub deployments: Vec<DeploymentId>,
    /// Messages that are new or whose content changed.
    pub told: Vec<MessageId>,
    /// Messages whose content stayed the same, but whose status or time changed.
    pub progressed: Vec<MessageId>,
    /// Messages that were canceled before their call.
    pub canceled: Vec<MessageId>,
    /// Variables that changed, by deployment and name.
    pub variables: BTreeSet<(DeploymentId, String)>,
    /// Contacts of whom something became known: an identifier, a name, or whether they may be written to.
    pub contacts: BTreeSet<ContactId>,
    /// Keys that became known and for which facts may be parked.
    pub known: BTreeSet<String>,
    /// Deployments of which what is kept of the session changed.
    pub sessions: Vec<DeploymentId>,
    /// What is to be sent besides first messages.
    pub replies: Vec<Reply>,
    /// By how much the figures of funnels change.
    pub funnels: Funnels,
    /// Steps that were answered, with the rounded seconds that it took.
    pub answers: Vec<(VersionId, String, i64)>,
    /// Where flows lead from here.
    pub jumps: Vec<Jump>,
}

/// A user's net change.
#[derive(Debug, Clone)]
pub struct UserMove {
    /// The user who changed.
    pub user: UserId,
    /// What changed; empty if it is not visible in the API.
    pub kinds: ChangeKinds,
    /// The cell before; `None` for a new user.
    pub before: Option<Cell>,
    /// The cell after.
    pub after: Cell,
}

/// A deployment's move within its send.
#[derive(Debug, Clone, Copy)]
pub struct SendMove {
    /// The send to which the deployment belongs.
    pub send: SendId,
    /// The deployment's cell before; `None` for a new deployment.
    pub before: Option<Cell>,
    /// The deployment's cell after.
    pub after: Cell,
}

/// The standing of a user's latest deployment.
struct Latest {
    cell: Cell,
    /// Whether the failure changed, even if its reason did not.
    failure_changed: bool,
}

impl Book {
    /// Deployments whose earliest answer must be determined again from all messages of their users.
    pub fn answers_moved(&self) -> impl Iterator<Item = &DeploymentEntry> {
        self.touched.answers_moved.iter().filter_map(|id| self.deployments.get(id))
    }

    /// The time from which messages count as answers: the second of the first message, since the provider counts in seconds.
    /// If another system sends and has not reported its first message, it is the beginning of the deployment.
    pub fn answers_from(&self, deployment: &DeploymentEntry) -> Option<Timestamp> {
        let first = self.first_of(deployment).map(|first| first.content.at);
        let from = first.or_else(|| deployment.began.filter(|_| deployment.send.is_some()));
        from.map(Timestamp::floor_to_second)
    }

    /// Determines the earliest answers again. `stored` are the users' messages in these deployments that are not in the book.
    pub fn find_answers(&mut self, stored: &[Said]) {
        let by_user = |one: &DeploymentEntry| one.began.filter(|_| one.send.is_none());
        let moved: Vec<_> = self.answers_moved().map(|one| (one.id, self.answers_from(one), by_user(one))).collect();
        for (id, from, begun) in moved {
            let mut said: Vec<&Said> = stored.iter().filter(|said| said.deployment == id).collect();
            let open: Vec<Said> =
                self.messages.values().filter_map(Said::of).filter(|said| said.deployment == id).collect();
            said.extend(&open);
            let answered = from.and_then(|from| earliest_answer(&said, from, begun));
            self.set_answered(id, answered);
        }
    }

    /// Sets the time of the earliest answer.
    pub(super) fn set_answered(&mut self, id: DeploymentId, answered: Option<Timestamp>) {
        let Some(deployment) = self.deployments.get_mut(&id) else { return };
        if deployment.facts.answered != answered {
            deployment.facts.answered = answered;
            self.touch_deployment(id);
        }
    }

    /// Computes the net changes, and forgets what was dirty.
    pub fn settle(&mut self) -> Settlement {
        self.cancel_needless_retries();
        self.unqueue_decided();
        let funnels = self.move_funnels();
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
            canceled: touched.canceled.into_iter().collect(),
            variables: touched.variables,
            contacts: touched.contacts,
            known: touched.known,
            sessions: touched.sessions.into_iter().collect(),
            replies: touched.replies,
            funnels,
            answers: touched.answers,
            jumps: touched.jumps,
        }
    }

    /// `latest` is the standing of the user's latest deployment, if it is in the book.
    fn settle_user(&mut self, id: UserId, mut kinds: ChangeKinds, latest: Option<&Latest>) -> Option<UserMove> {
        let user = self.users.get_mut(&id)?;
        let before = user.cell;
        let after = latest.map(|latest| latest.cell).or(before)?;
        user.cell = Some(after);
        if let Some(before) = before {
            kinds.add_difference(before, after);
        }
        if latest.is_some_and(|latest| latest.failure_changed) {
            kinds.add(ChangeKind::Failure);
        }
        (before != Some(after) || !kinds.is_empty()).then_some(UserMove { user: id, kinds, before, after })
    }

    fn latest(&self) -> HashMap<UserId, Latest> {
        let latest = self.deployments.values().filter(|one| self.is_latest(one));
        let latest = latest.map(|one| {
            let failure_changed = self.failure_of(one).as_ref() != self.failures.get(&one.id);
            (one.user, Latest { cell: self.cell_of(one), failure_changed })
        });
        latest.collect()
    }

    pub(super) fn cell_of(&self, deployment: &DeploymentEntry) -> Cell {
        Cell::of(&deployment.facts, self.first_of(deployment).map(|first| &first.facts))
    }

    /// Why a deployment failed; `None` unless its status is `Failed`.
    pub(super) fn failure_of(&self, deployment: &DeploymentEntry) -> Option<Failure> {
        self.cell_of(deployment).failure_reason?;
        deployment.facts.with_first(self.first_of(deployment).map(|first| &first.facts)).failure()
    }

    pub(super) fn first_of(&self, deployment: &DeploymentEntry) -> Option<&MessageEntry> {
        self.messages.get(&deployment.first?)
    }

    fn send_move(&self, id: DeploymentId) -> Option<SendMove> {
        let deployment = self.deployments.get(&id)?;
        let (send, after) = (deployment.send?, self.cell_of(deployment));
        let before = deployment.cell_before;
        (before != Some(after)).then_some(SendMove { send, before, after })
    }
}

/// What finding answers requires of a message that a user wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// The deployment to which it belongs.
    pub deployment: DeploymentId,
    /// When it was written.
    pub at: Timestamp,
    /// The provider's id of the message.
    pub provider_message_id: Option<String>,
    /// Whether its kind counts as an answer.
    pub answers: bool,
}

impl Said {
    /// From a message; `None` if the user did not write it.
    pub(super) fn of(message: &MessageEntry) -> Option<Self> {
        (message.sender == Sender::User).then(|| Self {
            deployment: message.deployment,
            at: message.content.at,
            provider_message_id: message.provider_message_id.clone(),
            answers: message.answers(),
        })
    }
}

/// The time of the earliest answer at or after `from`. If no send made the deployment, which began at `begun`, the least of
/// all messages began it and is not an answer; where a flow jumped to it, none of them did, and all came later.
fn earliest_answer(said: &[&Said], from: Timestamp, begun: Option<Timestamp>) -> Option<Timestamp> {
    let place = |said: &&&Said| (said.at, said.provider_message_id.clone());
    let beginning = said.iter().min_by_key(place).filter(|said| begun.is_some_and(|begun| said.at <= begun));
    let answers = said.iter().filter(|said| said.answers && said.at >= from && beginning != Some(*said));
    answers.map(|said| said.at).min()
}

impl UserEntry {
    /// The user's cell; queued until it is settled for the first time.
    pub fn standing(&self) -> Cell {
        self.cell.unwrap_or(Cell::QUEUED)
    }
}
