//! The single endpoint, `POST /{version}/{phone-number-id}/messages`, which answers and fails as the provider does.

use std::io;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use futures_util::stream;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::call::{self, Call};
use super::course::Verdict;
use super::error_answer::ErrorAnswer;
use super::provider::{Provider, Receipt};
use crate::config::Secret;

#[derive(Clone)]
struct Endpoint {
    provider: Arc<Provider>,
    stopping: CancellationToken,
}

const NO_SUCH_PATH: i32 = 100;

/// The simulator's routes.
pub(super) fn router(provider: Arc<Provider>, stopping: CancellationToken) -> Router {
    Router::new()
        .route("/{version}/{phone_number_id}/messages", post(send))
        .fallback(|| async { ErrorAnswer::new(NO_SUCH_PATH, "Unsupported request") })
        .with_state(Endpoint { provider, stopping })
}

async fn send(
    State(endpoint): State<Endpoint>,
    Path((_, phone_number_id)): Path<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, ErrorAnswer> {
    let Endpoint { provider, stopping } = endpoint;
    call::check_token(&headers, provider.settings.access_token.as_ref().map(Secret::expose))?;
    let call = Call::read(&body)?;
    let receipt = provider.receive(&phone_number_id, &call).await?;
    tokio::time::sleep(receipt.delay).await;
    match receipt.verdict {
        Verdict::Accept { held } => Ok(Json(accepted(&call, &receipt, held)).into_response()),
        Verdict::Refuse(code) => Err(ErrorAnswer::of_code(code)),
        Verdict::TooMany => Ok((StatusCode::TOO_MANY_REQUESTS, [("retry-after", "1")]).into_response()),
        Verdict::Broken => Ok(StatusCode::INTERNAL_SERVER_ERROR.into_response()),
        Verdict::Cut => Ok(cut().into_response()),
        Verdict::Silent => {
            // The caller gives up long before.
            stopping.cancelled().await;
            Ok(StatusCode::SERVICE_UNAVAILABLE.into_response())
        }
        Verdict::Garbage => Ok("<html>Sorry, something went wrong.</html>".into_response()),
        Verdict::WithoutId => Ok(Json(json!({ "messaging_product": "whatsapp" })).into_response()),
    }
}

fn accepted(call: &Call, receipt: &Receipt, held: bool) -> Value {
    let person = &receipt.subject.person;
    let contact = match &person.wa_id {
        Some(wa_id) => json!({ "input": call.input, "wa_id": wa_id, "user_id": person.user_id }),
        None => json!({ "input": call.input, "user_id": person.user_id }),
    };
    let status = if held { "held_for_quality_assessment" } else { "accepted" };
    json!({
        "messaging_product": "whatsapp",
        "contacts": [contact],
        "messages": [{ "id": receipt.subject.wamid, "message_status": status }],
    })
}

/// A body that fails at its first byte, which makes the server close the connection.
fn cut() -> Body {
    Body::from_stream(stream::iter([Err::<Bytes, _>(io::Error::from(io::ErrorKind::ConnectionReset))]))
}
