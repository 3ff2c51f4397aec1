//! Checks of the provider's ids: only those that can be stored are accepted.

use crate::domain::contact::is_whatsapp_id;
use crate::domain::input::{MAX_PROVIDER_ID_BYTES, check_name};

/// The provider's id of a message or a user; `None` if it is blank, too long or has a NUL.
pub(super) fn provider_id(text: &str) -> Option<String> {
    check_name(text, MAX_PROVIDER_ID_BYTES).ok().map(|()| text.to_owned())
}

/// A WhatsApp id; `None` unless it has 1 to 20 digits and nothing else.
pub(super) fn wa_id(text: &str) -> Option<String> {
    is_whatsapp_id(text).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_that_cannot_be_stored_are_rejected() {
        assert_eq!(provider_id("wamid.A").as_deref(), Some("wamid.A"));
        for text in ["", " ", "a\u{0}", &"a".repeat(MAX_PROVIDER_ID_BYTES + 1)] {
            assert_eq!(provider_id(text), None);
        }
    }
}
