//! Who asks.

use async_graphql::{Context, Object};

use crate::auth::Scope;
use crate::graphql::context::{ContextExt, Needs};
use crate::graphql::error::Result;
use crate::graphql::types::viewer::Viewer;

#[derive(Default)]
pub(crate) struct ViewerQuery;

#[Object(guard = "Needs(Scope::Read)")]
impl ViewerQuery {
    /// Who sent this request, as identified by its token.
    #[expect(clippy::unused_async, reason = "async-graphql calls resolvers as async functions")]
    async fn viewer(&self, ctx: &Context<'_>) -> Result<Viewer> {
        Ok(Viewer(ctx.request()?.viewer.clone()))
    }
}
