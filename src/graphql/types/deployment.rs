//! Deployments.

use async_graphql::{Context, Description, ID, Object};

use super::failure::Failure;
use super::message::Messages;
use super::send::Send;
use super::session::Session;
use super::standing::DeploymentStatus;
use super::user::User;
use crate::domain;
use crate::domain::clock::Timestamp;
use crate::domain::id::UserId;
use crate::domain::merge::MessageFacts;
use crate::domain::page::Cursors;
use crate::graphql::connection::{Connection, Cursor, List, PageInput, Size};
use crate::graphql::context::ContextExt;
use crate::graphql::error::Result;
use crate::graphql::lazy::Lazy;
use crate::graphql::scalars::DateTime;

/// One attempt to deliver a version to a user. A retry, or a second send to the same user, is a new deployment; earlier
/// ones keep what is known about them.
#[derive(Description)]
pub(crate) struct Deployment(pub(crate) Lazy<domain::deployment::Deployment>);

/// The deployments of a user.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Deployments(pub(crate) UserId);

#[Object(use_type_description)]
impl Deployment {
    /// The deployment's globally unique id.
    pub(crate) async fn id(&self) -> ID {
        self.0.id()
    }

    /// How far it has got.
    async fn status(&self, ctx: &Context<'_>) -> Result<DeploymentStatus> {
        Ok(self.0.row(ctx).await?.cell().status.into())
    }

    /// Why it failed. Null unless `status` is FAILED.
    async fn failure(&self, ctx: &Context<'_>) -> Option<Result<Failure>> {
        self.0.row(ctx).await.map(|row| row.failure().map(Failure)).transpose()
    }

    /// The send it belongs to. Null if it began with a message from the user.
    async fn send(&self, ctx: &Context<'_>) -> Option<Result<Send>> {
        let send = self.0.row(ctx).await.map(|row| row.send);
        send.map(|send| send.map(|id| Send(Lazy::Id(id)))).transpose()
    }

    /// The user it is meant to reach.
    async fn user(&self, ctx: &Context<'_>) -> Result<User> {
        Ok(User(Lazy::Id(self.0.row(ctx).await?.user)))
    }

    /// The session in it. Null before one has begun.
    async fn session(&self, ctx: &Context<'_>) -> Option<Result<Session>> {
        let begun = self.0.row(ctx).await.map(|row| row.facts.session.map(|_| row.id.session()));
        begun.map(|begun| begun.map(|id| Session(Lazy::Id(id)))).transpose()
    }

    /// The messages of this attempt, in both directions, oldest first.
    async fn messages(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The first N nodes: 0 to 200; 50 if neither `first` nor `last` is given.")] first: Size,
        #[graphql(desc = "Only nodes after this cursor.")] after: Cursor,
        #[graphql(desc = "The last N nodes: 0 to 200. It cannot be combined with `first`.")] last: Size,
        #[graphql(desc = "Only nodes before this cursor.")] before: Cursor,
    ) -> Result<Connection<Messages>> {
        let messages = Messages::OfDeployment(self.0.key());
        let page = PageInput { first, after, last, before }.read(&messages)?;
        let rows = ctx.loaders()?.message_pages().load((self.0.key(), page)).await?;
        Ok(Connection::new(messages, rows))
    }

    /// When it was due: the time of submission, or the time it was scheduled for.
    async fn queued_at(&self, ctx: &Context<'_>) -> Result<DateTime> {
        Ok(self.0.row(ctx).await?.queued_at.into())
    }

    /// When WhatsApp was called. Null until then, and for deployments that other systems send.
    async fn dispatched_at(&self, ctx: &Context<'_>) -> Option<Result<DateTime>> {
        self.known(ctx, |row| row.facts.dispatched).await
    }

    /// When WhatsApp accepted it. Null until that is known.
    async fn accepted_at(&self, ctx: &Context<'_>) -> Option<Result<DateTime>> {
        self.progress(ctx, |facts| facts.accepted).await
    }

    /// When WhatsApp held it back for a quality check. Null unless that was reported.
    async fn held_at(&self, ctx: &Context<'_>) -> Option<Result<DateTime>> {
        self.progress(ctx, |facts| facts.held).await
    }

    /// When WhatsApp sent it on to the phone. Null until that is known.
    async fn sent_at(&self, ctx: &Context<'_>) -> Option<Result<DateTime>> {
        self.progress(ctx, |facts| facts.sent).await
    }

    /// When it reached the phone, as reported by WhatsApp. Null until reported. It can be null even when the status is
    /// READ, or when it is DELIVERED only because the user answered.
    async fn delivered_at(&self, ctx: &Context<'_>) -> Option<Result<DateTime>> {
        self.progress(ctx, |facts| facts.delivered).await
    }

    /// When the user opened it. Null until reported.
    async fn read_at(&self, ctx: &Context<'_>) -> Option<Result<DateTime>> {
        self.progress(ctx, |facts| facts.read).await
    }

    /// When it was reported or found to have failed; null if it never was. It is kept even if later reports show that
    /// the message did arrive.
    async fn failed_at(&self, ctx: &Context<'_>) -> Option<Result<DateTime>> {
        self.known(ctx, domain::deployment::Deployment::failed_at).await
    }

    /// When the user first answered. Null until then.
    async fn responded_at(&self, ctx: &Context<'_>) -> Option<Result<DateTime>> {
        self.known(ctx, |row| row.facts.responded()).await
    }

    /// When the user answered a final step of the flow. Null until then.
    async fn finished_at(&self, ctx: &Context<'_>) -> Option<Result<DateTime>> {
        self.known(ctx, |row| row.facts.finished).await
    }
}

impl Deployment {
    /// A time of the deployment's that may not be known.
    async fn known(
        &self,
        ctx: &Context<'_>,
        time: impl FnOnce(&domain::deployment::Deployment) -> Option<Timestamp>,
    ) -> Option<Result<DateTime>> {
        self.0.row(ctx).await.map(|row| time(&row).map(DateTime)).transpose()
    }

    /// A time of its way to the phone that may not be known.
    async fn progress(
        &self,
        ctx: &Context<'_>,
        time: impl FnOnce(MessageFacts) -> Option<Timestamp>,
    ) -> Option<Result<DateTime>> {
        self.known(ctx, |row| time(row.progress())).await
    }
}

impl List for Deployments {
    const CONNECTION: &'static str = "DeploymentConnection";
    const ABOUT_CONNECTION: &'static str = "A page of a user's deployments, newest first.";
    const EDGE: &'static str = "DeploymentEdge";
    const ABOUT_EDGE: &'static str = "A deployment and its cursor.";
    type Row = domain::deployment::Deployment;
    type Node = Deployment;

    fn cursors(&self) -> Cursors {
        Cursors::of_numbers("deployments")
    }

    async fn total(&self, ctx: &Context<'_>) -> Result<i64> {
        let count = ctx.loaders()?.deployment_counts().load(self.0).await;
        count.map(Option::unwrap_or_default)
    }
}
