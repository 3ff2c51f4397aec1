//! Control over sends that are under way.

use async_graphql::{Context, ID, Object, SimpleObject};

use super::{finish, payload};
use crate::auth::Scope;
use crate::dispatch::ControlFault;
use crate::domain::id::SendId;
use crate::domain::input::Fault;
use crate::graphql::context::{ContextExt, Writes};
use crate::graphql::error::Result;
use crate::graphql::fresh::Fresh;
use crate::graphql::input::id::read_send_id;
use crate::graphql::lazy::Lazy;
use crate::graphql::place::Place;
use crate::graphql::types::send::Send;
use crate::graphql::user_error::{UserError, UserErrorCode, UserErrors};
use crate::storage::StorageError;

#[derive(Default)]
pub(crate) struct SendControlMutation;

/// The result of a change to a send.
#[derive(SimpleObject)]
pub(crate) struct SendPayload {
    /// The send as it is now. Null if there is none with this id.
    send: Option<Send>,
    /// Why nothing was changed; empty on success.
    user_errors: Vec<UserError>,
}

payload!(SendPayload: send);

#[Object(guard = "Writes(Scope::Write)")]
impl SendControlMutation {
    /// Pauses a send. What is in flight finishes, at most a second's worth; nothing more leaves the queue until
    /// `resumeSend`. Pausing it again changes nothing. A send that is COMPLETED or CANCELED is a `CONFLICT`.
    async fn pause_send(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The send's id.")] id: ID,
    ) -> Result<Fresh<SendPayload>> {
        let request = ctx.request()?;
        control(ctx, &id, async |send| request.backend.sends.pause(&request.tenant, send).await).await
    }

    /// Resumes a paused send. One that is not paused, or was completed by what was in flight, stays as it is. A send that
    /// is CANCELED is a `CONFLICT`.
    async fn resume_send(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The send's id.")] id: ID,
    ) -> Result<Fresh<SendPayload>> {
        let request = ctx.request()?;
        control(ctx, &id, async |send| request.backend.sends.resume(&request.tenant, send).await).await
    }

    /// Cancels a send. What is in flight finishes; the deployments that are still queued fail with `CANCELED`, over the
    /// next seconds if there are many. Canceling it again changes nothing. A send that is COMPLETED is a `CONFLICT`.
    async fn cancel_send(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The send's id.")] id: ID,
    ) -> Result<Fresh<SendPayload>> {
        let request = ctx.request()?;
        control(ctx, &id, async |send| request.backend.sends.cancel(&request.tenant, send).await).await
    }
}

async fn control(
    ctx: &Context<'_>,
    id: &ID,
    act: impl AsyncFnOnce(SendId) -> std::result::Result<std::result::Result<(), ControlFault>, StorageError>,
) -> Result<Fresh<SendPayload>> {
    let (place, mut errors) = (Place::of("id"), UserErrors::default());
    let send = errors.found(place.clone(), "send", read_send_id(id, &place)?);
    let mut found = None;
    if let Some(send) = send {
        match act(send).await? {
            Ok(()) => found = Some(Send(Lazy::Id(send))),
            Err(fault) => {
                found = (fault != ControlFault::NoSend).then_some(Send(Lazy::Id(send)));
                refuse(fault, place, &mut errors);
            }
        }
    }
    let payload = SendPayload { send: found, user_errors: errors.into_vec() };
    finish(ctx, payload).await
}

fn refuse(fault: ControlFault, place: Place, errors: &mut UserErrors) {
    let end = match fault {
        ControlFault::Canceled => "CANCELED",
        ControlFault::Completed => "COMPLETED",
        ControlFault::NoSend => {
            errors.found::<()>(place, "send", None);
            return;
        }
    };
    errors.refuse(place, UserErrorCode::Conflict, &Fault(format!("names a send that is {end} already")));
}
