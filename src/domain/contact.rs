//! People: what names a contact, and what is learnt about one.

use super::clock::Timestamp;
use super::phone::Phone;

/// What a message or a provider's answer names a person by. At least one is there; several name one and the same person.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub struct ContactKey {
    /// The number as sent to.
    pub phone: Option<Phone>,
    /// WhatsApp's id of the account: digits, which may differ from the phone's (Brazil, Mexico).
    pub wa_id: Option<String>,
    /// The provider's id of the user, which stands in where WhatsApp hides the number.
    pub provider_user_id: Option<String>,
}

/// A profile's name, with the time at which it was reported. The latest counts, then the greater name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub struct ProfileName {
    /// When it was reported.
    pub at: Timestamp,
    /// The name.
    pub name: String,
}

impl ContactKey {
    /// Whether it names nobody.
    pub const fn is_empty(&self) -> bool {
        self.phone.is_none() && self.wa_id.is_none() && self.provider_user_id.is_none()
    }
}
