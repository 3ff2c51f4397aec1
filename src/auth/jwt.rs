//! JSON Web Tokens: short-lived tokens that a company's own login issues, for browsers.
//!
//! They are signed with a secret that both sides know (HS256 and its kin), or with one of the public keys of a JWKS file. A
//! key is used for algorithms of its own family only, so that a public key never passes for a secret. Nothing of a token is
//! kept: it stands until it expires.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{AlgorithmFamily, DecodingKey, Validation, decode, decode_header};
use serde::Deserialize;

use super::{Scope, Scopes};
use crate::config::AuthSettings;
use crate::domain::clock::Timestamp;
use crate::domain::id::{TokenId, derived_key};

/// The shortest secret, in bytes: as long as the hash of HS256.
const MIN_SECRET_BYTES: usize = 32;

/// The longest token that is looked at, in bytes.
const MAX_TOKEN_BYTES: usize = 8_192;

/// What verifies tokens.
pub struct Jwts {
    keys: Vec<Key>,
    issuer: String,
}

/// A key with its id, if it has one, and what is asked of the tokens that it signs.
struct Key {
    id: Option<String>,
    decoding: DecodingKey,
    validation: Validation,
}

/// What a token says of its bearer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Bearer {
    /// What stands for the token: the same for all of a person's in a workspace.
    pub(super) token: TokenId,
    /// Who it is, if the token says so.
    pub(super) person: Option<Arc<str>>,
    /// The workspace's name.
    pub(super) workspace: String,
    /// What it permits.
    pub(super) scopes: Scopes,
    /// When it ends.
    pub(super) expires: Timestamp,
}

/// What is read of a token's claims.
#[derive(Deserialize)]
struct Claims {
    #[serde(default)]
    sub: Option<String>,
    workspace: String,
    scopes: Words,
    exp: i64,
}

/// A claim of several words: a list, or one text of them.
#[derive(Deserialize)]
#[serde(untagged)]
enum Words {
    List(Vec<String>),
    Text(String),
}

/// Why tokens cannot be verified by what is set.
#[derive(Debug, thiserror::Error)]
pub enum JwtError {
    /// The secret is too short.
    #[error("auth.jwt_secret must have at least {MIN_SECRET_BYTES} bytes")]
    ShortSecret,
    /// Anybody's tokens would be accepted.
    #[error("auth.jwt_issuer and auth.jwt_audience must be set where JWTs are accepted")]
    NoIssuer,
    /// The keys cannot be read.
    #[error("cannot read the keys in {}", .0.display())]
    Unreadable(PathBuf, #[source] std::io::Error),
    /// The keys are not what they must be.
    #[error("the keys in {} must be a JSON Web Key Set with public keys", .0.display())]
    Malformed(PathBuf),
}

impl Jwts {
    /// What the settings say; `None` if no key is set.
    pub fn new(settings: &AuthSettings) -> Result<Option<Self>, JwtError> {
        let mut keys = match &settings.jwt_keys {
            Some(path) => read_keys(path)?,
            None => Vec::new(),
        };
        if let Some(secret) = &settings.jwt_secret {
            if secret.expose().len() < MIN_SECRET_BYTES {
                return Err(JwtError::ShortSecret);
            }
            keys.push((None, DecodingKey::from_secret(secret.expose().as_bytes())));
        }
        if keys.is_empty() {
            return Ok(None);
        }
        if settings.jwt_issuer.is_empty() || settings.jwt_audience.is_empty() {
            return Err(JwtError::NoIssuer);
        }
        let keys = keys
            .into_iter()
            .map(|(id, key)| Key { id, validation: validation(&key, settings), decoding: key })
            .collect();
        Ok(Some(Self { keys, issuer: settings.jwt_issuer.clone() }))
    }

    /// Who bears a token; `None` if it is not valid, or not valid any more.
    pub(super) fn verify(&self, token: &str) -> Option<Bearer> {
        let header = decode_header(token).ok()?;
        let named = |key: &&Key| header.kid.is_none() || key.id.is_none() || key.id == header.kid;
        let claims = |key: &Key| Some(decode(token, &key.decoding, &key.validation).ok()?.claims);
        let Claims { sub, workspace, scopes, exp } = self.keys.iter().filter(named).find_map(claims)?;
        let bearer = sub.as_deref().unwrap_or(token);
        let parts = [self.issuer.as_bytes(), workspace.as_bytes(), bearer.as_bytes()];
        let token = TokenId(derived_key("jwt", &parts));
        let expires = Timestamp::from_seconds(exp).unwrap_or(Timestamp::END);
        Some(Bearer { token, person: sub.as_deref().map(Arc::from), scopes: scopes.read()?, workspace, expires })
    }
}

fn validation(key: &DecodingKey, settings: &AuthSettings) -> Validation {
    let mut validation = Validation::new_for_family(key.family());
    validation.leeway = settings.jwt_leeway.as_secs();
    validation.validate_nbf = true;
    validation.set_issuer(&[&settings.jwt_issuer]);
    validation.set_audience(&[&settings.jwt_audience]);
    validation.set_required_spec_claims(&["exp", "iss", "aud"]);
    validation
}

impl Words {
    /// The scopes among the words; `None` if there is none. Others are for somebody else.
    fn read(&self) -> Option<Scopes> {
        let words: Vec<&str> = match self {
            Self::List(words) => words.iter().map(String::as_str).collect(),
            Self::Text(text) => text.split([' ', ',']).collect(),
        };
        let named = |scope: &&str| words.iter().any(|word| word.eq_ignore_ascii_case(scope));
        let scopes: Vec<_> = Scope::ALL.into_iter().map(Scope::word).filter(named).collect();
        scopes.join(",").parse().ok()
    }
}

/// Whether a text has the form of such a token: three parts of base64url.
pub(super) fn is_well_formed(text: &str) -> bool {
    let parts = || text.split('.');
    let letter = |letter: u8| letter.is_ascii_alphanumeric() || b"-_".contains(&letter);
    text.len() <= MAX_TOKEN_BYTES
        && parts().count() == 3
        && parts().all(|part| !part.is_empty() && part.bytes().all(letter))
}

fn read_keys(path: &Path) -> Result<Vec<(Option<String>, DecodingKey)>, JwtError> {
    let text = std::fs::read(path).map_err(|error| JwtError::Unreadable(path.to_owned(), error))?;
    let malformed = || JwtError::Malformed(path.to_owned());
    let set: JwkSet = serde_json::from_slice(&text).map_err(|_| malformed())?;
    let key = |jwk: &jsonwebtoken::jwk::Jwk| {
        let key = DecodingKey::from_jwk(jwk).ok().filter(|key| key.family() != AlgorithmFamily::Hmac)?;
        Some((jwk.common.key_id.clone(), key))
    };
    let keys: Option<Vec<_>> = set.keys.iter().filter(|jwk| jwk.is_supported()).map(key).collect();
    keys.filter(|keys| !keys.is_empty()).ok_or_else(malformed)
}

impl std::fmt::Debug for Jwts {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Jwts").field("issuer", &self.issuer).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    use jsonwebtoken::jwk::Jwk;
    use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
    use serde_json::{Value, json};

    use super::*;
    use crate::config::{Secret, Settings};

    const SECRET: &str = "a secret of more than thirty-two bytes";

    /// A private key of the curve P-256, in PKCS #8. It opens nothing but these tests.
    const PRIVATE: &str = "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgvRzwlz/4P5jXVqejWz9Au5X1eVWFSO5lTotrcoNOPz6hRANC\
        AATa5I2SaIqTm0YYhYj2i+sws3vrz7MOoCoN4MiYucm3/RBtKcRIQDZGaYAC8fqVMQlPo+Z/FebrQuIrRDPjZOP0";

    fn settings() -> AuthSettings {
        let mut settings = Settings::with(&[]).unwrap().auth;
        settings.jwt_secret = Some(Secret::new(SECRET.to_owned()));
        settings.jwt_issuer = "https://login.example.com".to_owned();
        settings.jwt_audience = "bluetick".to_owned();
        settings
    }

    fn seconds_from_now(seconds: i64) -> i64 {
        i64::try_from(jsonwebtoken::get_current_timestamp()).unwrap() + seconds
    }

    fn claims() -> Value {
        json!({ "iss": "https://login.example.com", "aud": "bluetick", "exp": seconds_from_now(300), "sub": "ana",
            "workspace": "acme", "scopes": "openid read personal" })
    }

    fn signed(claims: &Value, secret: &str) -> String {
        encode(&Header::new(Algorithm::HS256), claims, &EncodingKey::from_secret(secret.as_bytes())).unwrap()
    }

    fn verify(token: &str) -> Option<Bearer> {
        Jwts::new(&settings()).unwrap().unwrap().verify(token)
    }

    #[test]
    fn a_good_token_tells_who_bears_it() {
        let bearer = verify(&signed(&claims(), SECRET)).unwrap();
        assert_eq!((bearer.workspace.as_str(), bearer.scopes), ("acme", "read,personal".parse().unwrap()));
        let mut later = claims();
        later["exp"] = json!(seconds_from_now(600));
        later["scopes"] = json!(["WRITE", "unknown"]);
        let again = verify(&signed(&later, SECRET)).unwrap();
        assert_eq!((again.token, again.scopes), (bearer.token, "write".parse().unwrap()));
        later["sub"] = json!("ben");
        assert_ne!(verify(&signed(&later, SECRET)).unwrap().token, bearer.token);
        let mut elsewhere = claims();
        elsewhere["workspace"] = json!("other");
        assert_ne!(verify(&signed(&elsewhere, SECRET)).unwrap().token, bearer.token);
    }

    #[test]
    fn any_other_token_is_nobodys() {
        assert_eq!(verify(&signed(&claims(), "another secret of more than thirty-two bytes")), None);
        for (claim, value) in [
            ("iss", json!("https://evil.example.com")),
            ("iss", Value::Null),
            ("aud", json!("somebody else")),
            ("aud", Value::Null),
            ("exp", json!(seconds_from_now(-120))),
            ("exp", Value::Null),
            ("nbf", json!(seconds_from_now(120))),
            ("workspace", Value::Null),
            ("scopes", json!("")),
            ("scopes", json!(["owner"])),
        ] {
            let mut claims = claims();
            match &value {
                Value::Null => drop(claims.as_object_mut().unwrap().remove(claim)),
                value => claims[claim] = value.clone(),
            }
            assert_eq!(verify(&signed(&claims, SECRET)), None, "{claim} {value}");
        }
        let unsigned = "eyJhbGciOiJub25lIn0.e30.";
        assert_eq!(verify(unsigned), None);
    }

    #[test]
    fn a_little_is_allowed_for_clocks_that_differ() {
        let mut late = claims();
        late["exp"] = json!(seconds_from_now(-10));
        assert!(verify(&signed(&late, SECRET)).is_some());
    }

    #[test]
    fn a_public_key_never_passes_for_a_secret() {
        let private = EncodingKey::from_ec_der(&STANDARD.decode(PRIVATE).unwrap());
        let mut public = Jwk::from_encoding_key(&private, Algorithm::ES256).unwrap();
        public.common.key_id = Some("1".to_owned());
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), json!({ "keys": [public] }).to_string()).unwrap();
        let mut settings = settings();
        settings.jwt_secret = None;
        settings.jwt_keys = Some(file.path().to_owned());
        let jwts = Jwts::new(&settings).unwrap().unwrap();
        let mut header = Header::new(Algorithm::ES256);
        for (id, known) in [(None, true), (Some("1"), true), (Some("2"), false)] {
            header.kid = id.map(str::to_owned);
            let token = encode(&header, &claims(), &private).unwrap();
            assert_eq!(jwts.verify(&token).is_some(), known, "{id:?}");
        }
        let text = serde_json::to_value(&public).unwrap();
        for secret in [text["x"].as_str().unwrap(), text["y"].as_str().unwrap(), &text.to_string()] {
            assert_eq!(jwts.verify(&signed(&claims(), secret)), None);
        }
        let secret = json!({ "keys": [{ "kty": "oct", "k": "c2VjcmV0" }] }).to_string();
        for wrong in ["", "{}", "{\"keys\": []}", &secret] {
            std::fs::write(file.path(), wrong).unwrap();
            assert!(matches!(Jwts::new(&settings), Err(JwtError::Malformed(_))), "{wrong}");
        }
    }

    #[test]
    fn what_would_accept_anybody_is_refused_at_the_start() {
        let mut short = settings();
        short.jwt_secret = Some(Secret::new("short".to_owned()));
        assert!(matches!(Jwts::new(&short), Err(JwtError::ShortSecret)));
        for change in [
            |settings: &mut AuthSettings| settings.jwt_issuer.clear(),
            |settings: &mut AuthSettings| settings.jwt_audience.clear(),
        ] {
            let mut open = settings();
            change(&mut open);
            assert!(matches!(Jwts::new(&open), Err(JwtError::NoIssuer)));
        }
        assert!(Jwts::new(&Settings::with(&[]).unwrap().auth).unwrap().is_none());
    }

    #[test]
    fn three_parts_of_base64url_are_well_formed() {
        assert!(is_well_formed("a.b-_.c"));
        for text in ["", "a.b", "a..c", "a.b.c.d", "a.b.ç", &format!("a.{}.c", "b".repeat(MAX_TOKEN_BYTES))] {
            assert!(!is_well_formed(text), "{text}");
        }
    }
}
