//! What agents do in sessions.

use async_graphql::{Context, ID, InputObject, Object, SimpleObject};

use super::{finish, payload};
use crate::auth::Scope;
use crate::dispatch::{AgentFault, Writing};
use crate::domain::flow::Media;
use crate::domain::flow::check::{Finding, check_written};
use crate::domain::id::{MessageId, SessionId};
use crate::domain::input::{Fault, MAX_NAME_BYTES, check_name};
use crate::domain::outgoing::Outgoing;
use crate::graphql::context::{ContextExt, Writes};
use crate::graphql::error::Result;
use crate::graphql::fresh::Fresh;
use crate::graphql::input::id::read_session_id;
use crate::graphql::input::media::MediaInput;
use crate::graphql::lazy::Lazy;
use crate::graphql::place::Place;
use crate::graphql::types::message::Message;
use crate::graphql::types::session::Session;
use crate::graphql::user_error::{UserError, UserErrorCode, UserErrors};

#[derive(Default)]
pub(crate) struct SessionMutation;

/// The result of a change to a session.
#[derive(SimpleObject)]
pub(crate) struct SessionPayload {
    /// The session as it is now. Null if nothing was changed.
    session: Option<Session>,
    /// Why nothing was changed; empty on success.
    user_errors: Vec<UserError>,
}

payload!(SessionPayload: session);

/// What an agent writes: a text, a file, or a file with a text beside it.
#[derive(Debug, InputObject)]
pub(crate) struct SendAgentMessageInput {
    /// The session. It must be in AGENT: see `assignSession`.
    session_id: ID,
    /// The text: 1 to 4,096 characters, or 1,024 beside media.
    text: Option<String>,
    /// A file. The text, if there is one, is its caption.
    media: Option<MediaInput>,
    /// The same key with the same input returns the message that it first made; with another input it is a `CONFLICT`. It
    /// counts within the session; 1 to 200 bytes.
    idempotency_key: Option<String>,
}

/// The result of writing to a user.
#[derive(SimpleObject)]
pub(crate) struct SendAgentMessagePayload {
    /// The message, on its way. Null if the input was rejected.
    message: Option<Message>,
    /// The session that it belongs to. Null if the input was rejected.
    session: Option<Session>,
    /// Why the input was rejected; empty on success.
    user_errors: Vec<UserError>,
}

payload!(SendAgentMessagePayload: message);

#[Object(guard = "Writes(Scope::Write)")]
impl SessionMutation {
    /// Lets an agent take over an open session, from the bot or from another agent: it is in AGENT then, and the flow says
    /// nothing any more. A session that is over is a `CONFLICT`.
    async fn assign_session(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The session's id.")] id: ID,
        #[graphql(desc = "How the company calls the agent; 1 to 200 bytes.")] agent: String,
        #[graphql(
            desc = "Only if no other agent has it: of two agents who take it at the same moment, one gets a `CONFLICT`.",
            default_with = "Some(false)"
        )]
        only_unassigned: Option<bool>,
    ) -> Result<Fresh<SessionPayload>> {
        let (request, mut errors) = (ctx.request()?, UserErrors::default());
        let session = find(&id, Place::of("id"), &mut errors)?;
        errors.check(Place::of("agent"), check_name(&agent, MAX_NAME_BYTES));
        if let Some(session) = session.filter(|_| errors.is_empty()) {
            let assigned =
                request.backend.sends.assign(&request.tenant, session, agent, only_unassigned.unwrap_or(false)).await?;
            note(assigned, &Place::of("id"), &mut errors);
        }
        finish(ctx, SessionPayload::of(session, errors)).await
    }

    /// Sends to the user what an agent writes, ahead of all sends of the line. A session that is not in AGENT is a
    /// `CONFLICT`. So is one whose user has written nothing on the line for 24 hours, since WhatsApp then takes nothing but
    /// templates, and one on a line on which another system sends.
    async fn send_agent_message(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to send, and in which session.")] input: SendAgentMessageInput,
    ) -> Result<Fresh<SendAgentMessagePayload>> {
        let (request, mut errors) = (ctx.request()?, UserErrors::default());
        let mut sent = None;
        if let Some(writing) = input.read(&Place::of("input"), &mut errors)? {
            let session = writing.session;
            match request.backend.sends.write(&request.tenant, writing).await? {
                Ok(message) => sent = Some((message, session)),
                Err(fault) => refuse(fault, &Place::of("input").field("sessionId"), &mut errors),
            }
        }
        finish(ctx, SendAgentMessagePayload::of(sent, errors)).await
    }

    /// Closes an open session, or asks the user for a rating first, if the flow has a step for that: then it is in RATING,
    /// and over once that step is answered. A session that is over is a `CONFLICT`, and so is one whose user cannot be asked,
    /// as in `sendAgentMessage`. Asking again who is being asked changes nothing.
    async fn close_session(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The session's id.")] id: ID,
        #[graphql(
            desc = "Whether to lead the user to the step that the flow names as its `rating`. If it names none, that is an \
                    `INVALID` at `rating`.",
            default_with = "Some(false)"
        )]
        rating: Option<bool>,
    ) -> Result<Fresh<SessionPayload>> {
        let (request, mut errors) = (ctx.request()?, UserErrors::default());
        let session = find(&id, Place::of("id"), &mut errors)?;
        if let Some(session) = session {
            let closed = request.backend.sends.close(&request.tenant, session, rating.unwrap_or(false)).await?;
            note(closed, &Place::of("id"), &mut errors);
        }
        finish(ctx, SessionPayload::of(session, errors)).await
    }
}

impl SendAgentMessageInput {
    /// What it asks for; `None` where it was refused.
    fn read(self, place: &Place, errors: &mut UserErrors) -> Result<Option<Writing>> {
        let session = find(&self.session_id, place.field("sessionId"), errors)?;
        let media = self.media.map(Media::from);
        for Finding { path, fault } in check_written(self.text.as_deref(), media.as_ref()) {
            let place = path.iter().fold(place.clone(), |place, part| place.field(part));
            errors.refuse(place, UserErrorCode::Invalid, &fault);
        }
        if let Some(key) = &self.idempotency_key {
            errors.check(place.field("idempotencyKey"), check_name(key, MAX_NAME_BYTES));
        }
        let message = match (media, self.text) {
            (Some(Media { kind, link, filename }), caption) => Some(Outgoing::Media { kind, link, caption, filename }),
            (None, text) => text.map(Outgoing::Text),
        };
        let asked = session.zip(message).filter(|_| errors.is_empty());
        Ok(asked.map(|(session, message)| Writing { session, message, idempotency_key: self.idempotency_key }))
    }
}

impl SessionPayload {
    fn of(session: Option<SessionId>, errors: UserErrors) -> Self {
        let changed = session.filter(|_| errors.is_empty());
        Self { session: changed.map(|id| Session(Lazy::Id(id))), user_errors: errors.into_vec() }
    }
}

impl SendAgentMessagePayload {
    fn of(sent: Option<(MessageId, SessionId)>, errors: UserErrors) -> Self {
        let (message, session) = sent.unzip();
        Self {
            message: message.map(|id| Message(Lazy::Id(id))),
            session: session.map(|id| Session(Lazy::Id(id))),
            user_errors: errors.into_vec(),
        }
    }
}

/// The session of an id, if it is that of a session.
fn find(id: &ID, place: Place, errors: &mut UserErrors) -> Result<Option<SessionId>> {
    let session = read_session_id(id, &place)?;
    Ok(errors.found(place, "session", session))
}

fn note(acted: std::result::Result<(), AgentFault>, place: &Place, errors: &mut UserErrors) {
    if let Err(fault) = acted {
        refuse(fault, place, errors);
    }
}

/// Refuses what cannot be done in the session that the place names.
fn refuse(fault: AgentFault, session: &Place, errors: &mut UserErrors) {
    use UserErrorCode::{Conflict, Invalid, NotFound};

    let (code, fault) = match fault {
        AgentFault::NoSession => (NotFound, "does not name a session in this workspace"),
        AgentFault::Over => (Conflict, "names a session that is over"),
        AgentFault::Taken => (Conflict, "names a session that is over, or that another agent has"),
        AgentFault::NotWithAgent => (Conflict, "names a session that is not with an agent; assign it first"),
        AgentFault::OutOfWindow => {
            (Conflict, "names a session whose user has written nothing for 24 hours: only templates may be sent now")
        }
        AgentFault::External => (Conflict, "names a session on a line on which another system sends"),
        AgentFault::Erased => (Conflict, "names a session with somebody whose data was erased"),
        AgentFault::NoRating => {
            let fault = Fault::new("cannot be asked for: no flow runs in the session that has a step for it");
            return errors.refuse(Place::of("rating"), Invalid, &fault);
        }
        AgentFault::KeyTaken => {
            let fault = Fault::new("was already used with a different input");
            return errors.refuse(Place::of("input").field("idempotencyKey"), Conflict, &fault);
        }
    };
    errors.refuse(session.clone(), code, &Fault::new(fault));
}
