//! Sends.

use async_graphql::{Context, ID, Object};

use crate::auth::Scope;
use crate::graphql::context::Needs;
use crate::graphql::error::Result;
use crate::graphql::input::id::read_send_id;
use crate::graphql::lazy::Lazy;
use crate::graphql::place::Place;
use crate::graphql::types::send::Send;

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
