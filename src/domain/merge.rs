//! The merge of facts: what is known of a message, of a deployment and of a contact, as the join of everything ever
//! reported.
//!
//! Webhooks arrive twice, out of order and days late. Each field below merges by an operation that is commutative,
//! associative and idempotent (the earliest time, the least failure, the latest session), with ties broken by a total
//! order. Therefore the same reports, in any order and with any repetition, lead to the same facts.

use std::collections::BTreeMap;

use super::clock::Timestamp;
use super::failure::{Failure, FailureReason, OwnFailure, ProviderFailure};
use super::preference::Preference;
use super::standing::{DeploymentStatus, SessionStatus};

/// What is known of an outgoing message: the earliest time of each status, and its failures.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct MessageFacts {
    /// When the provider accepted it.
    pub accepted: Option<Timestamp>,
    /// When the provider held it back for a quality check.
    pub held: Option<Timestamp>,
    /// When it left the provider: one tick.
    pub sent: Option<Timestamp>,
    /// When it reached the phone: two ticks.
    pub delivered: Option<Timestamp>,
    /// When it was read: two blue ticks.
    pub read: Option<Timestamp>,
    /// The failure that the provider reported.
    pub failed: Option<ProviderFailure>,
    /// Our own failure, except for an unknown outcome.
    #[serde(rename = "refused")]
    pub own_failure: Option<OwnFailure>,
    /// When we gave up waiting for the outcome of the call. Disregarded as soon as the outcome is known.
    pub unknown: Option<Timestamp>,
}

/// What is known of a deployment beyond its first message.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeploymentFacts {
    /// Statuses reported for the deployment itself rather than for one of its messages.
    pub reported: MessageFacts,
    /// When the provider was called.
    pub dispatched: Option<Timestamp>,
    /// When the user first answered, at or after the first message.
    pub answered: Option<Timestamp>,
    /// When the user answered a final step.
    pub finished: Option<Timestamp>,
    /// The latest session.
    pub session: Option<Session>,
}

/// Whether a contact may be written to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ContactFacts {
    /// What the contact last said about it, if it ever did.
    pub preference: Option<Preference>,
    /// When the provider last named the contact as blocked by the business.
    pub blocked: Option<Timestamp>,
}

/// A session status and since when. The latest wins; of two at the same time, the greater status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub struct Session {
    /// When the status was taken on.
    pub at: Timestamp,
    /// Who is handling the conversation, or how the session ended.
    pub status: SessionStatus,
}

/// A variable's value. The latest wins; of two at the same time, the greater text.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct VariableValue {
    /// When the variable took this value.
    pub at: Timestamp,
    /// The value.
    pub value: String,
}

/// The variables of a deployment by name.
pub type Variables = BTreeMap<String, VariableValue>;

impl MessageFacts {
    /// What is known of a message that was canceled.
    pub fn canceled(at: Timestamp) -> Self {
        let own_failure = Some(OwnFailure { at, reason: FailureReason::Canceled });
        Self { own_failure, ..Self::default() }
    }

    /// Merges the facts of `other` into these.
    pub fn merge(&mut self, other: &Self) {
        keep_least(&mut self.accepted, other.accepted.as_ref());
        keep_least(&mut self.held, other.held.as_ref());
        keep_least(&mut self.sent, other.sent.as_ref());
        keep_least(&mut self.delivered, other.delivered.as_ref());
        keep_least(&mut self.read, other.read.as_ref());
        keep_least(&mut self.failed, other.failed.as_ref());
        keep_least(&mut self.own_failure, other.own_failure.as_ref());
        keep_least(&mut self.unknown, other.unknown.as_ref());
    }

    /// How far the message got. `answered` says whether the user answered it, which proves delivery.
    pub fn status(&self, answered: bool) -> DeploymentStatus {
        if self.read.is_some() {
            DeploymentStatus::Read
        } else if self.delivered.is_some() || answered {
            DeploymentStatus::Delivered
        } else if self.failure().is_some() {
            DeploymentStatus::Failed
        } else if self.sent.is_some() {
            DeploymentStatus::Sent
        } else if self.held.is_some() {
            DeploymentStatus::Held
        } else if self.accepted.is_some() {
            DeploymentStatus::Accepted
        } else {
            DeploymentStatus::Queued
        }
    }

    /// Since when the provider has had it, if it has neither delivered nor failed it yet.
    pub fn under_way_since(&self) -> Option<Timestamp> {
        let decided = self.read.is_some() || self.delivered.is_some() || self.failure().is_some();
        [self.accepted, self.held, self.sent].into_iter().flatten().min().filter(|_| !decided)
    }

    /// The failure that applies unless there is evidence of delivery. The provider's takes precedence over ours, and an
    /// unknown outcome counts only while the outcome is unknown.
    pub fn failure(&self) -> Option<Failure> {
        let provider = self.failed.as_ref().map(Failure::from);
        provider.or_else(|| self.own_failure_in_force().map(Failure::from))
    }

    fn own_failure_in_force(&self) -> Option<OwnFailure> {
        let known = self.accepted.is_some() || self.held.is_some() || self.sent.is_some();
        let unknown = self.unknown.filter(|_| !known);
        let unknown = unknown.map(|at| OwnFailure { at, reason: FailureReason::OutcomeUnknown });
        self.own_failure.into_iter().chain(unknown).min()
    }
}

impl DeploymentFacts {
    /// Merges the facts of `other` into these.
    pub fn merge(&mut self, other: &Self) {
        self.reported.merge(&other.reported);
        keep_least(&mut self.dispatched, other.dispatched.as_ref());
        keep_least(&mut self.answered, other.answered.as_ref());
        keep_least(&mut self.finished, other.finished.as_ref());
        keep_greatest(&mut self.session, other.session.as_ref());
    }

    /// When the user first responded; finishing implies an answer.
    pub fn responded(&self) -> Option<Timestamp> {
        self.answered.into_iter().chain(self.finished).min()
    }

    /// How far the deployment got: what was reported for itself, merged with the facts of its first message.
    pub fn with_first(&self, first: Option<&MessageFacts>) -> MessageFacts {
        let mut facts = self.reported.clone();
        if let Some(first) = first {
            facts.merge(first);
        }
        facts
    }
}

impl ContactFacts {
    /// Merges the facts of `other` into these; returns whether anything was new.
    pub fn merge(&mut self, other: &Self) -> bool {
        let before = *self;
        keep_greatest(&mut self.preference, other.preference.as_ref());
        keep_greatest(&mut self.blocked, other.blocked.as_ref());
        *self != before
    }

    /// What a failure that the provider reported says about the recipient of the message.
    pub fn of_failure(failure: &ProviderFailure) -> Self {
        let at = failure.at;
        let preference = Some(Preference { at, stopped: true }).filter(|_| failure.reason == FailureReason::OptedOut);
        let blocked = Some(at).filter(|_| failure.reason == FailureReason::BlockedContact);
        Self { preference, blocked }
    }

    /// When the contact asked not to be written to; `None` while it may be.
    pub fn opted_out(&self) -> Option<Timestamp> {
        self.preference.filter(|preference| preference.stopped).map(|preference| preference.at)
    }

    /// Whether nothing is known.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Merges a variable's value; returns whether it changed anything.
pub fn merge_variable(variables: &mut Variables, name: &str, value: &VariableValue) -> bool {
    let known = variables.get(name);
    let newer = known.is_none_or(|known| known < value);
    if newer {
        variables.insert(name.to_owned(), value.clone());
    }
    newer
}

/// Keeps the lesser of the known value and the new one.
pub fn keep_least<T: Ord + Clone>(known: &mut Option<T>, new: Option<&T>) {
    if let Some(new) = new
        && known.as_ref().is_none_or(|known| new < known)
    {
        *known = Some(new.clone());
    }
}

/// Keeps the greater of the known value and the new one.
pub fn keep_greatest<T: Ord + Clone>(known: &mut Option<T>, new: Option<&T>) {
    if let Some(new) = new
        && known.as_ref().is_none_or(|known| new > known)
    {
        *known = Some(new.clone());
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::arbitrary::{config, contact_facts, deployment_facts, message_facts, variables};

    fn merged<T: Clone>(one: &T, other: &T, merge: impl Fn(&mut T, &T)) -> T {
        let mut merged = one.clone();
        merge(&mut merged, other);
        merged
    }

    /// Whether the merge is commutative, associative and idempotent on these.
    fn is_a_join<T: Clone + PartialEq>([a, b, c]: &[T; 3], merge: impl Fn(&mut T, &T)) -> bool {
        let join = |one: &T, other: &T| merged(one, other, &merge);
        join(a, b) == join(b, a) && join(&join(a, b), c) == join(a, &join(b, c)) && join(a, a) == *a
    }

    fn merge_contacts(known: &mut ContactFacts, told: &ContactFacts) {
        known.merge(told);
    }

    fn merge_variables(known: &mut Variables, told: &Variables) {
        for (name, value) in told {
            merge_variable(known, name, value);
        }
    }

    proptest! {
        #![proptest_config(config())]

        #[test]
        fn facts_of_messages_merge_in_any_order_and_with_any_repetition(facts in prop::array::uniform3(message_facts())) {
            prop_assert!(is_a_join(&facts, MessageFacts::merge));
        }

        #[test]
        fn facts_of_deployments_merge_in_any_order_and_with_any_repetition(facts in prop::array::uniform3(deployment_facts())) {
            prop_assert!(is_a_join(&facts, DeploymentFacts::merge));
        }

        #[test]
        fn facts_of_contacts_merge_in_any_order_and_with_any_repetition(facts in prop::array::uniform3(contact_facts())) {
            prop_assert!(is_a_join(&facts, merge_contacts));
        }

        #[test]
        fn variables_merge_in_any_order_and_with_any_repetition(all in prop::array::uniform3(variables())) {
            prop_assert!(is_a_join(&all, merge_variables));
        }

        #[test]
        fn a_merge_reports_exactly_whether_the_variable_changed(known in variables(), told in variables()) {
            for (name, value) in &told {
                let mut after = known.clone();
                prop_assert_eq!(merge_variable(&mut after, name, value), after != known);
            }
        }

        #[test]
        fn an_unknown_outcome_is_void_once_the_message_is_known_to_have_left(facts in message_facts()) {
            let left = facts.accepted.or(facts.held).or(facts.sent).is_some();
            let shown = facts.failure().map(|failure| failure.reason);
            let only_unknown = facts.failed.is_none() && facts.own_failure.is_none() && facts.unknown.is_some();
            if only_unknown {
                prop_assert_eq!(shown, (!left).then_some(FailureReason::OutcomeUnknown));
            }
        }

        #[test]
        fn the_provider_s_failure_takes_precedence_over_ours(facts in message_facts()) {
            if let Some(failed) = &facts.failed {
                prop_assert_eq!(facts.failure(), Some(Failure::from(failed)));
            }
        }
    }
}
