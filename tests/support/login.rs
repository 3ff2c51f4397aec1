//! Another login, whose JSON Web Tokens the server accepts.

use serde_json::json;

use super::client::Client;

const SECRET: &str = "a secret that the login knows as well";
const ISSUER: &str = "https://login.example.com";

/// The settings with which the server accepts them.
pub(crate) const SETTINGS: [(&str, &str); 4] = [
    ("auth.jwt_secret", SECRET),
    ("auth.jwt_issuer", ISSUER),
    ("auth.jwt_audience", "bluetick"),
    ("auth.jwt_leeway_seconds", "1"),
];

/// A client of the same server with a token of a person called ana, which expires in so many seconds.
pub(crate) fn ana(client: &Client, workspace: &str, scopes: &str, seconds: u64) -> Client {
    let expires = jsonwebtoken::get_current_timestamp() + seconds;
    let claims = json!({ "iss": ISSUER, "aud": "bluetick", "sub": "ana", "exp": expires, "workspace": workspace,
        "scopes": scopes });
    let key = jsonwebtoken::EncodingKey::from_secret(SECRET.as_bytes());
    client.with_token(Some(&jsonwebtoken::encode(&jsonwebtoken::Header::default(), &claims, &key).unwrap()))
}
