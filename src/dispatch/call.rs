//! One call to the provider, and what follows from its answer.

use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;

use super::DispatchSettings;
use super::dispatcher::Parts;
use super::retry::retry;
use super::worker::{WorkerError, status};
use crate::domain::clock::Timestamp;
use crate::domain::contact::ContactKey;
use crate::domain::fact::{Fact, MessageName, Person, StatusFact, Target};
use crate::domain::failure::{FailureReason, ProviderFailure};
use crate::domain::id::{MessageId, WorkspaceId};
use crate::domain::merge::MessageFacts;
use crate::storage::outbox::{Claimed, LineToServe};
use crate::whatsapp::answer::{Accepted, Action, Answer, Rejected};
use crate::whatsapp::template::{OutgoingTemplate, Recipient};

/// The first wait before a message is tried again; it doubles with each attempt.
const FIRST_DELAY: Duration = Duration::from_secs(1);
/// The longest wait between attempts.
const MAX_DELAY: Duration = Duration::from_mins(5);

/// What is to be done with a message's outbox row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The outcome is recorded: nothing is left to do.
    Settled,
    /// It certainly did not arrive, and is tried again after so long.
    Again(Duration),
    /// Nobody knows, or the answer could not be recorded: it waits for a webhook, claimed as it is.
    Open,
    /// No message of the line can succeed, for this code of the provider's.
    LineStopped(i32),
}

/// The template as the message carries it.
#[derive(Deserialize)]
struct Payload {
    name: String,
    language: String,
    #[serde(default)]
    parameters: Vec<String>,
}

/// Why a message is not sent at all, as far as it can be told before the call.
pub(super) fn refusal(claimed: &Claimed) -> Option<FailureReason> {
    match claimed {
        _ if claimed.archived => Some(FailureReason::ConversationInactive),
        _ if claimed.opted_out => Some(FailureReason::OptedOut),
        _ if outgoing(claimed).is_none() => Some(FailureReason::TemplateParameters),
        _ => None,
    }
}

/// Calls the provider and records the answer.
pub(super) async fn call(parts: &Parts, line: Arc<LineToServe>, claimed: Claimed) -> (MessageId, Outcome) {
    let message = claimed.message;
    let Some(template) = outgoing(&claimed) else { return (message, Outcome::Open) };
    let answer = parts.api.send_template(&line.phone_number_id, &template).await;
    let (fact, outcome) = judge(&answer, &claimed, parts.settings, parts.clock.now());
    let recorded = match fact {
        Some(fact) => record(parts, line.workspace, vec![fact]).await,
        None => Ok(()),
    };
    (message, if recorded.is_ok() { outcome } else { Outcome::Open })
}

/// Records what was learnt, retry: an answer that is lost becomes an unknown outcome.
pub(super) async fn record(parts: &Parts, workspace: WorkspaceId, facts: Vec<Fact>) -> Result<(), WorkerError> {
    retry(|| async { Ok(parts.recorder.record(workspace, facts.clone()).await.map(drop)?) }).await
}

fn outgoing(claimed: &Claimed) -> Option<OutgoingTemplate> {
    let payload: Payload = serde_json::from_str(claimed.payload.as_ref()?).ok()?;
    let by_phone = claimed.phone.clone().map(Recipient::Phone);
    let recipient = by_phone.or_else(|| claimed.provider_user_id.clone().map(Recipient::User))?;
    Some(OutgoingTemplate {
        recipient,
        name: payload.name,
        language: payload.language,
        parameters: payload.parameters,
        callback: claimed.message,
    })
}

/// What an answer means: the fact learnt, and what to do with the outbox row.
fn judge(answer: &Answer, claimed: &Claimed, settings: DispatchSettings, now: Timestamp) -> (Option<Fact>, Outcome) {
    match answer {
        Answer::Accepted(accepted) => (Some(accepted_fact(accepted, claimed.message, now)), Outcome::Settled),
        Answer::NotSent { retry_after } => (None, Outcome::Again(wait(claimed.attempt, *retry_after))),
        Answer::Unknown => (None, Outcome::Open),
        Answer::Rejected(rejected) => match rejected.action {
            Action::StopLine => (None, Outcome::LineStopped(rejected.code)),
            Action::RetryLater | Action::RetryThisUserLater if claimed.attempt < settings.attempts => {
                (None, Outcome::Again(wait(claimed.attempt, rejected.retry_after)))
            }
            _ => (Some(failed_fact(rejected, claimed.message, now)), Outcome::Settled),
        },
    }
}

/// Exponential, unless the provider asks for longer.
fn wait(attempt: i32, asked: Option<Duration>) -> Duration {
    let doublings = u32::try_from(attempt.saturating_sub(1)).unwrap_or(0).min(16);
    let wait = FIRST_DELAY.saturating_mul(1 << doublings).min(MAX_DELAY);
    wait.max(asked.unwrap_or_default())
}

fn accepted_fact(accepted: &Accepted, message: MessageId, now: Timestamp) -> Fact {
    let facts = MessageFacts { accepted: Some(now), held: accepted.held.then_some(now), ..MessageFacts::default() };
    let name = MessageName { own: Some(message), provider: Some(accepted.provider_message_id.clone()) };
    let (wa_id, provider_user_id) = (accepted.wa_id.clone(), accepted.provider_user_id.clone());
    let key = ContactKey { phone: None, wa_id, provider_user_id };
    let recipient = (!key.is_empty()).then_some(Person { key, name: None });
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_a_limit_and_heed_the_provider() {
        assert_eq!(wait(1, None), Duration::from_secs(1));
        assert_eq!(wait(3, None), Duration::from_secs(4));
        assert_eq!(wait(i32::MAX, None), MAX_DELAY);
        assert_eq!(wait(1, Some(Duration::from_secs(9))), Duration::from_secs(9));
    }
}
