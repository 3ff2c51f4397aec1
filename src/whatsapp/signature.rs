//! The signature of the provider's webhooks: an HMAC-SHA256 of the raw bytes of the body.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// The header that carries the signature.
pub const HEADER: &str = "x-hub-signature-256";

const SCHEME: &str = "sha256=";

/// Whether `header` is the signature of `body` with the app's `secret`, compared in constant time.
///
/// With an empty secret no signature is valid, since anybody could compute it.
pub fn verify(secret: &str, body: &[u8], header: &str) -> bool {
    let claimed = header.strip_prefix(SCHEME).and_then(|digits| hex::decode(digits).ok());
    match (claimed, mac(secret, body)) {
        (Some(claimed), Some(mac)) => mac.verify_slice(&claimed).is_ok(),
        _ => false,
    }
}

/// The header's value for `body`; `None` if the secret is empty.
pub fn sign(secret: &str, body: &[u8]) -> Option<String> {
    let mac = mac(secret, body)?;
    Some(format!("{SCHEME}{}", hex::encode(mac.finalize().into_bytes())))
}

fn mac(secret: &str, body: &[u8]) -> Option<Hmac<Sha256>> {
    if secret.is_empty() {
        return None;
    }
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).ok()?;
    mac.update(body);
    Some(mac)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "It's a Secret to Everybody";
    const SIGNED: &str = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";

    #[test]
    fn known_vectors_are_signed_correctly() {
        assert_eq!(sign(SECRET, b"Hello, World!").as_deref(), Some(SIGNED));
        // RFC 4231, test case 2.
        assert_eq!(
            sign("Jefe", b"what do ya want for nothing?").as_deref(),
            Some("sha256=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843")
        );
    }

    #[test]
    fn what_was_signed_is_verified() {
        assert!(verify(SECRET, b"Hello, World!", SIGNED));
        assert!(verify(SECRET, b"Hello, World!", &SIGNED.to_uppercase().replace("SHA256", "sha256")));
    }

    #[test]
    fn anything_else_is_not_verified() {
        assert!(!verify(SECRET, b"Hello, World", SIGNED));
        assert!(!verify("another secret", b"Hello, World!", SIGNED));
        let without_scheme = SIGNED.replace("sha256=", "");
        let truncated = SIGNED.split_at(SIGNED.len() - 2).0;
        for header in ["", "sha256=", "sha256=zz", "sha1=757107", truncated, &without_scheme, &format!("{SIGNED}00")] {
            assert!(!verify(SECRET, b"Hello, World!", header), "{header}");
        }
    }

    #[test]
    fn an_empty_secret_signs_and_verifies_nothing() {
        assert_eq!(sign("", b"body"), None);
        let forged = Hmac::<Sha256>::new_from_slice(b"").unwrap().chain_update(b"body").finalize().into_bytes();
        assert!(!verify("", b"body", &format!("sha256={}", hex::encode(forged))));
    }
}
