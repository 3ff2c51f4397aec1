//! Sends.

use std::time::Duration;

use async_graphql::{Context, ID, InputObject, Object, SimpleObject};

use super::retry::RetryCount;
use super::{finish, payload};
use crate::auth::Scope;
use crate::dispatch::{MAX_USERS, MAX_VARIABLES, Recipient, Submission, SubmissionFault};
use crate::domain::id::{ConversationId, SendId};
use crate::domain::input::Fault;
use crate::domain::send::TIMES_TO_LIVE;
use crate::graphql::context::{ContextExt, Writes};
use crate::graphql::error::Result;
use crate::graphql::fresh::Fresh;
use crate::graphql::given::Given;
use crate::graphql::input::id::read_conversation_id;
use crate::graphql::lazy::Lazy;
use crate::graphql::place::Place;
use crate::graphql::scalars::DateTime;
use crate::graphql::types::conversation::Conversation;
use crate::graphql::types::send::Send;
use crate::graphql::user_error::{UserError, UserErrorCode, UserErrors};

#[derive(Default)]
pub(crate) struct SendMutation;

/// A conversation, and the users to send it to.
#[derive(Debug, InputObject)]
pub(crate) struct SendConversationInput {
    /// The conversation; its current version is sent.
    conversation_id: ID,
    /// The users; 1 to 10,000. A phone number that is given twice counts once.
    users: Vec<SendUserInput>,
    /// When it is due. If omitted or in the past, it is due immediately.
    scheduled_at: Option<Given<DateTime>>,
    /// How many seconds after its acceptance a message that was not delivered counts as failed, with `EXPIRED`: 30 to
    /// 2,592,000 (30 days). It should be what the template's own validity period says. If omitted, the template's
    /// category decides: 10 minutes for AUTHENTICATION, otherwise 30 days.
    time_to_live_seconds: Option<Given<i32>>,
    /// A string of the client's choice, 1 to 200 bytes, that makes it safe to repeat the request: the same key with the
    /// same input returns the send that was created the first time, and sends nothing again; with a different input the
    /// error is `CONFLICT`.
    idempotency_key: Option<String>,
}

/// A user to send a conversation to.
#[derive(Debug, InputObject)]
pub(crate) struct SendUserInput {
    /// The phone number. Without a country code it is taken as a number of the country of the conversation's line. If
    /// it has digits but is not valid, it is accepted, and its deployment fails with `INVALID_PHONE`; a string without
    /// digits is rejected.
    phone: String,
    /// Values for the flow, for example to fill in the template; at most 100.
    variables: Option<Vec<VariableInput>>,
}

/// A named value of a user.
#[derive(Debug, InputObject)]
pub(crate) struct VariableInput {
    /// The name; 1 to 100 bytes.
    name: String,
    /// The value; at most 8,192 bytes.
    value: String,
}

/// The result of a submission.
#[derive(SimpleObject)]
pub(crate) struct SendConversationPayload {
    /// The send. Null if the input was rejected; from `retrySend` also after a dry run, and if nobody is left to retry.
    pub(super) send: Option<Send>,
    /// The conversation of the send. Null if the input was rejected.
    pub(super) conversation: Option<Conversation>,
    /// What becomes of the failed deployments as of now, by reason; only from `retrySend`. Null if the input was rejected.
    pub(super) retries: Option<Vec<RetryCount>>,
    /// Why the input was rejected; empty on success.
    pub(super) user_errors: Vec<UserError>,
}

payload!(SendConversationPayload: send);

#[Object(guard = "Writes(Scope::Write)")]
impl SendMutation {
    /// Sends the current version of an OUTBOUND conversation to users. The response comes once everything is stored;
    /// the messages go out after that, at the line's rate. Follow them with `sendProgress` or `metricsChanged`.
    async fn send_conversation(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to send, and to whom.")] input: SendConversationInput,
    ) -> Result<Fresh<SendConversationPayload>> {
        let mut errors = UserErrors::default();
        let sent = submit(ctx, input, &mut errors).await?;
        let payload = SendConversationPayload {
            send: sent.map(|(send, _)| Send(Lazy::Id(send))),
            conversation: sent.map(|(_, conversation)| Conversation(Lazy::Id(conversation))),
            retries: None,
            user_errors: errors.into_vec(),
        };
        finish(ctx, payload).await
    }
}

async fn submit(
    ctx: &Context<'_>,
    input: SendConversationInput,
    errors: &mut UserErrors,
) -> Result<Option<(SendId, ConversationId)>> {
    let place = Place::of("input");
    let id_place = place.field("conversationId");
    let scheduled_at = Given::read_field(input.scheduled_at.as_ref(), &place, "scheduledAt")?;
    let conversation = read_conversation_id(&input.conversation_id, &id_place)?;
    let Some(conversation) = errors.found(id_place, "conversation", conversation) else { return Ok(None) };
    let seconds = Given::read_field(input.time_to_live_seconds.as_ref(), &place, "timeToLiveSeconds")?;
    let time_to_live = seconds.map(check_time_to_live).transpose();
    let time_to_live = errors.check(place.field("timeToLiveSeconds"), time_to_live).flatten();
    if !errors.is_empty() {
        return Ok(None);
    }
    let submission = Submission {
        conversation,
        users: input.users.into_iter().map(Recipient::from).collect(),
        scheduled_at: scheduled_at.map(|DateTime(at)| at),
        time_to_live,
        idempotency_key: input.idempotency_key,
    };
    let request = ctx.request()?;
    let answer = request.backend.sends.submit(&request.tenant, submission).await?;
    let refused = answer.map_err(|refused| refused.into_iter().for_each(|one| refuse(one, &place, errors)));
    Ok(refused.ok().map(|send| (send, conversation)))
}

impl From<SendUserInput> for Recipient {
    fn from(user: SendUserInput) -> Self {
        let variables = user.variables.unwrap_or_default().into_iter();
        Self { phone: user.phone, variables: variables.map(|variable| (variable.name, variable.value)).collect() }
    }
}

/// Tells a refusal of dispatch with its place in the input.
fn refuse(refused: SubmissionFault, place: &Place, errors: &mut UserErrors) {
    use UserErrorCode::{Conflict, Invalid, NotFound, TooMany};

    let conversation = || place.field("conversationId");
    let user = |index| place.field("users").item(index);
    let (place, code, fault) = match refused {
        SubmissionFault::NoConversation => {
            (conversation(), NotFound, Fault::new("does not name a conversation in this workspace"))
        }
        SubmissionFault::Archived => (conversation(), Conflict, Fault::new("names an archived conversation")),
        SubmissionFault::Inbound => {
            (conversation(), Invalid, Fault::new("names an INBOUND conversation, which only users can start"))
        }
        SubmissionFault::Count(0) => (place.field("users"), Invalid, Fault::new("must not be empty")),
        SubmissionFault::Count(count) => (place.field("users"), TooMany, too_many(count)),
        SubmissionFault::Phone(index, fault) => (user(index).field("phone"), Invalid, fault),
        SubmissionFault::VariableCount(index, count) => {
            (user(index).field("variables"), TooMany, too_many_variables(count))
        }
        SubmissionFault::Variable(index, variable, fault) => {
            (user(index).field("variables").item(variable), Invalid, fault)
        }
        SubmissionFault::Key(fault) => (place.field("idempotencyKey"), Invalid, fault),
        SubmissionFault::KeyTaken => {
            (place.field("idempotencyKey"), Conflict, Fault::new("was already used with a different input"))
        }
    };
    errors.refuse(place, code, &fault);
}

fn check_time_to_live(seconds: i32) -> std::result::Result<Duration, Fault> {
    let given = u64::try_from(seconds).map(Duration::from_secs).ok();
    let fault = || Fault(format!("is {seconds}; it must be between 30 seconds and 2,592,000 (30 days)"));
    given.filter(|given| TIMES_TO_LIVE.contains(given)).ok_or_else(fault)
}

fn too_many_variables(count: usize) -> Fault {
    Fault(format!("has {count} variables; the maximum is {MAX_VARIABLES}"))
}

fn too_many(count: usize) -> Fault {
    Fault(format!("has {count} users; the maximum is {MAX_USERS}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_names_the_value_at_fault() {
        let fault = || Fault::new("is wrong");
        for (refused, field) in [
            (SubmissionFault::NoConversation, "conversationId"),
            (SubmissionFault::Archived, "conversationId"),
            (SubmissionFault::Inbound, "conversationId"),
            (SubmissionFault::Count(0), "users"),
            (SubmissionFault::Count(10_001), "users"),
            (SubmissionFault::Phone(3, fault()), "users.3.phone"),
            (SubmissionFault::VariableCount(3, 101), "users.3.variables"),
            (SubmissionFault::Variable(3, 1, fault()), "users.3.variables.1"),
            (SubmissionFault::Key(fault()), "idempotencyKey"),
            (SubmissionFault::KeyTaken, "idempotencyKey"),
        ] {
            let mut errors = UserErrors::default();
            refuse(refused, &Place::of("input"), &mut errors);
            let told = errors.places();
            assert_eq!(told, [format!("input.{field}")]);
        }
    }
}
