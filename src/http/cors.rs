//! Which pages of other origins may call this server from a browser: those of the settings, and by default none.
//!
//! Nothing that a browser sends by itself opens anything, so what is allowed here is to read answers, never to act in
//! somebody's name.

use std::time::Duration;

use axum::http::Method;
use axum::http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER};
use tower_http::cors::{AllowOrigin, CorsLayer};

use super::boundary::REQUEST_ID;

/// How long browsers remember what is allowed.
const MAX_AGE: Duration = Duration::from_hours(1);

/// The layer for these origins; `None` if there are none.
pub(super) fn layer(origins: &[String]) -> Option<CorsLayer> {
    let named = origins.iter().filter_map(|origin| origin.parse::<HeaderValue>().ok());
    let allowed = match origins {
        [] => return None,
        _ if origins.iter().any(|origin| origin == "*") => AllowOrigin::any(),
        _ => AllowOrigin::list(named),
    };
    let last_event_id = HeaderName::from_static("last-event-id");
    let budget = [HeaderName::from_static("ratelimit"), HeaderName::from_static("ratelimit-policy")];
    let layer = CorsLayer::new()
        .allow_origin(allowed)
        .allow_methods([Method::GET, Method::POST])
        .allow_headers([ACCEPT, AUTHORIZATION, CONTENT_TYPE, last_event_id, REQUEST_ID])
        .expose_headers(budget.into_iter().chain([RETRY_AFTER, REQUEST_ID]).collect::<Vec<_>>())
        .max_age(MAX_AGE);
    Some(layer)
}
