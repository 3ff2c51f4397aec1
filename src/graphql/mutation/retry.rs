//! Retrying the failed users of a send.

use async_graphql::{Context, Enum, ID, Object, SimpleObject};

use super::finish;
use super::send::SendConversationPayload;
use crate::auth::Scope;
use crate::dispatch::{self, Retried, RetryFault, RetryGroup, RetryRequest};
use crate::domain::input::Fault;
use crate::graphql::connection::int;
use crate::graphql::context::{ContextExt, Writes};
use crate::graphql::error::Result;
use crate::graphql::fresh::Fresh;
use crate::graphql::input::id::read_send_id;
use crate::graphql::lazy::Lazy;
use crate::graphql::place::Place;
use crate::graphql::types::conversation::Conversation;
use crate::graphql::types::failure::FailureReason;
use crate::graphql::types::send::Send;
use crate::graphql::user_error::{UserErrorCode, UserErrors};

#[derive(Default)]
pub(crate) struct RetryMutation;

/// How many failed deployments of one reason have the same outcome in a retry.
#[derive(Debug, SimpleObject)]
pub(crate) struct RetryCount {
    /// Why they failed.
    reason: FailureReason,
    /// What becomes of them.
    outcome: RetryOutcome,
    /// How many there are.
    count: i32,
}

/// Whether a failed deployment is retried, or why not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "dispatch::RetryChoice")]
pub(crate) enum RetryOutcome {
    /// Its user is sent to again.
    Retried,
    /// It is retried only if its reason is named, and may then fail again at once, such as with `OPTED_OUT`.
    NotRetryable,
    /// Other reasons were named.
    NotNamed,
    /// Its user's data was erased.
    Erased,
    /// Its user has a newer deployment already.
    SentAgain,
}

#[Object(guard = "Writes(Scope::Write)")]
impl RetryMutation {
    /// Sends to the failed users of a send again: a new send of the same version, with a new deployment for each user
    /// whose latest deployment is the failed one and whose failure is retryable, or is of the reasons named. Where
    /// WhatsApp wants one to wait (`Failure.retryAfter`), a deployment is queued until then; if the one that failed turns
    /// out to be delivered meanwhile, the retry fails with `CANCELED`, and as the user's latest deployment decides what the
    /// user's status is.
    ///
    /// `retries` tells what becomes of every failed deployment of the send. `send` is null if nobody is left to be
    /// retried. Repeating the request retries nobody twice.
    async fn retry_send(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The send whose failed users are retried.")] id: ID,
        #[graphql(
            desc = "The reasons to retry, retryable or not, such as OUTCOME_UNKNOWN. If omitted, all that are retryable."
        )]
        reasons: Option<Vec<FailureReason>>,
        #[graphql(
            desc = "Whether to count only: `retries` tells what would happen, and nothing is sent.",
            default_with = "Some(false)"
        )]
        dry_run: Option<bool>,
        #[graphql(desc = "As in `sendConversation`: the same key with the same input returns the send made first.")]
        idempotency_key: Option<String>,
    ) -> Result<Fresh<SendConversationPayload>> {
        let request = ctx.request()?;
        let (place, mut errors) = (Place::of("id"), UserErrors::default());
        let mut retried = None;
        if let Some(send) = errors.found(place.clone(), "send", read_send_id(&id, &place)?) {
            let reasons = reasons.map(|reasons| reasons.into_iter().map(Into::into).collect());
            let dry_run = dry_run.unwrap_or(false);
            let asked = RetryRequest { send, reasons, dry_run, idempotency_key };
            let answer = request.backend.sends.retry(&request.tenant, &asked).await?;
            retried = answer.map_err(|fault| refuse(fault, &mut errors)).ok();
        }
        finish(ctx, SendConversationPayload::of_retry(retried, errors)).await
    }
}

impl SendConversationPayload {
    fn of_retry(retried: Option<Retried>, errors: UserErrors) -> Self {
        let send = retried.as_ref().and_then(|retried| retried.send).map(|send| Send(Lazy::Id(send)));
        let conversation = retried.as_ref().map(|retried| Conversation(Lazy::Id(retried.conversation)));
        let counts = retried.map(|retried| retried.groups.into_iter().map(RetryCount::from).collect());
        Self { send, conversation, retries: counts, user_errors: errors.into_vec() }
    }
}

impl From<RetryGroup> for RetryCount {
    fn from(group: RetryGroup) -> Self {
        Self { reason: group.reason.into(), outcome: group.choice.into(), count: int(group.count) }
    }
}

fn refuse(fault: RetryFault, errors: &mut UserErrors) {
    use UserErrorCode::{Conflict, Invalid, NotFound};

    let (place, code, fault) = match fault {
        RetryFault::NoSend => ("id", NotFound, Fault::new("does not name a send in this workspace")),
        RetryFault::Archived => ("id", Conflict, Fault::new("names a send of an archived conversation")),
        RetryFault::NoReasons => {
            ("reasons", Invalid, Fault::new("must not be empty; leave it out to retry all that are retryable"))
        }
        RetryFault::Key(fault) => ("idempotencyKey", Invalid, fault),
        RetryFault::KeyTaken => ("idempotencyKey", Conflict, Fault::new("was already used with a different input")),
    };
    errors.refuse(Place::of(place), code, &fault);
}
