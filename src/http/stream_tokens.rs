//! `POST /stream-tokens`: a token that opens subscriptions for a minute, for clients that can give a token only in an address.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, HeaderValue, RETRY_AFTER};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::refusal::{Kind, Refusal};
use super::{Services, authorization};

/// `POST /stream-tokens`.
pub(super) async fn make(State(services): State<Arc<Services>>, headers: HeaderMap) -> Result<Response, Refusal> {
    let viewer = authorization::viewer(&services.tokens, &headers).await?;
    let Some(made) = services.tokens.make_stream_token(&viewer).await? else {
        let refusal =
            Refusal::new(Kind::TooManyRequests, "The token has as many stream tokens as it may; try again later");
        return Err(refusal.with_header(RETRY_AFTER, HeaderValue::from_static("60")));
    };
    let body = json!({ "token": made.token.expose(), "expiresAt": made.expires_at.to_string() });
    Ok((StatusCode::CREATED, [(CACHE_CONTROL, "no-store")], Json(body)).into_response())
}
