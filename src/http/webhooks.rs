//! The provider's webhooks. It takes any answer but 200 as a failure, retries for days, and then gives up: so 200 is
//! answered only after the commit, and whatever may succeed later is 503.

use std::sync::Arc;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, Request, State};
use axum::http::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use subtle::ConstantTimeEq;

use super::ingest::{Ingest, IngestError, MAX_UPDATES};
use super::refusal::{Kind, Refusal};
use super::{Services, body};
use crate::config::{Secret, WhatsappSettings};
use crate::whatsapp::signature;

/// Receives webhooks. Without the app secret, all of them are rejected.
#[derive(Clone)]
pub struct Webhooks {
    app_secret: Option<Secret>,
    verify_token: Option<Secret>,
    ingest: Ingest,
}

/// What the provider asks when webhooks are set up.
#[derive(Deserialize)]
pub(super) struct Subscription {
    #[serde(rename = "hub.mode")]
    mode: String,
    #[serde(rename = "hub.verify_token")]
    verify_token: String,
    #[serde(rename = "hub.challenge")]
    challenge: String,
}

impl Webhooks {
    /// Webhooks by these secrets, taken in there.
    pub fn new(settings: &WhatsappSettings, ingest: Ingest) -> Self {
        let WhatsappSettings { app_secret, verify_token, .. } = settings.clone();
        Self { app_secret, verify_token, ingest }
    }

    fn knows(&self, verify_token: &str) -> bool {
        let ours = self.verify_token.as_ref();
        ours.is_some_and(|ours| ours.expose().as_bytes().ct_eq(verify_token.as_bytes()).into())
    }

    fn is_signed(&self, body: &[u8], headers: &HeaderMap) -> bool {
        let claimed = headers.get(signature::HEADER).and_then(|value| value.to_str().ok());
        let (Some(secret), Some(claimed)) = (&self.app_secret, claimed) else { return false };
        signature::verify(secret.expose(), body, claimed)
    }
}

/// `GET /webhooks/whatsapp`: the provider sets webhooks up, and wants its challenge back.
pub(super) async fn subscribe(
    State(services): State<Arc<Services>>,
    asked: Result<Query<Subscription>, QueryRejection>,
) -> Result<Response, Refusal> {
    let Query(asked) = asked.map_err(|_| {
        Refusal::new(Kind::BadRequest, "hub.mode, hub.verify_token and hub.challenge must each be given once")
    })?;
    if asked.mode != "subscribe" || !services.webhooks.knows(&asked.verify_token) {
        return Err(Refusal::new(Kind::Forbidden, "The verify token is wrong, or hub.mode is not subscribe"));
    }
    Ok(([(CONTENT_TYPE, "text/plain; charset=utf-8")], asked.challenge).into_response())
}

/// `POST /webhooks/whatsapp`.
pub(super) async fn receive(State(services): State<Arc<Services>>, request: Request) -> Result<StatusCode, Refusal> {
    let (head, body) = request.into_parts();
    let http = &services.http;
    let body = body::read(body, http.webhook_body_bytes.get(), http.request_timeout).await?;
    if !services.webhooks.is_signed(&body, &head.headers) {
        return Err(Refusal::new(Kind::Unauthenticated, "The signature is missing or wrong"));
    }
    services.webhooks.ingest.take(&body).await?;
    Ok(StatusCode::OK)
}

impl From<IngestError> for Refusal {
    fn from(error: IngestError) -> Self {
        match error {
            IngestError::Malformed(_) => Self::new(Kind::BadRequest, "The body is not well-formed JSON"),
            IngestError::TooMany(count) => {
                let message = format!("A call may contain at most {MAX_UPDATES} updates; this one contains {count}");
                Self::new(Kind::TooLarge, message)
            }
            IngestError::Storage(_) | IngestError::Record(_) => {
                Self::unavailable().with_header(RETRY_AFTER, HeaderValue::from_static("1")).because(Arc::new(error))
            }
        }
    }
}
