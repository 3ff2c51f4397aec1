//! Versions of conversations.

use async_graphql::{Context, Description, ID, Object};

use super::conversation::Conversation;
use super::funnel::{FunnelStep, funnel_of};
use super::metrics::Metrics;
use super::user::{Users, page_of_users};
use crate::domain;
use crate::domain::id::{ConversationId, VersionId};
use crate::domain::page::Cursors;
use crate::graphql::connection::{Connection, Cursor, List, PageInput, Size};
use crate::graphql::context::ContextExt;
use crate::graphql::error::{ApiError, Result};
use crate::graphql::input::user::{UserFilter, UserOrder};
use crate::graphql::lazy::Lazy;
use crate::graphql::scalars::{DateTime, Json};

/// A published edition of a conversation. Once published, it never changes; an edit is a new version.
#[derive(Description)]
pub(crate) struct Version(pub(crate) Lazy<domain::conversation::Version>);

/// The versions of a conversation.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Versions(pub(crate) ConversationId);

#[Object(use_type_description)]
impl Version {
    /// The version's globally unique id.
    pub(crate) async fn id(&self) -> ID {
        self.0.id()
    }

    /// Its number within the conversation, counting from 1.
    async fn number(&self, ctx: &Context<'_>) -> Result<i32> {
        Ok(self.0.row(ctx).await?.number)
    }

    /// The conversation it is a version of.
    async fn conversation(&self, ctx: &Context<'_>) -> Result<Conversation> {
        Ok(Conversation(Lazy::Id(self.0.row(ctx).await?.conversation)))
    }

    /// When it was published.
    async fn published_at(&self, ctx: &Context<'_>) -> Result<DateTime> {
        Ok(self.0.row(ctx).await?.published_at.into())
    }

    /// The flow exactly as it was published; `flow.schema.json` describes it.
    async fn flow(&self, ctx: &Context<'_>) -> Result<Json> {
        Json::stored(&self.0.row(ctx).await?.flow)
    }

    /// The names of all variables that any user of this version has, in order: the columns of a users table.
    async fn variable_names(&self, ctx: &Context<'_>) -> Result<Vec<String>> {
        Ok(ctx.loaders()?.variable_names().load(self.0.key()).await?.unwrap_or_default())
    }

    /// The version's metrics.
    async fn metrics(&self, ctx: &Context<'_>) -> Result<Metrics> {
        metrics_of(ctx, self.0.key()).await
    }

    /// How far the version's users get in its flow, step by step, in the order in which the flow can be walked from its
    /// start. If the flow runs, steps that nobody entered are included.
    async fn funnel(&self, ctx: &Context<'_>) -> Result<Vec<FunnelStep>> {
        funnel_of(ctx, self).await
    }

    /// The version's users.
    #[expect(clippy::too_many_arguments, reason = "GraphQL arguments of a field are parameters of its function")]
    async fn users(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The first N nodes: 0 to 200; 50 if neither `first` nor `last` is given.")] first: Size,
        #[graphql(desc = "Only nodes after this cursor.")] after: Cursor,
        #[graphql(desc = "The last N nodes: 0 to 200. It cannot be combined with `first`.")] last: Size,
        #[graphql(desc = "Only nodes before this cursor.")] before: Cursor,
        #[graphql(desc = "Which users to return; all by default.")] filter: Option<UserFilter>,
        #[graphql(desc = "The order; by default most recently deployed first.")] order_by: Option<UserOrder>,
    ) -> Result<Connection<Users>> {
        page_of_users(ctx, self.0.key(), PageInput { first, after, last, before }, filter, order_by).await
    }
}

impl List for Versions {
    const CONNECTION: &'static str = "VersionConnection";
    const ABOUT_CONNECTION: &'static str = "A page of a conversation's versions, newest first.";
    const EDGE: &'static str = "VersionEdge";
    const ABOUT_EDGE: &'static str = "A version and its cursor.";
    type Row = domain::conversation::Version;
    type Node = Version;

    fn cursors(&self) -> Cursors {
        Cursors::of_numbers("versions")
    }

    async fn total(&self, ctx: &Context<'_>) -> Result<i64> {
        let count = ctx.loaders()?.version_counts().load(self.0).await;
        count.map(Option::unwrap_or_default)
    }
}

/// The figures of a version.
pub(crate) async fn metrics_of(ctx: &Context<'_>, version: VersionId) -> Result<Metrics> {
    let metrics = ctx.loaders()?.metrics().load(version).await?;
    metrics.map(Metrics).ok_or_else(|| ApiError::broken("a version has no tally"))
}
