//! Conversations.

use async_graphql::{Context, Description, Enum, ID, Object};
use futures_util::try_join;

use super::funnel::VersionComparison;
use super::line::Line;
use super::metrics::Metrics;
use super::send::Sends;
use super::user::{Users, page_of_users};
use super::version::{Version, Versions, metrics_of};
use crate::domain;
use crate::domain::conversation::ConversationFilter;
use crate::domain::page::Cursors;
use crate::graphql::connection::{Connection, Cursor, List, PageInput, Size};
use crate::graphql::context::ContextExt;
use crate::graphql::error::Result;
use crate::graphql::given::Given;
use crate::graphql::input::user::{UserFilter, UserOrder};
use crate::graphql::lazy::Lazy;
use crate::graphql::place::Place;
use crate::graphql::scalars::DateTime;
use crate::storage::conversations::{self, ConversationOrder};

/// A WhatsApp conversation that a company sends to people, or answers them with. It is edited by publishing new
/// versions.
#[derive(Description)]
pub(crate) struct Conversation(pub(crate) Lazy<domain::conversation::Conversation>);

/// Who starts a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "domain::conversation::Direction")]
pub(crate) enum Direction {
    /// The user starts it by writing to the line.
    Inbound,
    /// The company starts it by sending a template that WhatsApp has approved.
    Outbound,
}

/// The conversations of the workspace that match a filter, in an order.
#[derive(Debug, Clone)]
pub(crate) struct Conversations {
    /// Which.
    pub(crate) filter: ConversationFilter,
    /// By what.
    pub(crate) order: ConversationOrder,
}

#[Object(use_type_description)]
impl Conversation {
    /// The conversation's globally unique id.
    pub(crate) async fn id(&self) -> ID {
        self.0.id()
    }

    /// The display name.
    async fn name(&self, ctx: &Context<'_>) -> Result<String> {
        Ok(self.0.row(ctx).await?.name.clone())
    }

    /// Who starts it.
    async fn direction(&self, ctx: &Context<'_>) -> Result<Direction> {
        Ok(self.0.row(ctx).await?.direction.into())
    }

    /// When it was created.
    async fn created_at(&self, ctx: &Context<'_>) -> Result<DateTime> {
        Ok(self.0.row(ctx).await?.created_at.into())
    }

    /// When it was archived. Null while it is active.
    async fn archived_at(&self, ctx: &Context<'_>) -> Option<Result<DateTime>> {
        self.0.row(ctx).await.map(|row| row.archived_at.map(DateTime)).transpose()
    }

    /// The line it runs on.
    async fn line(&self, ctx: &Context<'_>) -> Option<Result<Line>> {
        Some(self.0.row(ctx).await.map(|row| Line(Lazy::Id(row.line))))
    }

    /// The version that new sends use: the one published last.
    async fn current_version(&self, ctx: &Context<'_>) -> Result<Version> {
        Ok(Version(Lazy::Id(self.0.row(ctx).await?.current_version)))
    }

    /// All versions, newest first.
    async fn versions(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The first N nodes: 0 to 200; 50 if neither `first` nor `last` is given.")] first: Size,
        #[graphql(desc = "Only nodes after this cursor.")] after: Cursor,
        #[graphql(desc = "The last N nodes: 0 to 200. It cannot be combined with `first`.")] last: Size,
        #[graphql(desc = "Only nodes before this cursor.")] before: Cursor,
    ) -> Result<Connection<Versions>> {
        let versions = Versions(self.0.key());
        let page = PageInput { first, after, last, before }.read(&versions)?;
        let rows = ctx.loaders()?.version_pages().load((self.0.key(), page)).await?;
        Ok(Connection::new(versions, rows))
    }

    /// The version with this number. Null if there is none.
    async fn version(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The version number, counting from 1.")] number: Given<i32>,
    ) -> Option<Result<Version>> {
        self.find_version(ctx, &number, "number").await.transpose()
    }

    /// Two versions beside each other, step by step, to see what an edit has changed. Null if there is no version of either
    /// number.
    async fn compare_versions(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The number of the one version, such as the earlier.")] a: Given<i32>,
        #[graphql(desc = "The number of the other version, whose shares are compared with those of `a`.")] b: Given<
            i32,
        >,
    ) -> Option<Result<VersionComparison>> {
        let found = try_join!(self.find_version(ctx, &a, "a"), self.find_version(ctx, &b, "b"));
        match found.map(|(a, b)| a.zip(b)).transpose()? {
            Ok((a, b)) => Some(VersionComparison::of(ctx, a, b).await),
            Err(error) => Some(Err(error)),
        }
    }

    /// The current version's metrics. For an earlier version, see `Version.metrics`.
    async fn metrics(&self, ctx: &Context<'_>) -> Result<Metrics> {
        metrics_of(ctx, self.0.row(ctx).await?.current_version).await
    }

    /// The current version's users. For an earlier version, see `Version.users`.
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
        let version = self.0.row(ctx).await?.current_version;
        page_of_users(ctx, version, PageInput { first, after, last, before }, filter, order_by).await
    }

    /// All sends, of any version, newest first.
    async fn sends(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The first N nodes: 0 to 200; 50 if neither `first` nor `last` is given.")] first: Size,
        #[graphql(desc = "Only nodes after this cursor.")] after: Cursor,
        #[graphql(desc = "The last N nodes: 0 to 200. It cannot be combined with `first`.")] last: Size,
        #[graphql(desc = "Only nodes before this cursor.")] before: Cursor,
    ) -> Result<Connection<Sends>> {
        let sends = Sends(self.0.key());
        let page = PageInput { first, after, last, before }.read(&sends)?;
        let rows = ctx.loaders()?.send_pages().load((self.0.key(), page)).await?;
        Ok(Connection::new(sends, rows))
    }
}

impl Conversation {
    async fn find_version(
        &self,
        ctx: &Context<'_>,
        number: &Given<i32>,
        name: &'static str,
    ) -> Result<Option<Version>> {
        let number = number.read(&Place::of(name))?;
        let version = ctx.loaders()?.numbered_versions().load((self.0.key(), number)).await?;
        Ok(version.map(Version::from))
    }
}

impl List for Conversations {
    const CONNECTION: &'static str = "ConversationConnection";
    const ABOUT_CONNECTION: &'static str =
        "A page of the workspace's conversations, filtered and ordered as requested.";
    const EDGE: &'static str = "ConversationEdge";
    const ABOUT_EDGE: &'static str = "A conversation and its cursor.";
    type Row = domain::conversation::Conversation;
    type Node = Conversation;

    fn cursors(&self) -> Cursors {
        match self.order {
            ConversationOrder::Created => Cursors::of_numbers("conversations by creation"),
            ConversationOrder::Name => Cursors::of_texts("conversations by name"),
        }
    }

    async fn total(&self, ctx: &Context<'_>) -> Result<i64> {
        Ok(conversations::count(&ctx.request()?.tenant, &self.filter).await?)
    }
}
