//! What happens around every request: it gets an id, a panic in it is caught, and a refusal is written.

use std::panic::AssertUnwindSafe;

use axum::extract::Request;
use axum::http::HeaderMap;
use axum::http::header::{HeaderName, HeaderValue, X_CONTENT_TYPE_OPTIONS};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt;
use tracing::Instrument;

use super::refusal::Refusal;
use crate::telemetry::RequestId;

/// The header of a request's id, both ways.
pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Carries a request out.
pub(super) async fn guard(mut request: Request, next: Next) -> Response {
    let request_id = given_id(request.headers()).unwrap_or_else(RequestId::generate);
    request.extensions_mut().insert(request_id.clone());
    let span = tracing::info_span!("request", request.id = %request_id);
    let carried_out = AssertUnwindSafe(next.run(request)).catch_unwind().instrument(span).await;
    let response = carried_out.unwrap_or_else(|_| Refusal::internal().into_response());
    finish(response, &request_id)
}

fn given_id(headers: &HeaderMap) -> Option<RequestId> {
    headers.get(REQUEST_ID)?.to_str().ok().and_then(RequestId::accept)
}

fn finish(mut response: Response, request_id: &RequestId) -> Response {
    if let Some(refusal) = response.extensions_mut().remove::<Refusal>() {
        response = refusal.write(request_id);
    }
    let headers = response.headers_mut();
    if let Ok(value) = HeaderValue::from_str(request_id.as_str()) {
        headers.insert(REQUEST_ID, value);
    }
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}
