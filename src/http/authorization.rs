//! The bearer token of a request, and the viewer it identifies.

use std::sync::Arc;
use std::time::Duration;

use axum::http::HeaderMap;
use axum::http::header::{AUTHORIZATION, HeaderValue, WWW_AUTHENTICATE};
use tokio::time::sleep;

use super::refusal::{Kind, Refusal};
use crate::auth::{Tokens, Viewer};
use crate::storage::StorageError;

/// Who opens a stream with a token: that of the head, or one in the address.
pub(super) async fn viewer_of_stream(tokens: &Tokens, token: Option<&str>) -> Result<Viewer, Refusal> {
    match token {
        Some(token) => known(tokens.viewer_of_stream(token).await),
        None => Err(none()),
    }
}

/// Who sent a request with this head.
pub(super) async fn viewer(tokens: &Tokens, headers: &HeaderMap) -> Result<Viewer, Refusal> {
    match token(headers) {
        Some(token) => known(tokens.viewer(token).await),
        None => Err(none()),
    }
}

fn known(viewer: Result<Option<Viewer>, Arc<StorageError>>) -> Result<Viewer, Refusal> {
    match viewer {
        Ok(Some(viewer)) => Ok(viewer),
        Ok(None) => Err(unauthenticated("The token is unknown, expired or revoked")),
        Err(cause) => Err(Refusal::unavailable().because(cause)),
    }
}

fn none() -> Refusal {
    unauthenticated("A token is required: send the header \"Authorization: Bearer <token>\"")
}

/// The token of a request with this head.
pub(super) fn token(headers: &HeaderMap) -> Option<&str> {
    headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()).and_then(bearer)
}

/// Waits until the token stands no longer for the viewer. While that cannot be found out, it stands.
pub(super) async fn revoked(tokens: Tokens, token: String, viewer: Viewer, every: Duration) {
    loop {
        sleep(every).await;
        if let Ok(false) = tokens.stands(&token, &viewer).await {
            return;
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
