//! A single call to the provider, and the consequences of its answer for the message and for the line.

use std::sync::Arc;
use std::time::Duration;

use tracing::Instrument;

use super::backoff;
use super::desk::Deadline;
use super::dispatcher::Parts;
use super::persist::persist;
use super::worker::WorkerError;
use crate::domain::clock::Timestamp;
use crate::domain::contact::ContactKey;
use crate::domain::fact::{Fact, MessageName, Person, StatusFact, Target};
use crate::domain::failure::{FailureReason, ProviderFailure};
use crate::domain::id::MessageId;
use crate::domain::line::LineStop;
use crate::domain::merge::MessageFacts;
use crate::domain::outgoing::Outgoing;
use crate::recorder::Recorded;
use crate::storage::outbox::{Claimed, LineToServe};
use crate::telemetry::{metrics, traces};
use crate::whatsapp::answer::{Accepted, Action, Answer, Rejected, Trouble};
use crate::whatsapp::outgoing::{OutgoingMessage, Recipient};

/// A call that has ended.
#[derive(Debug)]
pub(super) struct Finished {
    /// The message that was called for.
    pub(super) claimed: Claimed,
    /// What is to be done with its outbox row.
    pub(super) outcome: Outcome,
    /// What the answer says about the line.
    pub(super) news: News,
}

/// What is to be done with the outbox row of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The outcome is recorded; the row can be deleted.
    Settled,
    /// The message certainly did not arrive. It is retried after this delay.
    Later(Duration),
    /// The message certainly did not arrive, and it was not at fault: this was no attempt. It is retried after this delay.
    Uncalled(Duration),
    /// The outcome is unknown, or could not be recorded. The row stays claimed and waits for a webhook.
    Open,
}

/// What an answer says about the line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum News {
    /// It can send.
    Works,
    /// Nothing.
    Silent,
    /// It sends too fast, or the provider cannot be reached; how long the provider asks us to wait.
    TooFast(Option<Duration>),
    /// It must not send.
    Stopped(LineStop),
}

/// Why a message is not sent at all, if there is a reason that is known before the call.
pub(super) fn refusal(claimed: &Claimed) -> Option<FailureReason> {
    let unsendable = || outgoing(claimed).is_none().then_some(FailureReason::TemplateParameters);
    claimed.refusal.or_else(unsendable)
}

/// Calls the provider and records its answer. If the process was suspended before this was polled, and the lease has ended
/// meanwhile, there is no call.
pub(super) async fn call(parts: &Parts, line: Arc<LineToServe>, claimed: Claimed, deadline: Deadline) -> Finished {
    if !deadline.leaves(Duration::ZERO, &*parts.clock) {
        return Finished { claimed, outcome: Outcome::Uncalled(Duration::ZERO), news: News::Silent };
    }
    let Some(message) = outgoing(&claimed) else {
        return Finished { claimed, outcome: Outcome::Open, news: News::Silent };
    };
    let calling = parts.api.send(&line.phone_number_id, &message);
    let answer = calling.instrument(traces::call(line.id)).await;
    metrics::provider_call(answer.word());
    let now = parts.clock.now();
    let (outcome, news) = (outcome(&answer, &claimed), news(&answer));
    let fact = (outcome == Outcome::Settled).then(|| fact(&answer, &claimed, now)).flatten();
    let recorded = record(parts, &line, fact.into_iter().collect()).await;
    // What could not be recorded, or was kept aside, leaves the outcome open.
    let recorded = recorded.is_ok_and(|recorded| recorded.iter().all(|one| *one == Recorded::Merged));
    Finished { claimed, outcome: if recorded { outcome } else { Outcome::Open }, news }
}

/// Records facts of a line, persistently, because an answer that is lost becomes an unknown outcome.
pub(super) async fn record(parts: &Parts, line: &LineToServe, facts: Vec<Fact>) -> Result<Vec<Recorded>, WorkerError> {
    persist(|| async { Ok(parts.recorder.record(line.workspace, Some(line.id), facts.clone()).await?) }).await
}

/// A status of one of our own messages.
pub(super) fn status(message: MessageId, facts: MessageFacts) -> Fact {
    Fact::Status(StatusFact { of: Target::own(message), facts, recipient: None })
}

fn outgoing(claimed: &Claimed) -> Option<OutgoingMessage> {
    let content = Outgoing::read(claimed.kind, claimed.text.as_deref(), claimed.payload.as_deref())?;
    let by_phone = claimed.phone.clone().map(Recipient::Phone);
    let recipient = by_phone.or_else(|| claimed.provider_user_id.clone().map(Recipient::User))?;
    Some(OutgoingMessage { recipient, content, callback: claimed.message })
}

fn outcome(answer: &Answer, claimed: &Claimed) -> Outcome {
    let Claimed { message, attempt, .. } = *claimed;
    match answer {
        Answer::Accepted(_) => Outcome::Settled,
        Answer::Unknown => Outcome::Open,
        Answer::NotSent { retry_after } => Outcome::Uncalled(backoff::next_connection(message, *retry_after)),
        Answer::Rejected(rejected) => match rejected.action {
            Action::Fail | Action::FailAndStopLine => Outcome::Settled,
            Action::StopLine => Outcome::Uncalled(Duration::ZERO),
            Action::Retry(trouble) => {
                let delay = backoff::next_attempt(trouble, message, attempt, rejected.retry_after);
                delay.map_or(Outcome::Settled, Outcome::Later)
            }
        },
    }
}

fn news(answer: &Answer) -> News {
    match answer {
        Answer::Accepted(_) => News::Works,
        Answer::Unknown => News::Silent,
        Answer::NotSent { retry_after } => News::TooFast(*retry_after),
        Answer::Rejected(rejected) => match rejected.action {
            Action::Fail => News::Works,
            Action::Retry(Trouble::Throttled) => News::TooFast(rejected.retry_after),
            Action::Retry(_) => News::Silent,
            Action::StopLine | Action::FailAndStopLine => {
                News::Stopped(LineStop { code: Some(rejected.code), text: rejected.text.clone() })
            }
        },
    }
}

/// The fact that settles a message.
fn fact(answer: &Answer, claimed: &Claimed, now: Timestamp) -> Option<Fact> {
    match answer {
        Answer::Accepted(accepted) => Some(accepted_fact(accepted, claimed, now)),
        Answer::Rejected(rejected) => Some(failed_fact(rejected, claimed.message, now)),
        Answer::NotSent { .. } | Answer::Unknown => None,
    }
}

fn accepted_fact(accepted: &Accepted, claimed: &Claimed, now: Timestamp) -> Fact {
    let message = claimed.message;
    let facts = MessageFacts { accepted: Some(now), held: accepted.held.then_some(now), ..MessageFacts::default() };
    let name = MessageName { own: Some(message), provider: Some(accepted.provider_message_id.clone()) };
    let (wa_id, provider_user_id) = (accepted.wa_id.clone(), accepted.provider_user_id.clone());
    let key = ContactKey { phone: None, wa_id, provider_user_id };
    // In a session nothing new is learnt of the user, who wrote or was sent to before.
    let recipient = (!key.is_empty() && !claimed.said).then_some(Person { key, name: None });
    Fact::Status(StatusFact { of: Target::Message(name), facts, recipient })
}

fn failed_fact(rejected: &Rejected, message: MessageId, now: Timestamp) -> Fact {
    let failure = ProviderFailure {
        at: now,
        code: Some(rejected.code),
        reason: FailureReason::of_provider_code(rejected.code),
        text: rejected.text.clone(),
    };
    status(message, MessageFacts { failed: Some(failure), ..MessageFacts::default() })
}
