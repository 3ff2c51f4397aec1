//! Lines: WhatsApp business numbers.

use super::id::LineId;
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
}
