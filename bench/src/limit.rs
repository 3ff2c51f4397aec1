//! The practical limit: a server written by hand for exactly the requests that are measured, on axum and sqlx.
//!
//! It has no GraphQL, no tenants, no tokens and no layers; each request is as few statements as it can be, of a fixed text
//! each, whose rows go straight into the answer. It answers the very JSON that Bluetick answers, which is compared before
//! anything is measured.

mod conversations;
mod fact;
mod history;
mod live;
mod metrics;
mod text;
mod users;

use std::sync::Arc;

use axum::Router;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde::Serialize;
use tokio::net::TcpListener;

use crate::Result;
use crate::database::{CONNECTIONS, Pool};

/// What the handlers share.
struct Limit {
    pool: Pool,
    /// SQLite has one writer.
    writer: Pool,
    live: live::Live,
}

/// An answer in the shape of a GraphQL response.
#[derive(Serialize)]
struct Answer<T> {
    data: T,
}

/// Any failure: the benchmark only wants to know that there was one.
struct Failed(String);

type Answered<T> = Result<axum::Json<Answer<T>>, Failed>;

/// Serves until the process is ended.
pub(crate) async fn serve(url: &str, listen: &str) -> Result<()> {
    let pool = Pool::connect(url, CONNECTIONS).await?;
    let writer = match &pool {
        Pool::Postgres(_) => pool.clone(),
        Pool::Sqlite(_) => Pool::connect(url, 1).await?,
    };
    let limit = Arc::new(Limit { pool, writer, live: live::Live::default() });
    let router = Router::new()
        .route("/metrics/{conversation}", get(metrics::tallied))
        .route("/counted/{conversation}", get(metrics::counted))
        .route("/conversations/{workspace}", get(conversations::first))
        .route("/users/{conversation}", get(users::page))
        .route("/history/{user}", get(history::of_user))
        .route("/live/{conversation}", get(live::upgrade))
        .route("/facts", post(fact::receive))
        .with_state(limit);
    Ok(axum::serve(TcpListener::bind(listen).await?, router).await?)
}

const fn answer<T>(data: T) -> axum::Json<Answer<T>> {
    axum::Json(Answer { data })
}

impl<E: std::fmt::Display> From<E> for Failed {
    fn from(error: E) -> Self {
        Self(error.to_string())
    }
}

impl IntoResponse for Failed {
    fn into_response(self) -> Response {
        (StatusCode::INTERNAL_SERVER_ERROR, self.0).into_response()
    }
}
