//! WhatsApp business numbers.

use super::id::LineId;
use super::phone::Phone;

/// A WhatsApp business number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Its id.
    pub id: LineId,
    /// Its number.
    pub phone: Phone,
    /// The provider's id of the number, unique in the whole installation.
    pub phone_number_id: String,
    /// Its name.
    pub name: String,
    /// At most so many messages leave in any second.
    pub messages_per_second: u32,
    /// Whether another system sends on it, so that Bluetick only records.
    pub external: bool,
}
