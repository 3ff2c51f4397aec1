//! Anything that has an id.

use async_graphql::{Context, ID, Interface};

use super::conversation::Conversation;
use super::deployment::Deployment;
use super::line::Line;
use super::message::Message;
use super::send::Send;
use super::session::Session;
use super::user::User;
use super::version::Version;
use super::viewer::Workspace;
use crate::domain::id::{AnyId, WorkspaceId};
use crate::graphql::context::ContextExt;
use crate::graphql::error::Result;
use crate::graphql::lazy::Lazy;

/// An object with a globally unique id, by which it can be fetched again.
#[derive(Interface)]
#[graphql(field(name = "id", ty = "ID", desc = "The object's globally unique id."))]
pub(crate) enum Node {
    /// A workspace.
    Workspace(Workspace),
    /// A line.
    Line(Line),
    /// A conversation.
    Conversation(Conversation),
    /// A version.
    Version(Version),
    /// A send.
    Send(Send),
    /// A user.
    User(User),
    /// A deployment.
    Deployment(Deployment),
    /// A session.
    Session(Session),
    /// A message.
    Message(Message),
}

impl Node {
    /// The object with this id; `None` if the workspace has none.
    pub(crate) async fn find(ctx: &Context<'_>, id: AnyId) -> Result<Option<Self>> {
        Ok(match id {
            AnyId::Workspace(id) => Self::own_workspace(ctx, id)?.map(Self::Workspace),
            AnyId::Line(id) => Lazy::find(ctx, id).await?.map(Line).map(Self::Line),
            AnyId::Conversation(id) => Lazy::find(ctx, id).await?.map(Conversation).map(Self::Conversation),
            AnyId::Version(id) => Lazy::find(ctx, id).await?.map(Version).map(Self::Version),
            AnyId::Send(id) => Lazy::find(ctx, id).await?.map(Send).map(Self::Send),
            AnyId::User(id) => Lazy::find(ctx, id).await?.map(User).map(Self::User),
            AnyId::Deployment(id) => Lazy::find(ctx, id).await?.map(Deployment).map(Self::Deployment),
            AnyId::Session(id) => Lazy::find(ctx, id).await?.map(Session).map(Self::Session),
            AnyId::Message(id) => Lazy::find(ctx, id).await?.map(Message).map(Self::Message),
        })
    }

    fn own_workspace(ctx: &Context<'_>, id: WorkspaceId) -> Result<Option<Workspace>> {
        Ok((ctx.request()?.viewer.workspace == id).then_some(Workspace(id)))
    }
}
