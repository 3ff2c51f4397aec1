//! Lines.

use async_graphql::{Context, Description, ID, Object};

use crate::domain;
use crate::graphql::connection::int;
use crate::graphql::error::Result;
use crate::graphql::lazy::Lazy;
use crate::graphql::scalars::PhoneNumber;

/// A WhatsApp business number that conversations run on. The credentials for sending are settings of the server and
/// never appear in the API.
#[derive(Description)]
pub(crate) struct Line(pub(crate) Lazy<domain::line::Line>);

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

    /// Whether another system sends on this line. If so, Bluetick sends nothing on it; deployments stay QUEUED until
    /// `recordFacts` or a webhook reports what became of them.
    async fn external(&self, ctx: &Context<'_>) -> Result<bool> {
        Ok(self.0.row(ctx).await?.external)
    }
}
