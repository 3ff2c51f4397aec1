//! HTTP: GraphQL over POST, GET, WebSocket and server-sent events, lists of users, the provider's webhooks, health, and the explorer.
//!
//! What async-graphql leaves to its host is done here: content negotiation, methods, bodies, status codes, sockets, and
//! the end of an operation when its client leaves. async-graphql parses, validates and executes.
//!
//! [`boundary`] surrounds every request; handlers answer or return a [`refusal::Refusal`]; [`operation`] carries GraphQL
//! out and knows nothing of transports. May import everything but `app` and `cli`.

mod authorization;
mod body;
mod boundary;
mod cors;
mod departure;
mod exposition;
mod graphiql;
mod graphql;
mod health;
pub mod ingest;
mod negotiation;
pub mod operation;
mod parameters;
mod refusal;
mod serve;
mod shutdown;
mod sockets;
mod sse;
mod stream_tokens;
#[cfg(test)]
mod tests;
mod uploads;
mod webhooks;
mod ws;

use std::sync::Arc;

use axum::Router;
use axum::middleware::from_fn;
use axum::routing::{any, get, post};

pub use health::Probe;
pub use serve::serve;
pub use shutdown::Shutdown;
pub use sockets::Sockets;
pub use webhooks::Webhooks;

use crate::auth::Tokens;
use crate::config::{HttpSettings, WebsocketSettings};
use crate::dispatch::Uploads;
use crate::telemetry::metrics::Exposition;
use operation::Operations;
use refusal::{Kind, Refusal};

/// What the routes need.
pub struct Services {
    /// Carries GraphQL operations out.
    pub operations: Operations,
    /// Identifies the viewers of tokens.
    pub tokens: Tokens,
    /// Takes webhooks in.
    pub webhooks: Webhooks,
    /// Takes lists of users in.
    pub uploads: Uploads,
    /// What must answer for the server to be ready.
    pub database: Arc<dyn Probe>,
    /// What is counted for operators, if anybody may see it.
    pub metrics: Option<Exposition>,
    /// Limits of requests.
    pub http: HttpSettings,
    /// Whether there is an explorer.
    pub explorer: bool,
    /// Limits of sockets.
    pub websocket: WebsocketSettings,
    /// The sockets that are open.
    pub sockets: Sockets,
    /// The server's end.
    pub shutdown: Shutdown,
}

/// All routes.
pub fn router(services: Services) -> Router {
    let cors = cors::layer(&services.http.cors_origins);
    let explorer = if services.explorer { graphiql::routes() } else { Router::new() };
    let routes = Router::new()
        .route("/graphql", get(graphql::get).post(graphql::post))
        .route("/graphql/ws", any(ws::upgrade))
        .route("/graphql/sse", get(sse::get).post(sse::post))
        .route("/stream-tokens", post(stream_tokens::make))
        .route("/sends", post(uploads::receive))
        .route("/webhooks/whatsapp", get(webhooks::subscribe).post(webhooks::receive))
        .route("/metrics", get(exposition::get))
        .route("/health/live", get(health::live))
        .route("/health/ready", get(health::ready))
        .merge(explorer)
        .fallback(|| async { Refusal::new(Kind::NotFound, "There is nothing at this address") })
        .method_not_allowed_fallback(|| async { Refusal::new(Kind::MethodNotAllowed, "Method not allowed") });
    let routes = match cors {
        Some(cors) => routes.layer(cors),
        None => routes,
    };
    routes.layer(from_fn(boundary::guard)).with_state(Arc::new(services))
}
