//! Lines.

use std::sync::Arc;

use async_graphql::{Context, Object};

use crate::auth::Scope;
use crate::graphql::context::{ContextExt, Needs};
use crate::graphql::error::Result;
use crate::graphql::types::line::Line;
use crate::storage::lines;

#[derive(Default)]
pub(crate) struct LineQuery;

#[Object(guard = "Needs(Scope::Read)")]
impl LineQuery {
    /// The workspace's lines, oldest first.
    async fn lines(&self, ctx: &Context<'_>) -> Result<Vec<Line>> {
        let lines = lines::list(&ctx.request()?.tenant).await?;
        Ok(lines.into_iter().map(Arc::new).map(Line::from).collect())
    }
}
