//! Messages of a user's history.

use async_graphql::{Context, Description, Enum, ID, Object};

use super::deployment::Deployment;
use super::failure::Failure;
use super::standing::DeploymentStatus;
use crate::domain;
use crate::domain::id::{DeploymentId, UserId};
use crate::domain::page::Cursors;
use crate::graphql::connection::List;
use crate::graphql::context::ContextExt;
use crate::graphql::error::Result;
use crate::graphql::lazy::Lazy;
use crate::graphql::scalars::{DateTime, Json};

/// Who wrote a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "domain::message::Sender")]
pub(crate) enum Sender {
    /// The user.
    User,
    /// The bot that guides the user through the flow.
    Bot,
    /// A human agent.
    Agent,
    /// The company, through a send.
    Company,
}

/// The kind of content of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "domain::message::MessageKind")]
pub(crate) enum MessageKind {
    /// Plain text.
    Text,
    /// A template that WhatsApp has approved, filled in.
    Template,
    /// A button that the user pressed, or a message that offers buttons.
    Button,
    /// A choice from a list, or a message that offers one.
    List,
    /// An image.
    Image,
    /// A video.
    Video,
    /// An audio recording.
    Audio,
    /// A file.
    Document,
    /// A sticker.
    Sticker,
    /// A location on the map.
    Location,
    /// Contact cards.
    Contacts,
    /// An emoji reaction to another message. It counts as activity, but not as a response.
    Reaction,
    /// A message that WhatsApp could not pass on, or of an unknown kind.
    Unsupported,
}

/// One message between the user and the company, in either direction.
#[derive(Description)]
pub(crate) struct Message(pub(crate) Lazy<domain::message::Message>);

/// The messages of a user, or of one deployment.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Messages {
    /// A user's whole history.
    OfUser(UserId),
    /// What belongs to one deployment.
    OfDeployment(DeploymentId),
}

#[Object(use_type_description)]
impl Message {
    /// The message's globally unique id.
    pub(crate) async fn id(&self) -> ID {
        self.0.id()
    }

    /// Who wrote it.
    async fn sender(&self, ctx: &Context<'_>) -> Result<Sender> {
        Ok(self.0.row(ctx).await?.sender.into())
    }

    /// The kind of content.
    async fn kind(&self, ctx: &Context<'_>) -> Result<MessageKind> {
        Ok(self.0.row(ctx).await?.kind.into())
    }

    /// Its text: the body, a caption, or a button's label. Null if it has none, and without the scope PERSONAL.
    async fn text(&self, ctx: &Context<'_>) -> Option<Result<String>> {
        self.0.row(ctx).await.and_then(|row| ctx.personal(row.text.clone())).transpose()
    }

    /// Content beyond the text, depending on the kind, such as a template's name and parameters or a location's
    /// coordinates. Null if there is none, and without the scope PERSONAL.
    async fn payload(&self, ctx: &Context<'_>) -> Option<Result<Json>> {
        let payload = self.0.row(ctx).await.and_then(|row| ctx.personal(row.payload.as_deref().map(Json::stored)));
        payload.unwrap_or_else(|error| Some(Err(error)))
    }

    /// How far a message to the user has got; null for messages from the user.
    async fn status(&self, ctx: &Context<'_>) -> Option<Result<DeploymentStatus>> {
        self.0.row(ctx).await.map(|row| row.status().map(DeploymentStatus::from)).transpose()
    }

    /// Why a message to the user failed. Null unless `status` is FAILED.
    async fn failure(&self, ctx: &Context<'_>) -> Option<Result<Failure>> {
        self.0.row(ctx).await.map(|row| row.failure().map(Failure)).transpose()
    }

    /// The deployment it belongs to.
    async fn deployment(&self, ctx: &Context<'_>) -> Result<Deployment> {
        Ok(Deployment(Lazy::Id(self.0.row(ctx).await?.deployment)))
    }

    /// WhatsApp's id of it, which contains the phone number. Null until WhatsApp has assigned one, and without the scope
    /// PERSONAL.
    async fn provider_message_id(&self, ctx: &Context<'_>) -> Option<Result<String>> {
        self.0.row(ctx).await.and_then(|row| ctx.personal(row.provider_message_id.clone())).transpose()
    }

    /// When it was written, or when it is due if it has yet to be sent.
    async fn at(&self, ctx: &Context<'_>) -> Result<DateTime> {
        Ok(self.0.row(ctx).await?.at.into())
    }
}

impl List for Messages {
    const CONNECTION: &'static str = "MessageConnection";
    const ABOUT_CONNECTION: &'static str = "A page of messages, oldest first.";
    const EDGE: &'static str = "MessageEdge";
    const ABOUT_EDGE: &'static str = "A message and its cursor.";
    type Row = domain::message::Message;
    type Node = Message;

    fn cursors(&self) -> Cursors {
        Cursors::of_numbers("messages")
    }

    async fn total(&self, ctx: &Context<'_>) -> Result<i64> {
        let loaders = ctx.loaders()?;
        let count = match *self {
            Self::OfUser(user) => loaders.history_counts().load(user).await,
            Self::OfDeployment(deployment) => loaders.message_counts().load(deployment).await,
        };
        count.map(Option::unwrap_or_default)
    }
}
