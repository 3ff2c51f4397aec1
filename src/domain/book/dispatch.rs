//! The calls of sends to the provider: that one is about to be made, and that it was not made after all.
//!
//! With the call its deployment begins, and whatever else was going on with its contact on the line ends.

use super::Book;
use super::apply::Applied;
use crate::domain::clock::Timestamp;
use crate::domain::failure::FailureReason;
use crate::domain::id::MessageId;

impl Book {
    pub(super) fn apply_dispatched(&mut self, id: MessageId, at: Timestamp) -> Applied {
        let Some(message) = self.messages.get_mut(&id) else { return Applied::Nowhere("unknown_message") };
        let Some(deployment) = self.deployments.get_mut(&message.deployment) else {
            return Applied::Nowhere("unknown_deployment");
        };
        if message.facts.own_failure.is_some_and(|failure| failure.reason == FailureReason::Canceled) {
            return Applied::Refused;
        }
        let id_of_deployment = deployment.id;
        if deployment.facts.dispatched.is_none_or(|known| at < known) {
            deployment.facts.dispatched = Some(at);
            deployment.began = Some(at);
            // In the history, a queued message has the time at which it is due; now the time of sending is known.
            message.content.at = at;
            self.touched.progressed.insert(id);
            self.touched.deployments.insert(message.deployment);
            if deployment.facts.answered.is_some() {
                self.touched.answers_moved.insert(message.deployment);
            }
        }
        self.close_others(id_of_deployment);
        Applied::Merged
    }

    pub(super) fn apply_withdrawn(&mut self, id: MessageId) -> Applied {
        let Some(message) = self.messages.get_mut(&id) else { return Applied::Nowhere("unknown_message") };
        let Some(deployment) = self.deployments.get_mut(&message.deployment) else {
            return Applied::Nowhere("unknown_deployment");
        };
        if deployment.facts.dispatched.take().is_some() {
            deployment.began = None;
            message.content.at = deployment.queued_at;
            self.touched.progressed.insert(id);
            self.touched.deployments.insert(message.deployment);
            self.touched.answers_moved.insert(message.deployment);
        }
        Applied::Merged
    }
}
