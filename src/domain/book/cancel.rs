//! Canceling messages before their call: those of a canceled send, and retries that turned out to be needless.
//!
//! Whether a call or its cancellation comes first is decided by the order in which they are recorded, under the version's lock.

use super::apply::Applied;
use super::{Book, DeploymentEntry, MessageEntry};
use crate::domain::clock::Timestamp;
use crate::domain::id::{DeploymentId, MessageId};
use crate::domain::merge::MessageFacts;
use crate::domain::standing::DeploymentStatus;

impl Book {
    pub(super) fn apply_canceled(&mut self, id: MessageId, at: Timestamp) -> Applied {
        let Some(message) = self.messages.get(&id) else { return Applied::Nowhere("unknown_message") };
        if self.is_queued(message) {
            self.cancel(id, at);
        } else if self.is_uncalled(message) {
            // It is decided already, and has no place in the outbox.
            self.touched.canceled.insert(id);
        }
        Applied::Merged
    }

    /// Whether a message still waits for its call, so that it can be canceled.
    fn is_queued(&self, message: &MessageEntry) -> bool {
        self.is_uncalled(message) && message.facts == MessageFacts::default()
    }

    fn is_uncalled(&self, message: &MessageEntry) -> bool {
        self.deployments.get(&message.deployment).is_some_and(|one| one.facts.dispatched.is_none())
    }

    /// Fails a queued message as canceled, which takes it out of the outbox.
    fn cancel(&mut self, id: MessageId, at: Timestamp) {
        self.merge_message(id, &MessageFacts::canceled(at));
        self.touched.canceled.insert(id);
    }

    /// Cancels queued retries of deployments that turned out to be delivered.
    pub(super) fn cancel_needless_retries(&mut self) {
        let delivered = |id: &DeploymentId| {
            let before = self.deployments.get(id).filter(|one| !self.is_latest(one))?;
            Some((before, self.delivered_at(before)?))
        };
        let retries = self.touched.standing.iter().filter_map(delivered).filter_map(|(before, at)| {
            let retry = self.deployments.values().find(|one| one.retries && one.follows(before))?;
            self.first_of(retry).filter(|first| self.is_queued(first)).map(|first| (first.id, at))
        });
        let needless: Vec<_> = retries.collect();
        for (message, at) in needless {
            self.cancel(message, at);
        }
    }

    /// Takes messages out of the outbox that were decided in another way before they were dispatched.
    pub(super) fn unqueue_decided(&mut self) {
        let decided = self.touched.standing.iter().filter_map(|id| self.deployments.get(id)).filter(|one| {
            one.made && one.facts.dispatched.is_none() && self.cell_of(one).status != DeploymentStatus::Queued
        });
        let decided: Vec<MessageId> = decided.filter_map(|one| one.first).collect();
        self.touched.canceled.extend(decided);
    }

    /// The earliest evidence that a deployment was delivered.
    fn delivered_at(&self, deployment: &DeploymentEntry) -> Option<Timestamp> {
        let facts = deployment.facts.with_first(self.first_of(deployment).map(|first| &first.facts));
        [facts.delivered, facts.read, deployment.facts.responded()].into_iter().flatten().min()
    }
}

impl DeploymentEntry {
    /// Whether this is the same user's deployment after `other`.
    fn follows(&self, other: &Self) -> bool {
        self.user == other.user && self.number == other.number + 1
    }
}
