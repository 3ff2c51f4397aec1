//! What ids of the provider's can be stored and looked up.

use crate::domain::input::{MAX_PROVIDER_ID_BYTES, check_name};

/// The longest WhatsApp id: E.164 allows fifteen digits, the provider a few more.
const LONGEST_WA_ID: usize = 20;

/// An id of a message or of a user.
pub(super) fn provider_id(text: &str) -> Option<String> {
    check_name(text, MAX_PROVIDER_ID_BYTES).ok().map(|()| text.to_owned())
}

/// A WhatsApp id of an account: digits and nothing else.
pub(super) fn wa_id(text: &str) -> Option<String> {
    let digits = !text.is_empty() && text.len() <= LONGEST_WA_ID && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_stored_is_no_id() {
        assert_eq!(provider_id("wamid.A").as_deref(), Some("wamid.A"));
        for text in ["", " ", "a\u{0}", &"a".repeat(MAX_PROVIDER_ID_BYTES + 1)] {
            assert_eq!(provider_id(text), None);
        }
    }

    #[test]
    fn a_whatsapp_id_is_digits() {
        assert_eq!(wa_id("573001234567").as_deref(), Some("573001234567"));
        for text in ["", "+573001234567", "CO.1349", "123456789012345678901", "１２３"] {
            assert_eq!(wa_id(text), None, "{text}");
        }
    }
}
