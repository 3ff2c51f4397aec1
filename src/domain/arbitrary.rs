//! Generated facts for property tests. Times and texts are drawn from a few values each, so that ties are frequent.

use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use super::clock::Timestamp;
use super::failure::{FailureReason, OwnFailure, ProviderFailure};
use super::merge::{ContactFacts, DeploymentFacts, MessageFacts, Session, VariableValue, Variables};
use super::preference::Preference;
use super::standing::{Cell, SessionStatus};

/// 256 cases, without a file of regressions: a failure that was found becomes a test of its own.
pub(super) fn config() -> ProptestConfig {
    ProptestConfig { failure_persistence: None, max_shrink_iters: 20_000, ..ProptestConfig::default() }
}

/// One of 24 instants, a quarter of a second apart, so that some share a second.
pub(super) fn timestamp() -> impl Strategy<Value = Timestamp> {
    (0_i64..24).prop_map(|quarter| Timestamp::from_micros(1_700_000_000_000_000 + quarter * 250_000).unwrap())
}

/// A failure reported by the provider.
pub(super) fn provider_failure() -> impl Strategy<Value = ProviderFailure> {
    let code = option::of(select(vec![131_026, 131_049, 131_000, 7]));
    (timestamp(), code, select(FailureReason::ALL), select(vec!["", "a", "b"]))
        .prop_map(|(at, code, reason, text)| ProviderFailure { at, code, reason, text: text.to_owned() })
}

/// A failure of our own. A cancellation is none that any order must bear: it keeps a message from being dispatched.
pub(super) fn own_failure() -> impl Strategy<Value = OwnFailure> {
    let reasons: Vec<_> = FailureReason::ALL.iter().copied().filter(|one| *one != FailureReason::Canceled).collect();
    (timestamp(), select(reasons)).prop_map(|(at, reason)| OwnFailure { at, reason })
}

/// The facts of a message in any combination, however unlikely.
pub(super) fn message_facts() -> impl Strategy<Value = MessageFacts> {
    let time = || option::weighted(0.3, timestamp());
    let failed = option::weighted(0.3, provider_failure());
    let own_failure = option::weighted(0.3, own_failure());
    (time(), time(), time(), time(), time(), failed, own_failure, time()).prop_map(
        |(accepted, held, sent, delivered, read, failed, own_failure, unknown)| MessageFacts {
            accepted,
            held,
            sent,
            delivered,
            read,
            failed,
            own_failure,
            unknown,
        },
    )
}

/// A session.
pub(super) fn session() -> impl Strategy<Value = Session> {
    (timestamp(), select(SessionStatus::ALL)).prop_map(|(at, status)| Session { at, status })
}

/// What a contact says about being written to.
pub(super) fn preference() -> impl Strategy<Value = Preference> {
    (timestamp(), any::<bool>()).prop_map(|(at, stopped)| Preference { at, stopped })
}

/// The facts of a contact in any combination.
pub(super) fn contact_facts() -> impl Strategy<Value = ContactFacts> {
    (option::of(preference()), option::of(timestamp()))
        .prop_map(|(preference, blocked)| ContactFacts { preference, blocked })
}

/// The facts of a deployment in any combination.
pub(super) fn deployment_facts() -> impl Strategy<Value = DeploymentFacts> {
    let time = || option::weighted(0.3, timestamp());
    (message_facts(), time(), time(), time(), option::of(session())).prop_map(
        |(reported, dispatched, answered, finished, session)| DeploymentFacts {
            reported,
            dispatched,
            answered,
            finished,
            session,
        },
    )
}

/// A variable's name and value.
pub(super) fn variable() -> impl Strategy<Value = (String, VariableValue)> {
    (select(vec!["city", "plan"]), timestamp(), select(vec!["", "a", "b"]))
        .prop_map(|(name, at, value)| (name.to_owned(), VariableValue { at, value: value.to_owned() }))
}

/// The variables of a deployment.
pub(super) fn variables() -> impl Strategy<Value = Variables> {
    proptest::collection::btree_map(select(vec!["city".to_owned(), "plan".to_owned()]), variable(), 0..3)
        .prop_map(|drawn| drawn.into_iter().map(|(name, (_, value))| (name, value)).collect())
}

/// A cell that some facts lead to.
pub(super) fn cell() -> impl Strategy<Value = Cell> {
    (deployment_facts(), option::of(message_facts())).prop_map(|(facts, first)| Cell::of(&facts, first.as_ref()))
}
