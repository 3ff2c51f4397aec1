//! `/metrics`: figures for operators, for those who hold the token of the settings.

use std::sync::Arc;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use subtle::ConstantTimeEq;

use super::Services;
use super::authorization;
use super::refusal::{Kind, Refusal};
use crate::telemetry::metrics::connections as count_connections;

/// The type of Prometheus's text format.
const TEXT_FORMAT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// `GET /metrics`.
pub(super) async fn get(State(services): State<Arc<Services>>, headers: HeaderMap) -> Result<Response, Refusal> {
    let Some((token, metrics)) = services.http.metrics_token.as_ref().zip(services.metrics.as_ref()) else {
        return Err(Refusal::new(Kind::NotFound, "There are no metrics here: http.metrics_token is not set"));
    };
    let given = authorization::token(&headers).unwrap_or_default();
    if !bool::from(token.expose().as_bytes().ct_eq(given.as_bytes())) {
        return Err(authorization::unauthenticated("The token of the setting http.metrics_token is required"));
    }
    if let Some((used, idle)) = services.database.connections() {
        count_connections(used, idle);
    }
    let head = [(CONTENT_TYPE, TEXT_FORMAT), (CACHE_CONTROL, "no-store")];
    Ok((head, metrics.render()).into_response())
}
