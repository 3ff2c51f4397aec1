//! What ids of the provider's can be stored and looked up.

use crate::domain::contact::is_whatsapp_id;
use crate::domain::input::{MAX_PROVIDER_ID_BYTES, check_name};

/// An id of a message or of a user.
pub(super) fn provider_id(text: &str) -> Option<String> {
    check_name(text, MAX_PROVIDER_ID_BYTES).ok().map(|()| text.to_owned())
}

/// A WhatsApp id of an account: digits and nothing else.
pub(super) fn wa_id(text: &str) -> Option<String> {
    is_whatsapp_id(text).then(|| text.to_owned())
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
}
