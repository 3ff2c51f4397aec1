//! Why deployments fail, in the words of the API.

use async_graphql::{Description, Enum, Object};

use super::super::scalars::DateTime;
use crate::domain::failure;

/// Why a deployment failed. WhatsApp's many error codes are sorted into these.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "failure::FailureReason")]
pub(crate) enum FailureReason {
    /// The phone number is none, or WhatsApp refuses it.
    InvalidPhone,
    /// WhatsApp cannot reach this number: it has no account, an old version, or has not accepted the terms.
    Undeliverable,
    /// The business itself has blocked this contact.
    BlockedContact,
    /// The contact asked for no more messages of this kind.
    OptedOut,
    /// The contact was talking to an agent on this line, which goes before any send.
    OpenAgentSession,
    /// A rate limit of the line or its account was still hit after several tries.
    RateLimited,
    /// The business reached the number of different users that WhatsApp lets it write to within 24 hours.
    TierCapacity,
    /// A parameter of the template is missing or does not fit, for example because the user lacks a variable.
    TemplateParameters,
    /// The template is missing, paused, disabled or not approved.
    TemplateUnavailable,
    /// The conversation was archived before this deployment was sent.
    ConversationInactive,
    /// WhatsApp chose not to deliver it, to keep users from too many messages.
    Withheld,
    /// WhatsApp holds the user out of such messages in an experiment of its own.
    Experiment,
    /// A policy of WhatsApp's forbids it, for the business or the user's country.
    Policy,
    /// The line or its account cannot send: credentials, payment, registration or a restriction.
    LineUnavailable,
    /// WhatsApp failed by its own account, also after several tries.
    ProviderError,
    /// It was not delivered within its time to live.
    Expired,
    /// The call to WhatsApp brought no answer that can be understood, nor did anything after it. It may have arrived, so
    /// it is not sent again by itself.
    OutcomeUnknown,
    /// The send was canceled before this deployment left the queue.
    Canceled,
    /// An error code that none of the others covers; `code` and `message` tell more.
    Other,
}

/// Why a deployment failed, and what may be done about it.
#[derive(Description)]
pub(crate) struct Failure(pub(crate) failure::Failure);

#[Object(use_type_description)]
impl Failure {
    /// The reason.
    async fn reason(&self) -> FailureReason {
        self.0.reason.into()
    }

    /// WhatsApp's own error code. Null where the failure was found before or without calling WhatsApp.
    async fn code(&self) -> Option<i32> {
        self.0.code
    }

    /// What happened, as a sentence for people: WhatsApp's words where it gave some.
    async fn message(&self) -> &str {
        &self.0.message
    }

    /// Whether sending to this user again may succeed: at once, after a while (see `retryAfter`), or when what caused the
    /// failure has been put right.
    async fn retryable(&self) -> bool {
        self.0.retryable()
    }

    /// Before this instant another try is not worth it. Null where no time is known to help.
    async fn retry_after(&self) -> Option<DateTime> {
        self.0.retry_after().map(DateTime)
    }

    /// When it failed.
    async fn at(&self) -> DateTime {
        self.0.at.into()
    }
}
