//! Sessions.

use async_graphql::{Context, Description, ID, Object};

use super::deployment::Deployment;
use super::standing::SessionStatus;
use super::user::User;
use super::version::Version;
use crate::domain;
use crate::domain::page::Cursors;
use crate::domain::session::SessionFilter;
use crate::graphql::connection::List;
use crate::graphql::context::ContextExt;
use crate::graphql::error::Result;
use crate::graphql::lazy::Lazy;
use crate::graphql::scalars::DateTime;
use crate::storage::sessions;

/// A conversation with one user that is open, or was: what an agent sees in an inbox. It is part of a deployment and begins
/// when the flow answers, or when `recordFacts` reports who handles the conversation. It ends when the flow does, when an
/// agent closes it, when nothing is said for as long as the flow waits, and when the user begins another conversation on the
/// line.
#[derive(Description)]
pub(crate) struct Session(pub(crate) Lazy<domain::session::Session>);

/// The sessions of the workspace that match a filter.
#[derive(Debug, Clone)]
pub(crate) struct Sessions {
    pub(crate) filter: SessionFilter,
}

#[Object(use_type_description)]
impl Session {
    /// The session's globally unique id.
    pub(crate) async fn id(&self) -> ID {
        self.0.id()
    }

    /// Who handles the conversation, or how it ended.
    async fn status(&self, ctx: &Context<'_>) -> Result<SessionStatus> {
        Ok(self.0.row(ctx).await?.status.into())
    }

    /// Since when the status is what it is; for a session in AGENT, since when the user waits for an agent or is served by
    /// one.
    async fn since(&self, ctx: &Context<'_>) -> Result<DateTime> {
        Ok(self.0.row(ctx).await?.since.into())
    }

    /// The agent to whom it was last assigned, as the company calls them. Null while it was assigned to nobody.
    async fn agent(&self, ctx: &Context<'_>) -> Option<Result<String>> {
        self.0.row(ctx).await.map(|row| row.agent.as_ref().map(|(_, agent)| agent.clone())).transpose()
    }

    /// When it was assigned to that agent. Null while it was assigned to nobody.
    async fn assigned_at(&self, ctx: &Context<'_>) -> Option<Result<DateTime>> {
        self.0.row(ctx).await.map(|row| row.agent.as_ref().map(|(at, _)| DateTime(*at))).transpose()
    }

    /// The name of the flow's step in which the user stands, or stood at the end. Null where no flow runs.
    async fn step(&self, ctx: &Context<'_>) -> Option<Result<String>> {
        self.0.row(ctx).await.map(|row| row.step.clone()).transpose()
    }

    /// When it expires unless something is said before: the flow's `sessionMinutes` after the last word. Null once it is
    /// over, and where another system leads it.
    async fn expires_at(&self, ctx: &Context<'_>) -> Option<Result<DateTime>> {
        self.0.row(ctx).await.map(|row| row.expires_at.map(DateTime)).transpose()
    }

    /// The user.
    async fn user(&self, ctx: &Context<'_>) -> Result<User> {
        Ok(User(Lazy::Id(self.0.row(ctx).await?.user)))
    }

    /// The deployment that it is part of, with the messages of the session.
    async fn deployment(&self) -> Deployment {
        Deployment(Lazy::Id(self.0.key().deployment()))
    }

    /// The version whose flow runs in it.
    async fn version(&self, ctx: &Context<'_>) -> Result<Version> {
        Ok(Version(Lazy::Id(self.0.row(ctx).await?.version)))
    }
}

impl List for Sessions {
    const CONNECTION: &'static str = "SessionConnection";
    const ABOUT_CONNECTION: &'static str = "A page of the workspace's sessions, filtered and ordered as requested.";
    const EDGE: &'static str = "SessionEdge";
    const ABOUT_EDGE: &'static str = "A session and its cursor.";
    type Row = domain::session::Session;
    type Node = Session;

    fn cursors(&self) -> Cursors {
        Cursors::of_numbers("sessions")
    }

    async fn total(&self, ctx: &Context<'_>) -> Result<i64> {
        Ok(sessions::count(&ctx.request()?.tenant, &self.filter).await?)
    }
}
