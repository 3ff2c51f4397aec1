//! Lines.

use std::sync::Arc;

use async_graphql::{Context, Description, Enum, ID, Object};

use super::conversation::Conversation;
use super::inbound::InboundRule;
use crate::domain;
use crate::domain::line::LineStop;
use crate::graphql::connection::int;
use crate::graphql::error::Result;
use crate::graphql::items::Items;
use crate::graphql::lazy::Lazy;
use crate::graphql::scalars::{DateTime, PhoneNumber};

/// A WhatsApp business number that conversations run on. The credentials for sending are settings of the server and
/// never appear in the API.
#[derive(Description)]
pub(crate) struct Line(pub(crate) Lazy<domain::line::Line>);

/// Whether a line can send.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub(crate) enum LineState {
    /// What is queued on it leaves, at its rate. Where another system sends, a line is always ACTIVE.
    Active,
    /// WhatsApp reported an error of the line or its account, such as an expired token or an unpaid bill. What is queued
    /// stays queued. From time to time a single message is sent to see whether the error is gone; `resumeLine` does not
    /// wait for that.
    Stopped,
}

#[Object(use_type_description)]
impl Line {
    /// The line's globally unique id.
    pub(crate) async fn id(&self) -> ID {
        self.0.id()
    }

    /// The phone number that users see.
    async fn phone(&self, ctx: &Context<'_>) -> Result<PhoneNumber> {
        Ok(PhoneNumber::from(&self.0.row(ctx).await?.phone))
    }

    /// WhatsApp's id of the number, unique across all workspaces.
    async fn phone_number_id(&self, ctx: &Context<'_>) -> Result<String> {
        Ok(self.0.row(ctx).await?.phone_number_id.clone())
    }

    /// The display name.
    async fn name(&self, ctx: &Context<'_>) -> Result<String> {
        Ok(self.0.row(ctx).await?.name.clone())
    }

    /// The most messages sent on this line in any second.
    async fn messages_per_second(&self, ctx: &Context<'_>) -> Result<i32> {
        Ok(int(self.0.row(ctx).await?.messages_per_second.into()))
    }

    /// Whether it can send.
    async fn state(&self, ctx: &Context<'_>) -> Result<LineState> {
        let stopped = self.0.row(ctx).await?.stop.is_some();
        Ok(if stopped { LineState::Stopped } else { LineState::Active })
    }

    /// Why it is STOPPED: in WhatsApp's words if it gave any, or else in ours. Null while it is ACTIVE.
    async fn state_reason(&self, ctx: &Context<'_>) -> Option<Result<String>> {
        self.0.row(ctx).await.map(|row| row.stop.as_ref().map(LineStop::sentence)).transpose()
    }

    /// WhatsApp's code of the error because of which it is STOPPED. Null while it is ACTIVE, and if there was no answer of
    /// WhatsApp's.
    async fn state_code(&self, ctx: &Context<'_>) -> Option<Result<i32>> {
        self.0.row(ctx).await.map(|row| row.stop.as_ref().and_then(|stop| stop.code)).transpose()
    }

    /// Since when it has been in this state.
    async fn state_since(&self, ctx: &Context<'_>) -> Result<DateTime> {
        Ok(self.0.row(ctx).await?.state_since.into())
    }

    /// The rules by which a user's message that belongs to no other conversation chooses the one that it begins. The
    /// first that matches counts; if none does, or its conversation is archived, the default is begun.
    async fn inbound_rules(&self, ctx: &Context<'_>) -> Result<Items<InboundRule>> {
        let row = self.0.row(ctx).await?;
        Ok(Items(row.inbound_rules.0.iter().map(InboundRule::from).collect()))
    }

    /// The INBOUND conversation that a user's message begins if it belongs to no other and no rule chooses one. Null if
    /// no default was chosen; it is then the line's newest that is not archived.
    async fn default_conversation(&self, ctx: &Context<'_>) -> Option<Result<Conversation>> {
        let conversation = |row: Arc<domain::line::Line>| row.default_conversation.map(|id| Conversation(Lazy::Id(id)));
        self.0.row(ctx).await.map(conversation).transpose()
    }

    /// Whether another system sends on this line. If so, Bluetick sends nothing on it; deployments stay QUEUED until
    /// `recordFacts` or a webhook reports what became of them.
    async fn external(&self, ctx: &Context<'_>) -> Result<bool> {
        Ok(self.0.row(ctx).await?.external)
    }
}
