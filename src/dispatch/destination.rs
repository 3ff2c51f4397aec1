//! Where a send goes: the conversation's version, and the line it is sent on.

use std::time::Duration;

use super::sends::SubmissionFault;
use crate::domain::clock::Timestamp;
use crate::domain::conversation::{Conversation, Direction, Version};
use crate::domain::flow::{Start, first_template};
use crate::domain::id::{ConversationId, VersionId, new_key};
use crate::domain::line::Line;
use crate::domain::send::Send;
use crate::storage::sends::Order;
use crate::storage::{StorageError, Tenant, conversations, lines, versions};

/// What a send deploys, and on which line.
pub(super) struct Destination {
    pub(super) conversation: Conversation,
    pub(super) version: Version,
    pub(super) line: Line,
}

impl Destination {
    /// A conversation's current version; `None` if there is no such conversation.
    pub(super) async fn find(tenant: &Tenant, id: ConversationId) -> Result<Option<Self>, StorageError> {
        let Some(conversation) = find_conversation(tenant, id).await? else { return Ok(None) };
        let version = conversation.current_version;
        Self::of(tenant, conversation, version).await.map(Some)
    }

    /// That of a send that was made before.
    pub(super) async fn of_send(tenant: &Tenant, send: &Send) -> Result<Self, StorageError> {
        let conversation = find_conversation(tenant, send.conversation).await?;
        let conversation = conversation.ok_or(StorageError::Corrupt("send without a conversation"))?;
        Self::of(tenant, conversation, send.version).await
    }

    async fn of(tenant: &Tenant, conversation: Conversation, version: VersionId) -> Result<Self, StorageError> {
        let version = versions::find_many(tenant, &[version]).await?.into_values().next();
        let version = version.ok_or(StorageError::Corrupt("conversation without a version"))?;
        let line = lines::find_many(tenant, &[conversation.line]).await?.into_values().next();
        let line = line.ok_or(StorageError::Corrupt("conversation without a line"))?;
        Ok(Self { conversation, version, line })
    }

    /// Why nothing can be sent there, if so.
    pub(super) fn refuses(&self) -> Option<SubmissionFault> {
        match self.conversation.direction {
            _ if self.conversation.archived_at.is_some() => Some(SubmissionFault::Archived),
            Direction::Inbound => Some(SubmissionFault::Inbound),
            Direction::Outbound => None,
        }
    }

    /// A new send, as yet without users.
    pub(super) fn send(&self, scheduled_at: Option<Timestamp>, time_to_live: Option<Duration>, now: Timestamp) -> Send {
        Send {
            id: new_key().into(),
            conversation: self.conversation.id,
            version: self.version.id,
            total_users: 0,
            created_at: now,
            scheduled_at: scheduled_at.filter(|&due| due > now),
            completed_at: None,
            canceled_at: None,
            paused_at: None,
            preparing: false,
            time_to_live,
            retry_of: None,
        }
    }

    /// What the deployments of a send have in common.
    pub(super) fn order(&self, send: &Send) -> Order {
        let category = self.template().map(|start| start.template.category).unwrap_or_default();
        let time_to_live = send.time_to_live.unwrap_or(category.time_to_live());
        Order { send: send.id, version: send.version, line: self.line.id, time_to_live }
    }

    /// The template of the first message; `None` if another system sends.
    pub(super) fn template(&self) -> Option<Start> {
        let flow = serde_json::from_str(&self.version.flow).ok()?;
        first_template(&flow).filter(|_| !self.line.external)
    }
}

async fn find_conversation(tenant: &Tenant, id: ConversationId) -> Result<Option<Conversation>, StorageError> {
    Ok(conversations::find_many(tenant, &[id]).await?.remove(&id))
}
