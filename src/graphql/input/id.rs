//! Ids that clients send.

use async_graphql::ID;

use crate::domain::id::AnyId;
use crate::domain::input::Fault;
use crate::graphql::error::{ApiError, Result};
use crate::graphql::place::Place;

/// Reads an id of any type; an error names its place if it is malformed.
pub(crate) fn read_id(id: &ID, place: &Place) -> Result<AnyId> {
    AnyId::parse(id).map_err(|malformed| ApiError::Argument(place.clone(), Fault::new(malformed.to_string())))
}

/// Reads an id that is to be of one type: `None` for one of another type, which names nothing here.
macro_rules! read_id_of {
    ($($(#[$doc:meta])* $name:ident: $variant:ident, $id:ident;)+) => {
        $(
            $(#[$doc])*
            pub(crate) fn $name(id: &ID, place: &Place) -> Result<Option<crate::domain::id::$id>> {
                Ok(match read_id(id, place)? {
                    AnyId::$variant(id) => Some(id),
                    _ => None,
                })
            }
        )+
    };
}

read_id_of! {
    /// Reads the id of a line; `None` for that of something else.
    read_line_id: Line, LineId;
    /// Reads the id of a conversation; `None` for that of something else.
    read_conversation_id: Conversation, ConversationId;
    /// Reads the id of a send; `None` for that of something else.
    read_send_id: Send, SendId;
    /// Reads the id of a user; `None` for that of something else.
    read_user_id: User, UserId;
    /// Reads the id of a deployment; `None` for that of something else.
    read_deployment_id: Deployment, DeploymentId;
    /// Reads the id of a session; `None` for that of something else.
    read_session_id: Session, SessionId;
}
