//! Who asks.

use async_graphql::{Context, Object};

use super::super::error::Result;
use super::super::session::{Asking, Needs};
use super::super::types::viewer::Viewer;
use crate::auth::Scope;

#[derive(Default)]
pub(crate) struct ViewerQuery;

#[Object(guard = "Needs(Scope::Read)")]
impl ViewerQuery {
    /// Who sent this request, as identified by its token.
    #[expect(clippy::unused_async, reason = "async-graphql calls resolvers as async functions")]
    async fn viewer(&self, ctx: &Context<'_>) -> Result<Viewer> {
        Ok(Viewer(ctx.session()?.viewer))
    }
}
