//! Which conversations, in which order.

use async_graphql::{Enum, InputObject};

use super::order::OrderDirection;
use crate::domain::conversation;
use crate::domain::input::{MAX_NAME_BYTES, check_text};
use crate::graphql::error::{ApiError, Result};
use crate::graphql::place::Place;
use crate::graphql::types::conversation::Direction;
use crate::storage::conversations;

/// Selects conversations. All conditions given must hold; a field that is null or omitted is ignored.
#[derive(Debug, Clone, Default, InputObject)]
pub(crate) struct ConversationFilter {
    /// Part of the name, ignoring case; at most 200 bytes.
    name: Option<String>,
    /// Who starts the conversation.
    direction: Option<Direction>,
    /// True for archived conversations only, false for active ones only.
    archived: Option<bool>,
}

/// How to order conversations.
#[derive(Debug, Clone, Copy, InputObject)]
pub(crate) struct ConversationOrder {
    /// What to order by.
    field: ConversationOrderField,
    /// Ascending or descending.
    direction: OrderDirection,
}

/// What conversations can be ordered by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "conversations::ConversationOrder")]
pub(crate) enum ConversationOrderField {
    /// When the conversation was created.
    #[graphql(name = "CREATED_AT")]
    Created,
    /// The name, compared byte by byte.
    Name,
}

impl ConversationFilter {
    /// The filter in the domain's terms.
    pub(crate) fn read(self) -> Result<conversation::ConversationFilter> {
        if let Some(name) = &self.name {
            check_text(name, MAX_NAME_BYTES)
                .map_err(|fault| ApiError::Argument(Place::of("filter").field("name"), fault))?;
        }
        let direction = self.direction.map(Into::into);
        Ok(conversation::ConversationFilter { name: self.name, direction, archived: self.archived })
    }
}

impl ConversationOrder {
    /// What to compare and whether the greatest comes first; the latest created first where nothing is asked.
    pub(crate) fn read(order: Option<Self>) -> (conversations::ConversationOrder, bool) {
        order.map_or((conversations::ConversationOrder::Created, true), |order| {
            (order.field.into(), order.direction.descending())
        })
    }
}
