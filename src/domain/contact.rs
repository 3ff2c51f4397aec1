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

/// The most digits of a WhatsApp id. E.164 allows fifteen; WhatsApp's ids have up to a few more.
const MAX_WHATSAPP_ID_DIGITS: usize = 20;

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
