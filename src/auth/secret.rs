//! The form of a token: `bt_` and 32 random bytes in base64url. The prefix lets secret scanners find leaked tokens.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rand::CryptoRng;
use sha2::{Digest, Sha256};

use crate::config::Secret;

const PREFIX: &str = "bt_";
const RANDOM_BYTES: usize = 32;

/// A new token from a random number generator.
pub(super) fn generate(random: &mut impl CryptoRng) -> Secret {
    let mut bytes = [0; RANDOM_BYTES];
    random.fill_bytes(&mut bytes);
    Secret::new(format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes)))
}

/// The hash under which a token is stored: SHA-256 in hexadecimal. 256 random bits do not require a slower hash.
pub(super) fn hash(token: &str) -> String {
    hex::encode(Sha256::digest(token))
}

/// Whether a text has the form of a token. Any other is refused without a database query.
pub(super) fn is_well_formed(text: &str) -> bool {
    let decoded = text.strip_prefix(PREFIX).and_then(|digits| URL_SAFE_NO_PAD.decode(digits).ok());
    decoded.is_some_and(|bytes| bytes.len() == RANDOM_BYTES)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_well_formed_and_distinct() {
        let (one, other) = (generate(&mut rand::rng()), generate(&mut rand::rng()));
        assert!(is_well_formed(one.expose()) && one != other);
        assert_eq!(hash("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }

    #[test]
    fn other_texts_are_not_well_formed() {
        let token = generate(&mut rand::rng());
        for text in ["", "bt_", "bt_short", &token.expose().replace("bt_", "gh_"), &format!("{}A", token.expose())] {
            assert!(!is_well_formed(text), "{text}");
        }
    }
}
