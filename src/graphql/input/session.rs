//! Which sessions, in which order.

use async_graphql::{ID, InputObject};

use super::id::{read_conversation_id, read_line_id};
use super::order::OrderDirection;
use crate::domain::input::{MAX_NAME_BYTES, check_text};
use crate::domain::session;
use crate::graphql::error::{ApiError, Result};
use crate::graphql::place::Place;
use crate::graphql::types::standing::SessionStatus;

/// Selects sessions. All conditions given must hold; a field that is null or omitted is ignored.
#[derive(Debug, Clone, Default, InputObject)]
pub(crate) struct SessionFilter {
    /// The status is one of these; an empty list matches nothing.
    status: Option<Vec<SessionStatus>>,
    /// It was last assigned to this agent, by exactly this name; at most 200 bytes.
    agent: Option<String>,
    /// True for sessions that were assigned to nobody, false for those that were assigned to somebody.
    unassigned: Option<bool>,
    /// It is of a version of this conversation. The id of any other kind of object matches nothing.
    conversation_id: Option<ID>,
    /// It is on this line. The id of any other kind of object matches nothing.
    line_id: Option<ID>,
}

/// How to order sessions: by the time since which they have their status.
#[derive(Debug, Clone, Copy, InputObject)]
pub(crate) struct SessionOrder {
    /// Ascending, with those first who wait the longest, or descending.
    direction: OrderDirection,
}

impl SessionFilter {
    /// The filter in the domain's terms.
    pub(crate) fn read(self) -> Result<session::SessionFilter> {
        let place = Place::of("filter");
        if let Some(agent) = &self.agent {
            check_text(agent, MAX_NAME_BYTES).map_err(|fault| ApiError::Argument(place.field("agent"), fault))?;
        }
        let conversation =
            self.conversation_id.map(|id| read_conversation_id(&id, &place.field("conversationId"))).transpose()?;
        let line = self.line_id.map(|id| read_line_id(&id, &place.field("lineId"))).transpose()?;
        if conversation == Some(None) || line == Some(None) {
            return Ok(session::SessionFilter::nothing());
        }
        Ok(session::SessionFilter {
            statuses: self.status.map(|statuses| statuses.into_iter().map(Into::into).collect()),
            agent: self.agent,
            assigned: self.unassigned.map(|unassigned| !unassigned),
            conversation: conversation.flatten(),
            line: line.flatten(),
        })
    }
}

impl SessionOrder {
    /// Whether the latest comes first; those who wait the longest do where nothing is asked.
    pub(crate) fn read(order: Option<Self>) -> bool {
        order.is_some_and(|order| order.direction.descending())
    }
}
