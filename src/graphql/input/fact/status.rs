//! How far a message to the user got.

use async_graphql::{ID, InputObject};

use super::Reader;
use crate::domain::clock::Timestamp;
use crate::domain::fact::{self, Fact};
use crate::domain::failure::{self, OwnFailure, ProviderFailure};
use crate::domain::input::{Fault, MAX_TEXT_BYTES, check_text};
use crate::domain::merge::MessageFacts;
use crate::graphql::error::Result;
use crate::graphql::given::Given;
use crate::graphql::place::Place;
use crate::graphql::scalars::DateTime;
use crate::graphql::types::failure::FailureReason;
use crate::graphql::types::standing::DeploymentStatus;
use crate::graphql::user_error::UserErrors;

/// How far a message to the user has got. Exactly one of `deploymentId` and `providerMessageId` must be given.
#[derive(Debug, InputObject)]
pub(crate) struct StatusFact {
    /// The deployment, to report on its first message. If the workspace has no such deployment, the error is
    /// `NOT_FOUND`.
    pub(crate) deployment_id: Option<ID>,
    /// The provider's id of the message; 1 to 512 bytes. If that message is not known yet, the fact is parked until it
    /// is.
    provider_message_id: Option<String>,
    /// How far it has got. QUEUED says nothing new and records nothing.
    status: DeploymentStatus,
    /// When it happened. If there are several reports of one status, the earliest counts.
    at: Given<DateTime>,
    /// The provider's error code. Allowed only with FAILED.
    failure_code: Option<Given<i32>>,
    /// Why it failed. Allowed only with FAILED. If omitted, it follows from `failureCode`, or is OTHER if that is
    /// omitted too. With `OPTED_OUT`, the user has opted out.
    failure_reason: Option<FailureReason>,
    /// The provider's own words; at most 32,768 bytes. Allowed only with FAILED.
    failure_message: Option<String>,
}

impl StatusFact {
    /// The fact in the domain's terms; `None` where it was refused.
    pub(crate) fn read(self, place: &Place, reader: &mut Reader<'_>) -> Result<Option<Fact>> {
        let of = reader.target(place, self.deployment_id.as_ref(), self.provider_message_id.as_deref())?;
        let at = reader.at(place, &self.at)?;
        let code = Given::read_field(self.failure_code.as_ref(), place, "failureCode")?;
        self.check_failure(place, reader.errors);
        Ok(of.zip(at).map(|(of, at)| {
            let facts = self.facts(code, at);
            Fact::Status(fact::StatusFact { of, facts, recipient: None })
        }))
    }

    fn check_failure(&self, place: &Place, errors: &mut UserErrors) {
        if let Some(message) = &self.failure_message {
            errors.check(place.field("failureMessage"), check_text(message, MAX_TEXT_BYTES));
        }
        let given = [
            ("failureCode", self.failure_code.is_some()),
            ("failureReason", self.failure_reason.is_some()),
            ("failureMessage", self.failure_message.is_some()),
        ];
        for (name, _) in given.into_iter().filter(|&(_, given)| given && self.status != DeploymentStatus::Failed) {
            errors.check::<()>(place.field(name), Err(Fault::new("is allowed only with the status FAILED")));
        }
    }

    fn facts(self, code: Option<i32>, at: Timestamp) -> MessageFacts {
        let nothing = MessageFacts::default();
        let at_that = Some(at);
        match self.status {
            DeploymentStatus::Queued => nothing,
            DeploymentStatus::Accepted => MessageFacts { accepted: at_that, ..nothing },
            DeploymentStatus::Held => MessageFacts { held: at_that, ..nothing },
            DeploymentStatus::Sent => MessageFacts { sent: at_that, ..nothing },
            DeploymentStatus::Delivered => MessageFacts { delivered: at_that, ..nothing },
            DeploymentStatus::Read => MessageFacts { read: at_that, ..nothing },
            DeploymentStatus::Failed => self.failure(code, at),
        }
    }

    /// A reason that no provider has a code for, told without a code, is a failure found before or without the provider.
    fn failure(self, code: Option<i32>, at: Timestamp) -> MessageFacts {
        let nothing = MessageFacts::default();
        let meant = code.map_or(failure::FailureReason::Other, failure::FailureReason::of_provider_code);
        let reason = self.failure_reason.map_or(meant, failure::FailureReason::from);
        match (reason, code) {
            (failure::FailureReason::OutcomeUnknown, None) => MessageFacts { unknown: Some(at), ..nothing },
            (reason, None) if reason.is_ours() => {
                MessageFacts { own_failure: Some(OwnFailure { at, reason }), ..nothing }
            }
            (reason, code) => {
                let text = self.failure_message.unwrap_or_default();
                MessageFacts { failed: Some(ProviderFailure { at, code, reason, text }), ..nothing }
            }
        }
    }
}
