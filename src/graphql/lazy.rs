//! Objects that are known by their id, and loaded when a field needs more than that.
//!
//! `Conversation.currentVersion { id metrics { … } }` needs nothing of the version's own row, so it costs no statement for
//! it; rows that came with a page are there already.

use std::fmt::Display;
use std::sync::Arc;

use async_graphql::{Context, ID};

use super::context::ContextExt;
use super::error::{ApiError, Result};
use super::loader::{Key, Loader};
use super::loaders::Loaders;
use crate::domain::conversation::{Conversation, Version};
use crate::domain::deployment::Deployment;
use crate::domain::id::{ConversationId, DeploymentId, LineId, MessageId, SendId, SessionId, UserId, VersionId};
use crate::domain::line::Line;
use crate::domain::message::Message;
use crate::domain::send::Send;
use crate::domain::session::Session;
use crate::domain::user::User;

/// A row that can be loaded by its id.
pub(crate) trait Record: Sized + std::marker::Send + Sync + 'static {
    /// Its id.
    type Id: Key + Copy + Display;

    /// Its id.
    fn id(&self) -> Self::Id;

    /// What loads it.
    fn loader(loaders: &Loaders) -> &Loader<Self::Id, Arc<Self>>;
}

/// A row, or the id of one that is there.
pub(crate) enum Lazy<T: Record> {
    /// The row.
    Loaded(Arc<T>),
    /// Its id.
    Id(T::Id),
}

impl<T: Record> Lazy<T> {
    /// The row of an id that a client sent; `None` if the workspace has none.
    pub(crate) async fn find(ctx: &Context<'_>, id: T::Id) -> Result<Option<Self>> {
        Ok(T::loader(ctx.loaders()?).load(id).await?.map(Self::Loaded))
    }

    /// Its id.
    pub(crate) fn key(&self) -> T::Id {
        match self {
            Self::Loaded(row) => row.id(),
            Self::Id(id) => *id,
        }
    }

    /// Its id, as the API writes it.
    pub(crate) fn id(&self) -> ID {
        ID(self.key().to_string())
    }

    /// The row.
    pub(crate) async fn row(&self, ctx: &Context<'_>) -> Result<Arc<T>> {
        match self {
            Self::Loaded(row) => Ok(row.clone()),
            Self::Id(id) => {
                let row = T::loader(ctx.loaders()?).load(*id).await?;
                row.ok_or_else(|| ApiError::broken("a row refers to one that does not exist"))
            }
        }
    }
}

macro_rules! records {
    ($($row:ident, $id:ident, $loader:ident;)+) => {
        $(impl Record for $row {
            type Id = $id;

            fn id(&self) -> $id {
                self.id
            }

            fn loader(loaders: &Loaders) -> &Loader<$id, Arc<Self>> {
                loaders.$loader()
            }
        })+
    };
}

records! {
    Line, LineId, lines;
    Conversation, ConversationId, conversations;
    Version, VersionId, versions;
    Send, SendId, sends;
    User, UserId, users;
    Deployment, DeploymentId, deployments;
    Session, SessionId, sessions;
    Message, MessageId, messages;
}
