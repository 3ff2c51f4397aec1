//! The form of a token: `bt_`, or `bts_` for one that opens streams, and 32 random bytes in base64url. The prefix lets secret
//! scanners find leaked tokens.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rand::CryptoRng;
use sha2::{Digest, Sha256};

use crate::config::Secret;

/// What API tokens begin with.
pub(super) const TOKEN: &str = "bt_";
/// What stream tokens begin with.
pub const STREAM: &str = "bts_";
const RANDOM_BYTES: usize = 32;

/// A new token from a random number generator, with a prefix.
pub(super) fn generate(prefix: &str, random: &mut impl CryptoRng) -> Secret {
    let mut bytes = [0; RANDOM_BYTES];
    random.fill_bytes(&mut bytes);
    Secret::new(format!("{prefix}{}", URL_SAFE_NO_PAD.encode(bytes)))
}

/// The hash under which a token is stored: SHA-256 in hexadecimal. 256 random bits do not require a slower hash.
pub(super) fn hash(token: &str) -> String {
    hex::encode(Sha256::digest(token))
}

/// Whether a text has the form of a token with a prefix. Any other is refused without a database query.
pub(super) fn is_well_formed(prefix: &str, text: &str) -> bool {
    let decoded = text.strip_prefix(prefix).and_then(|digits| URL_SAFE_NO_PAD.decode(digits).ok());
    decoded.is_some_and(|bytes| bytes.len() == RANDOM_BYTES)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_well_formed_and_distinct() {
        let (one, other) = (generate(TOKEN, &mut rand::rng()), generate(STREAM, &mut rand::rng()));
        assert!(is_well_formed(TOKEN, one.expose()) && is_well_formed(STREAM, other.expose()) && one != other);
        assert!(!is_well_formed(STREAM, one.expose()) && !is_well_formed(TOKEN, other.expose()));
        assert_eq!(hash("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }

    #[test]
    fn other_texts_are_not_well_formed() {
        let token = generate(TOKEN, &mut rand::rng());
        for text in ["", "bt_", "bt_short", &token.expose().replace("bt_", "gh_"), &format!("{}A", token.expose())] {
            assert!(!is_well_formed(TOKEN, text), "{text}");
        }
    }
}
