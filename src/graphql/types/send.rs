//! Sends.

use std::sync::Arc;

use async_graphql::{Context, Description, Enum, ID, Object};

use super::conversation::Conversation;
use super::metrics::{StatusCount, by_status};
use super::version::Version;
use crate::domain;
use crate::domain::clock::Timestamp;
use crate::domain::id::ConversationId;
use crate::domain::page::Cursors;
use crate::graphql::connection::{List, int};
use crate::graphql::context::ContextExt;
use crate::graphql::error::Result;
use crate::graphql::lazy::Lazy;
use crate::graphql::scalars::DateTime;

/// One submission of a conversation to users, in the version that was current at the time.
#[derive(Description)]
pub(crate) struct Send(pub(crate) Lazy<domain::send::Send>);

/// The state of a send.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub(crate) enum SendState {
    /// The deployments of its users are still being made, from an uploaded list or as retries: `totalUsers` less the sum of
    /// `progress` are left. Those that are made already may leave the queue.
    Preparing,
    /// It is not due yet.
    Scheduled,
    /// It is due. Its deployments leave the queue at the line's rate, unless the line is STOPPED or another system sends;
    /// retries may have to wait (`Failure.retryAfter`).
    Sending,
    /// It was paused and can be resumed.
    Paused,
    /// Every deployment has left the queue, whatever its outcome.
    Completed,
    /// It was canceled; deployments that had not left the queue by then never will.
    Canceled,
}

/// The sends of a conversation.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sends(pub(crate) ConversationId);

#[Object(use_type_description)]
impl Send {
    /// The send's globally unique id.
    pub(crate) async fn id(&self) -> ID {
        self.0.id()
    }

    /// The conversation being sent.
    async fn conversation(&self, ctx: &Context<'_>) -> Result<Conversation> {
        Ok(Conversation(Lazy::Id(self.0.row(ctx).await?.conversation)))
    }

    /// The version being sent. It stays the same if another one is published in the meantime.
    async fn version(&self, ctx: &Context<'_>) -> Result<Version> {
        Ok(Version(Lazy::Id(self.0.row(ctx).await?.version)))
    }

    /// The current state.
    async fn state(&self, ctx: &Context<'_>) -> Result<SendState> {
        Ok(self.0.row(ctx).await?.state(ctx.request()?.now()).into())
    }

    /// How many users it goes to; each phone number counts once. It may drop while the send is PREPARING: users who need no
    /// retry any more, or whom a cancellation spared, are left out.
    async fn total_users(&self, ctx: &Context<'_>) -> Result<i32> {
        Ok(self.0.row(ctx).await?.total_users)
    }

    /// The deployments of this send by status: every status once, even if its count is 0, in the order of the enum.
    async fn progress(&self, ctx: &Context<'_>) -> Result<Vec<StatusCount>> {
        let tally = ctx.loaders()?.tallies().load(self.0.key()).await?;
        Ok(by_status(&tally.unwrap_or_default()))
    }

    /// When it was submitted.
    async fn created_at(&self, ctx: &Context<'_>) -> Result<DateTime> {
        Ok(self.0.row(ctx).await?.created_at.into())
    }

    /// When it is due. Null if it was due immediately.
    async fn scheduled_at(&self, ctx: &Context<'_>) -> Option<Result<DateTime>> {
        self.0.row(ctx).await.map(|row| row.scheduled_at.map(DateTime)).transpose()
    }

    /// When it was paused. Null while it is not.
    async fn paused_at(&self, ctx: &Context<'_>) -> Option<Result<DateTime>> {
        self.0.row(ctx).await.map(|row| row.paused_at.map(DateTime)).transpose()
    }

    /// When it was canceled. Null if it was not.
    async fn canceled_at(&self, ctx: &Context<'_>) -> Option<Result<DateTime>> {
        self.0.row(ctx).await.map(|row| row.canceled_at.map(DateTime)).transpose()
    }

    /// When its last deployment will probably have left the queue, from what is queued on its line and the line's rate,
    /// which its sends share equally. Null unless it is PREPARING, SCHEDULED or SENDING, while the line is STOPPED, and
    /// where another system sends.
    async fn estimated_completion_at(&self, ctx: &Context<'_>) -> Option<Result<DateTime>> {
        self.estimate(ctx).await.map(|at| at.map(DateTime)).transpose()
    }

    /// The send whose failed users this one retries. Null if it retries none.
    async fn retry_of(&self, ctx: &Context<'_>) -> Option<Result<Self>> {
        self.0.row(ctx).await.map(|row| row.retry_of.map(|send| Self(Lazy::Id(send)))).transpose()
    }

    /// How many seconds after its acceptance an undelivered message expires, if this send says so. Null if the template's
    /// category decides.
    async fn time_to_live_seconds(&self, ctx: &Context<'_>) -> Option<Result<i32>> {
        let seconds = |row: Arc<domain::send::Send>| row.time_to_live.map(|time_to_live| time_to_live.as_secs());
        let seconds = self.0.row(ctx).await.map(seconds).transpose()?;
        Some(seconds.map(|seconds| int(i64::try_from(seconds).unwrap_or(i64::MAX))))
    }

    /// When its last deployment left the queue. Null until then.
    async fn completed_at(&self, ctx: &Context<'_>) -> Option<Result<DateTime>> {
        self.0.row(ctx).await.map(|row| row.completed_at.map(DateTime)).transpose()
    }
}

impl Send {
    async fn estimate(&self, ctx: &Context<'_>) -> Result<Option<Timestamp>> {
        use domain::send::SendState::{Preparing, Scheduled, Sending};

        let (row, now) = (self.0.row(ctx).await?, ctx.request()?.now());
        if !matches!(row.state(now), Preparing | Scheduled | Sending) {
            return Ok(None);
        }
        let queue = ctx.loaders()?.queues().load((row.id, now)).await?;
        Ok(queue.map(|queue| queue.done_at(row.scheduled_at.unwrap_or(now).max(now))))
    }
}

impl From<domain::send::SendState> for SendState {
    fn from(state: domain::send::SendState) -> Self {
        match state {
            domain::send::SendState::Preparing => Self::Preparing,
            domain::send::SendState::Scheduled => Self::Scheduled,
            domain::send::SendState::Sending => Self::Sending,
            domain::send::SendState::Paused => Self::Paused,
            domain::send::SendState::Completed => Self::Completed,
            domain::send::SendState::Canceled => Self::Canceled,
        }
    }
}

impl List for Sends {
    const CONNECTION: &'static str = "SendConnection";
    const ABOUT_CONNECTION: &'static str = "A page of a conversation's sends, newest first.";
    const EDGE: &'static str = "SendEdge";
    const ABOUT_EDGE: &'static str = "A send and its cursor.";
    type Row = domain::send::Send;
    type Node = Send;

    fn cursors(&self) -> Cursors {
        Cursors::of_numbers("sends")
    }

    async fn total(&self, ctx: &Context<'_>) -> Result<i64> {
        let count = ctx.loaders()?.send_counts().load(self.0).await;
        count.map(Option::unwrap_or_default)
    }
}
