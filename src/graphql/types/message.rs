//! Messages of a user's history.

use std::sync::Arc;

use async_graphql::{Context, Description, Enum, ID, Object};

use super::super::connection::List;
use super::super::error::Result;
use super::super::lazy::Lazy;
use super::super::scalars::{DateTime, Json};
use super::super::session::Asking;
use super::deployment::Deployment;
use super::standing::DeploymentStatus;
use crate::domain;
use crate::domain::id::{DeploymentId, UserId};

/// Who wrote a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "domain::message::Sender")]
pub(crate) enum Sender {
    /// The user.
    User,
    /// The bot that leads through the flow.
    Bot,
    /// A human agent.
    Agent,
    /// The company: what a send sent.
    Company,
}

/// What a message is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "domain::message::MessageKind")]
pub(crate) enum MessageKind {
    /// Words.
    Text,
    /// A template that WhatsApp approved, filled in.
    Template,
    /// A button that the user pressed, or a message that offers buttons.
    Button,
    /// A choice from a list, or a message that offers a list.
    List,
    /// A picture.
    Image,
    /// A film.
    Video,
    /// A recording.
    Audio,
    /// A file.
    Document,
    /// A sticker.
    Sticker,
    /// A place on the map.
    Location,
    /// Cards of contacts.
    Contacts,
    /// A sign put to another message. It shows that the user is active, and is no answer.
    Reaction,
    /// Something that WhatsApp could not pass on, or of a kind not known here.
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
    /// Names this message among everything in the API.
    pub(crate) async fn id(&self) -> ID {
        self.0.id()
    }

    /// Who wrote it.
    async fn sender(&self, ctx: &Context<'_>) -> Result<Sender> {
        Ok(self.0.row(ctx).await?.sender.into())
    }

    /// What it is made of.
    async fn kind(&self, ctx: &Context<'_>) -> Result<MessageKind> {
        Ok(self.0.row(ctx).await?.kind.into())
    }

    /// Its words: the text, a caption, a button's label. Null where it has none.
    async fn text(&self, ctx: &Context<'_>) -> Option<Result<String>> {
        self.0.row(ctx).await.map(|row| row.text.clone()).transpose()
    }

    /// What its kind carries beyond words, such as a template's name and parameters or a place's coordinates. Null where
    /// there is no more.
    async fn payload(&self, ctx: &Context<'_>) -> Option<Result<Json>> {
        let payload = self.0.row(ctx).await.map(|row| row.payload.as_deref().map(Json::stored));
        payload.unwrap_or_else(|error| Some(Err(error)))
    }

    /// How far it got, if it is a message to the user; null for the user's own messages.
    async fn status(&self, ctx: &Context<'_>) -> Option<Result<DeploymentStatus>> {
        self.0.row(ctx).await.map(|row| row.status().map(DeploymentStatus::from)).transpose()
    }

    /// The attempt that it belongs to.
    async fn deployment(&self, ctx: &Context<'_>) -> Result<Deployment> {
        Ok(Deployment(Lazy::Named(self.0.row(ctx).await?.deployment)))
    }

    /// WhatsApp's id of it. Null until WhatsApp gave one.
    async fn provider_message_id(&self, ctx: &Context<'_>) -> Option<Result<String>> {
        self.0.row(ctx).await.map(|row| row.provider_message_id.clone()).transpose()
    }

    /// When it was written, or, for one still to be sent, when it is due.
    async fn at(&self, ctx: &Context<'_>) -> Result<DateTime> {
        Ok(self.0.row(ctx).await?.at.into())
    }
}

impl From<Arc<domain::message::Message>> for Message {
    fn from(row: Arc<domain::message::Message>) -> Self {
        Self(Lazy::Loaded(row))
    }
}

impl List for Messages {
    const CONNECTION: &'static str = "MessageConnection";
    const ABOUT_CONNECTION: &'static str = "A page of messages, the oldest first.";
    const EDGE: &'static str = "MessageEdge";
    const ABOUT_EDGE: &'static str = "A message, and its place among the messages.";
    type Row = domain::message::Message;
    type Node = Message;

    fn cursors(&self) -> &'static str {
        "messages"
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
