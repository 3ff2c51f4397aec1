//! Why deployments fail, in the words of the API.

use async_graphql::{Description, Enum, Object};

use crate::domain::failure;
use crate::graphql::scalars::DateTime;

/// Why a deployment failed. WhatsApp's many error codes are grouped into these reasons.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "failure::FailureReason")]
pub(crate) enum FailureReason {
    /// The phone number is not valid, or WhatsApp rejects it.
    InvalidPhone,
    /// WhatsApp cannot reach this number: it has no account, runs an outdated version, or has not accepted the terms.
    Undeliverable,
    /// The business itself has blocked this contact.
    BlockedContact,
    /// The contact asked the business for no more messages.
    OptedOut,
    /// The contact was talking to an agent on this line, which takes precedence over any send.
    OpenAgentSession,
    /// A rate limit of the line or its account was still exceeded after several attempts.
    RateLimited,
    /// The business has reached WhatsApp's limit on how many different users it may message within 24 hours.
    TierCapacity,
    /// A template parameter is missing or does not fit, for example because the user lacks a variable.
    TemplateParameters,
    /// The template is missing, paused, disabled or not approved.
    TemplateUnavailable,
    /// The conversation was archived before this deployment was sent.
    ConversationInactive,
    /// WhatsApp chose not to deliver it, to protect users from too many messages.
    Withheld,
    /// WhatsApp excludes the user from such messages as part of an experiment.
    Experiment,
    /// A WhatsApp policy forbids it: for the business, for the user's country, or because it is no template and the user has
    /// written nothing on the line for 24 hours.
    Policy,
    /// The line or its account cannot send, because of credentials, payment, registration or a restriction.
    LineUnavailable,
    /// WhatsApp reported an internal error, even after retries.
    ProviderError,
    /// It was not delivered within its time to live.
    Expired,
    /// The call to WhatsApp got no intelligible answer, and nothing has been reported since. The message may have
    /// arrived, so it is not resent automatically.
    OutcomeUnknown,
    /// It was canceled before it left the queue: with its send, or as a retry of a message that turned out to be
    /// delivered.
    Canceled,
    /// An error code that none of the other reasons covers; see `code` and `message`.
    Other,
}

/// Why a deployment failed, and what can be done about it.
#[derive(Description)]
pub(crate) struct Failure(pub(crate) failure::Failure);

#[Object(use_type_description)]
impl Failure {
    /// The reason.
    async fn reason(&self) -> FailureReason {
        self.0.reason.into()
    }

    /// WhatsApp's own error code. Null if WhatsApp reported none, for example because it was never called.
    async fn code(&self) -> Option<i32> {
        self.0.code
    }

    /// What happened, in a sentence for people: WhatsApp's own words if it gave any.
    async fn message(&self) -> &str {
        &self.0.message
    }

    /// Whether sending to this user again may succeed: immediately, after a while (see `retryAfter`), or once the cause
    /// has been fixed.
    async fn retryable(&self) -> bool {
        self.0.retryable()
    }

    /// The earliest time at which a retry is worthwhile. Null if waiting is not known to help.
    async fn retry_after(&self) -> Option<DateTime> {
        self.0.retry_after().map(DateTime)
    }

    /// When it failed.
    async fn at(&self) -> DateTime {
        self.0.at.into()
    }
}
