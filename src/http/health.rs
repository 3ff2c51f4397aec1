//! What operators and load balancers ask: does the process live, and should it get requests.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use serde::Serialize;
use tokio::time::timeout;

use super::Services;
use crate::storage::{Database, StorageError};

/// How long the database may take to answer.
const PING_TIMEOUT: Duration = Duration::from_secs(1);

/// What must answer for the server to be ready.
pub trait Probe: Send + Sync + 'static {
    /// Whether it answers.
    fn ping(&self) -> BoxFuture<'_, Result<(), StorageError>>;

    /// How many connections are in use, and idle, where that is known.
    fn connections(&self) -> Option<(usize, usize)> {
        None
    }
}

/// The answer of `/health/ready`.
#[derive(Serialize)]
struct Readiness {
    ready: bool,
    /// What is not ready.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    missing: Vec<&'static str>,
}

impl Probe for Database {
    fn ping(&self) -> BoxFuture<'_, Result<(), StorageError>> {
        self.ping().boxed()
    }

    fn connections(&self) -> Option<(usize, usize)> {
        self.connections()
    }
}

/// `GET /health/live`: the process answers.
pub(super) async fn live() -> Response {
    Json(serde_json::json!({ "live": true })).into_response()
}

/// `GET /health/ready`: requests can be answered. The server listens only once its schema is up to date, so the database
/// and a shutdown are all that can be in the way.
pub(super) async fn ready(State(services): State<Arc<Services>>) -> Response {
    let mut missing = Vec::new();
    if !matches!(timeout(PING_TIMEOUT, services.database.ping()).await, Ok(Ok(()))) {
        missing.push("the database does not respond");
    }
    if services.shutdown.has_begun() {
        missing.push("the server is shutting down");
    }
    let status = if missing.is_empty() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(Readiness { ready: missing.is_empty(), missing })).into_response()
}
