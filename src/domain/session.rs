//! Sessions: conversations with users that are open, or were.
//!
//! A session is part of a deployment and has its key. It begins when a flow or a report says who handles the conversation.

use super::clock::Timestamp;
use super::id::{ConversationId, DeploymentId, LineId, SessionId, UserId, VersionId};
use super::standing::SessionStatus;

/// The session of a deployment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// The session's id.
    pub id: SessionId,
    /// The user.
    pub user: UserId,
    /// The user's version.
    pub version: VersionId,
    /// Who handles the conversation, or how it ended.
    pub status: SessionStatus,
    /// Since when.
    pub since: Timestamp,
    /// The agent to whom it was last assigned, and when.
    pub agent: Option<(Timestamp, String)>,
    /// The step of the flow in which the user stands; `None` if no flow runs.
    pub step: Option<String>,
    /// When it expires unless something is said before; `None` once it is over, or if another system leads it.
    pub expires_at: Option<Timestamp>,
}

/// Which sessions to list; what is `None` does not matter.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct SessionFilter {
    /// The status is one of these; so no session matches an empty list.
    pub statuses: Option<Vec<SessionStatus>>,
    /// It was last assigned to this agent.
    pub agent: Option<String>,
    /// Whether it was assigned to any agent.
    pub assigned: Option<bool>,
    /// It is of a version of this conversation.
    pub conversation: Option<ConversationId>,
    /// It is on this line.
    pub line: Option<LineId>,
}

impl Session {
    /// The deployment that it is part of.
    pub const fn deployment(&self) -> DeploymentId {
        self.id.deployment()
    }
}

impl SessionFilter {
    /// The filter that no session matches.
    pub fn nothing() -> Self {
        Self { statuses: Some(Vec::new()), ..Self::default() }
    }
}

impl SessionId {
    /// The deployment that the session is part of.
    pub const fn deployment(self) -> DeploymentId {
        DeploymentId(self.0)
    }
}

impl DeploymentId {
    /// The session that is part of the deployment, if there is one.
    pub const fn session(self) -> SessionId {
        SessionId(self.0)
    }
}
