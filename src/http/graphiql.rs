//! The explorer: a page that holds nothing secret. The token is pasted into its header editor, never into its address.
//!
//! Its parts come from a public mirror of npm, each pinned by its hash: what runs on the page is what was reviewed.

use axum::Router;
use axum::http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, REFERRER_POLICY};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

const PAGE: &str = include_str!("graphiql.html");
const SCRIPT: &str = include_str!("graphiql.js");

/// Scripts run from here and from the mirror, and may talk to this server alone: a token that was pasted stays.
const POLICY: &str = "default-src 'none'; script-src 'self' https://unpkg.com; \
    style-src 'unsafe-inline' https://unpkg.com; font-src data: https://unpkg.com; img-src 'self' data:; \
    connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const HEADERS: [(HeaderName, &str); 3] =
    [(CONTENT_TYPE, "text/html; charset=utf-8"), (CONTENT_SECURITY_POLICY, POLICY), (REFERRER_POLICY, "no-referrer")];

/// `/graphiql`, and what it loads from here.
pub(super) fn routes<S: Clone + Send + Sync + 'static>() -> Router<S> {
    Router::new().route("/graphiql", get(page)).route("/graphiql.js", get(script))
}

async fn page() -> Response {
    (HEADERS, PAGE).into_response()
}

async fn script() -> Response {
    ([(CONTENT_TYPE, "text/javascript; charset=utf-8")], SCRIPT).into_response()
}
