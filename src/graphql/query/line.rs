//! Lines.

use async_graphql::{Context, Object};

use super::super::error::Result;
use super::super::lazy::Lazy;
use super::super::session::{Asking, Needs};
use super::super::types::line::Line;
use crate::auth::Scope;
use crate::storage::lines;

#[derive(Default)]
pub(crate) struct LineQuery;

#[Object(guard = "Needs(Scope::Read)")]
impl LineQuery {
    /// The workspace's lines, oldest first.
    async fn lines(&self, ctx: &Context<'_>) -> Result<Vec<Line>> {
        let lines = lines::list(&ctx.session()?.tenant).await?;
        Ok(lines.into_iter().map(|line| Line(Lazy::Loaded(line.into()))).collect())
    }
}
