//! What happens around every request: it gets an id (its own, or that of its trace), a panic in it is caught, and a refusal is written.

use std::panic::AssertUnwindSafe;

use axum::extract::{MatchedPath, Request};
use axum::http::HeaderMap;
use axum::http::header::{HeaderName, HeaderValue, X_CONTENT_TYPE_OPTIONS};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt;
use tracing::Instrument;

use super::refusal::Refusal;
use crate::telemetry::{RequestId, traces};

/// The header of a request's id, both ways.
pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The header of a request's place in a trace.
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// Carries a request out.
pub(super) async fn guard(mut request: Request, next: Next) -> Response {
    let trace = trace_id(request.headers());
    let given = given_id(request.headers()).or_else(|| trace.as_deref().and_then(RequestId::accept));
    let request_id = given.unwrap_or_else(RequestId::generate);
    request.extensions_mut().insert(request_id.clone());
    let parent = request.headers().get(TRACEPARENT).and_then(|value| value.to_str().ok());
    // An address that we do not know may be anything.
    let route = request.extensions().get::<MatchedPath>().map_or("unknown", MatchedPath::as_str);
    let traced = traces::request(request.method().as_str(), route, parent.filter(|_| trace.is_some()));
    let logged = tracing::info_span!(parent: &traced, "request", request.id = %request_id, trace.id = trace);
    let carried_out = AssertUnwindSafe(next.run(request)).catch_unwind().instrument(logged).await;
    let response = carried_out.unwrap_or_else(|_| Refusal::internal().into_response());
    traces::answered(&traced, response.status().as_u16());
    finish(response, &request_id)
}

fn given_id(headers: &HeaderMap) -> Option<RequestId> {
    headers.get(REQUEST_ID)?.to_str().ok().and_then(RequestId::accept)
}

/// The id of the trace that the request is part of, by the recommendation *Trace Context* of the W3C. A request without an id
/// of its own is known by it.
fn trace_id(headers: &HeaderMap) -> Option<String> {
    let mut parts = headers.get(TRACEPARENT)?.to_str().ok()?.split('-');
    let (version, trace, parent) = (parts.next()?, parts.next()?, parts.next()?);
    let is_hex = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
    let formed = version.len() == 2 && version != "ff" && trace.len() == 32 && parent.len() == 16;
    let meant = trace.bytes().any(|byte| byte != b'0') && [version, trace, parent].into_iter().all(is_hex);
    (formed && meant).then(|| trace.to_owned())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_is_known_by_a_well_formed_header_only() {
        let trace =
            |value: &'static str| trace_id(&HeaderMap::from_iter([(TRACEPARENT, HeaderValue::from_static(value))]));
        let id = "4bf92f3577b34da6a3ce929d0e0e4736";
        assert_eq!(trace("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01").as_deref(), Some(id));
        assert_eq!(trace("01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more").as_deref(), Some(id));
        for malformed in [
            "",
            "00",
            "00-4bf92f3577b34da6a3ce929d0e0e4736",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6-00f067aa0ba902b7-01",
        ] {
            assert_eq!(trace(malformed), None, "{malformed}");
        }
    }
}
