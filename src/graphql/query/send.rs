//! Sends.

use async_graphql::{Context, ID, Object};

use super::super::error::Result;
use super::super::input::id::read_send_id;
use super::super::lazy::Lazy;
use super::super::place::Place;
use super::super::session::Needs;
use super::super::types::send::Send;
use crate::auth::Scope;

#[derive(Default)]
pub(crate) struct SendQuery;

#[Object(guard = "Needs(Scope::Read)")]
impl SendQuery {
    /// The send with this id. Null if the workspace has none. A malformed id is an error.
    async fn send(&self, ctx: &Context<'_>, #[graphql(desc = "The send's id.")] id: ID) -> Option<Result<Send>> {
        find(ctx, &id).await.transpose()
    }
}

async fn find(ctx: &Context<'_>, id: &ID) -> Result<Option<Send>> {
    let Some(id) = read_send_id(id, &Place::of("id"))? else { return Ok(None) };
    Ok(Lazy::find(ctx, id).await?.map(Send))
}
