//! Lines: WhatsApp business numbers.

use super::clock::Timestamp;
use super::id::{ConversationId, LineId};
use super::inbound::InboundRules;
use super::phone::Phone;

/// A WhatsApp business number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// The line's id.
    pub id: LineId,
    /// The business number.
    pub phone: Phone,
    /// The provider's id of the number, unique across all workspaces.
    pub phone_number_id: String,
    /// The name that the workspace gave it.
    pub name: String,
    /// The most messages that are sent on it in any second; at least 1.
    pub messages_per_second: u32,
    /// Whether another system sends on it, so that Bluetick only records what is reported.
    pub external: bool,
    /// The error because of which nothing is sent on it; `None` while it sends.
    pub stop: Option<LineStop>,
    /// Since when it is stopped, or sends again, or exists.
    pub state_since: Timestamp,
    /// The rules by which messages that belong to no conversation choose the one that they begin.
    pub inbound_rules: InboundRules,
    /// The inbound conversation that messages begin if no rule chooses another; `None` for the newest.
    pub default_conversation: Option<ConversationId>,
}

/// An error of a line or its account, as the provider reported it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LineStop {
    /// The provider's error code, if it gave one.
    pub code: Option<i32>,
    /// The provider's description; may be empty.
    pub text: String,
}

impl LineStop {
    /// What is shown of the error: the provider's description, or one of our own.
    pub fn sentence(&self) -> String {
        match (self.text.as_str(), self.code) {
            ("", Some(code)) => format!("WhatsApp rejects all messages of the line with code {code}."),
            ("", None) => "WhatsApp rejects all messages of the line.".to_owned(),
            (text, _) => text.to_owned(),
        }
    }
}
