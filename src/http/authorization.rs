//! The bearer token of a request, and the viewer it identifies.

use std::time::Duration;

use axum::http::HeaderMap;
use axum::http::header::{AUTHORIZATION, HeaderValue, WWW_AUTHENTICATE};
use tokio::time::sleep;

use super::refusal::{Kind, Refusal};
use crate::auth::{Tokens, Viewer};

/// Who sent a request with this head.
pub(super) async fn viewer(tokens: &Tokens, headers: &HeaderMap) -> Result<Viewer, Refusal> {
    let Some(token) = token(headers) else {
        return Err(unauthenticated("A token is required: send the header \"Authorization: Bearer <token>\""));
    };
    match tokens.viewer(token).await {
        Ok(Some(viewer)) => Ok(viewer),
        Ok(None) => Err(unauthenticated("The token is unknown or was revoked")),
        Err(cause) => Err(Refusal::unavailable().because(cause)),
    }
}

/// The token of a request with this head.
pub(super) fn token(headers: &HeaderMap) -> Option<&str> {
    headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()).and_then(bearer)
}

/// Waits until the token stands no longer for the viewer. While that cannot be found out, it stands.
pub(super) async fn revoked(tokens: Tokens, token: String, viewer: Viewer, every: Duration) {
    loop {
        sleep(every).await;
        match tokens.viewer(&token).await {
            Ok(now) if now.as_ref() != Some(&viewer) => return,
            _ => {}
        }
    }
}

/// The token in `Bearer <token>`.
pub(super) fn bearer(credentials: &str) -> Option<&str> {
    let (scheme, token) = credentials.trim().split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
}

/// A refusal of somebody who has not shown who they are.
pub(super) fn unauthenticated(message: &'static str) -> Refusal {
    Refusal::new(Kind::Unauthenticated, message).with_header(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))
}
