//! Contacts: how they are identified, and their profile names.

use super::clock::Timestamp;
use super::phone::Phone;

/// The identifiers by which a message or an answer of the provider refers to a person. At least one is present; if there are
/// several, they all refer to the same person.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub struct ContactKey {
    /// The number that messages are sent to.
    pub phone: Option<Phone>,
    /// The WhatsApp id of the account: 1 to 20 digits, which may differ from those of the number (in Brazil and Mexico).
    pub wa_id: Option<String>,
    /// The provider's user id, which replaces the number where WhatsApp hides it.
    pub provider_user_id: Option<String>,
}

/// The most digits of a WhatsApp id. E.164 allows fifteen; WhatsApp's ids have up to a few more.
const MAX_WHATSAPP_ID_DIGITS: usize = 20;

/// A profile name and when it was reported, to the minute: every message of a user brings it, and a contact need not be written
/// for each. The latest report wins; of two in the same minute, the greater name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub struct ProfileName {
    /// The minute of the report.
    pub at: Timestamp,
    /// The name as the user chose it.
    pub name: String,
}

impl ProfileName {
    /// A name that was reported at this time.
    pub const fn reported(at: Timestamp, name: String) -> Self {
        Self { at: at.floor_to_minute(), name }
    }
}

impl ContactKey {
    /// Whether there is no identifier at all.
    pub const fn is_empty(&self) -> bool {
        self.phone.is_none() && self.wa_id.is_none() && self.provider_user_id.is_none()
    }
}

/// Whether `text` has the form of a WhatsApp id: 1 to 20 ASCII digits.
pub fn is_whatsapp_id(text: &str) -> bool {
    (1..=MAX_WHATSAPP_ID_DIGITS).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whatsapp_id_is_digits() {
        assert!(is_whatsapp_id("573001234567"));
        for text in ["", "+573001234567", "CO.1349", "123456789012345678901", "１２３"] {
            assert!(!is_whatsapp_id(text), "{text}");
        }
    }
}
