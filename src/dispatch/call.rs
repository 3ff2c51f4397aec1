//! A single call to the provider, and the consequences of its answer.

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

/// The delay before the second attempt at a message. It doubles with each attempt.
const FIRST_DELAY: Duration = Duration::from_secs(1);
/// The longest delay between two attempts, unless the provider asks for more.
const MAX_DELAY: Duration = Duration::from_mins(5);

/// What is to be done with the outbox row of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The outcome is recorded; the row can be deleted.
    Settled,
    /// The message certainly did not arrive. It is retried after this delay.
    Retry(Duration),
    /// The outcome is unknown, or could not be recorded. The row stays claimed and waits for a webhook.
    Open,
    /// No message of the line can succeed, according to this code of the provider.
    LineStopped(i32),
}

/// The template as it is stored with the message.
#[derive(Deserialize)]
struct Payload {
    name: String,
    language: String,
    #[serde(default)]
    parameters: Vec<String>,
}

/// Why a message is not sent at all, if there is a reason that is known before the call.
pub(super) fn refusal(claimed: &Claimed) -> Option<FailureReason> {
    match claimed {
        _ if claimed.archived => Some(FailureReason::ConversationInactive),
        _ if claimed.opted_out => Some(FailureReason::OptedOut),
        _ if outgoing(claimed).is_none() => Some(FailureReason::TemplateParameters),
        _ => None,
    }
}

/// Calls the provider and records its answer.
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

/// Records facts, with retries, because an answer that is lost becomes an unknown outcome.
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

/// The fact that follows from an answer, and what to do with the outbox row.
fn judge(answer: &Answer, claimed: &Claimed, settings: DispatchSettings, now: Timestamp) -> (Option<Fact>, Outcome) {
    match answer {
        Answer::Accepted(accepted) => (Some(accepted_fact(accepted, claimed.message, now)), Outcome::Settled),
        Answer::NotSent { retry_after } => (None, Outcome::Retry(delay(claimed.attempt, *retry_after))),
        Answer::Unknown => (None, Outcome::Open),
        Answer::Rejected(rejected) => match rejected.action {
            Action::StopLine => (None, Outcome::LineStopped(rejected.code)),
            Action::RetryLater | Action::RetryThisUserLater if claimed.attempt < settings.attempts => {
                (None, Outcome::Retry(delay(claimed.attempt, rejected.retry_after)))
            }
            _ => (Some(failed_fact(rejected, claimed.message, now)), Outcome::Settled),
        },
    }
}

/// The delay before the next attempt: exponential, unless the provider asks for a longer one.
fn delay(attempt: i32, asked: Option<Duration>) -> Duration {
    let doublings = u32::try_from(attempt.saturating_sub(1)).unwrap_or(0).min(16);
    let delay = FIRST_DELAY.saturating_mul(1 << doublings).min(MAX_DELAY);
    delay.max(asked.unwrap_or_default())
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
    fn delays_double_up_to_a_limit_and_respect_the_provider() {
        assert_eq!(delay(1, None), Duration::from_secs(1));
        assert_eq!(delay(3, None), Duration::from_secs(4));
        assert_eq!(delay(i32::MAX, None), MAX_DELAY);
        assert_eq!(delay(1, Some(Duration::from_secs(9))), Duration::from_secs(9));
    }
}
