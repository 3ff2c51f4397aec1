//! The client of WhatsApp's Cloud API: it makes a call and returns the meaning of the answer.
//!
//! It never retries; the dispatcher decides about that from the answer alone. It logs how calls end, but never recipients,
//! contents or tokens.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{AUTHORIZATION, DATE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use reqwest::{Client, Error, Response, Url};

use super::answer::{Action, Answer, Rejected, retry_after};
use super::outgoing::OutgoingMessage;
use super::transport::{self, TransportError};
use crate::config::Secret;

/// How to call the provider.
#[derive(Debug, Clone)]
pub struct CloudApiSettings {
    /// The base URL including the version, such as `https://graph.facebook.com/v25.0`.
    pub base_url: String,
    /// The access token of a system user of the business, for lines without one of their own.
    pub access_token: Option<Secret>,
    /// The access tokens of single lines, by the provider's ids of the lines.
    pub line_tokens: BTreeMap<String, Secret>,
    /// The timeout for connecting.
    pub connect_timeout: Duration,
    /// The timeout for a whole call, from connecting to the last byte of the answer.
    pub call_timeout: Duration,
}

/// Why a client cannot be created from its settings.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The base URL is not an HTTP URL with a host.
    #[error("the provider's base URL is not an http or https URL")]
    BaseUrl,
    /// The token is empty or has characters that are not allowed in an HTTP header.
    #[error("the provider's access token is empty or contains invalid characters")]
    AccessToken,
    /// The same of the token of a single line.
    #[error("the access token of the line {0} is empty or contains invalid characters")]
    LineAccessToken(String),
    /// The HTTP client cannot be created.
    #[error("cannot create the HTTP client for the provider")]
    Transport(#[from] TransportError),
}

/// The client of the Cloud API. Cheap to clone; clones share their connections.
#[derive(Debug, Clone)]
pub struct CloudApi {
    http: Client,
    base_url: Url,
    authorization: Option<HeaderValue>,
    line_authorizations: Arc<HashMap<String, HeaderValue>>,
}

/// The error of a line without a token.
const NO_TOKEN: &str = "Bluetick has no access token for this line.";

/// The maximum size of an answer. The provider's answers have a few hundred bytes.
const MAX_ANSWER_BYTES: usize = 256 * 1_024;

/// The provider's code for an access token that is missing or invalid.
const INVALID_TOKEN: i32 = 190;

impl CloudApiSettings {
    /// Settings with the default timeouts: 5 seconds to connect, and 30 for a whole call.
    pub fn new(base_url: impl Into<String>, access_token: impl Into<Option<Secret>>) -> Self {
        Self {
            base_url: base_url.into(),
            access_token: access_token.into(),
            line_tokens: BTreeMap::new(),
            connect_timeout: Duration::from_secs(5),
            call_timeout: Duration::from_secs(30),
        }
    }
}

impl CloudApi {
    /// A client with these settings.
    pub fn new(settings: &CloudApiSettings) -> Result<Self, ClientError> {
        let authorization = settings.access_token.as_ref();
        let authorization = authorization.map(|token| authorization_with(token).ok_or(ClientError::AccessToken));
        Ok(Self {
            http: transport::client(settings.connect_timeout, settings.call_timeout)?,
            base_url: base_url(&settings.base_url)?,
            authorization: authorization.transpose()?,
            line_authorizations: Arc::new(line_authorizations(&settings.line_tokens)?),
        })
    }

    /// Sends a message on the line with the provider's id `phone_number_id`, by exactly one call. Without an access
    /// token for the line there is no call, and the answer is the one that a call without a valid token gets.
    pub async fn send(&self, phone_number_id: &str, message: &OutgoingMessage) -> Answer {
        let Some(authorization) = self.authorization_on(phone_number_id) else { return unauthorized() };
        let call = self.http.post(self.messages_url(phone_number_id));
        let call = call.header(AUTHORIZATION, authorization.clone()).json(&message.body());
        match call.send().await {
            Ok(response) => read(response).await,
            Err(error) => unanswered(&error),
        }
    }

    fn authorization_on(&self, phone_number_id: &str) -> Option<&HeaderValue> {
        self.line_authorizations.get(phone_number_id).or(self.authorization.as_ref())
    }

    fn messages_url(&self, phone_number_id: &str) -> Url {
        let mut url = self.base_url.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().push(phone_number_id).push("messages");
        }
        url
    }
}

fn base_url(text: &str) -> Result<Url, ClientError> {
    let url = Url::parse(text).map_err(|_| ClientError::BaseUrl)?;
    let callable = matches!(url.scheme(), "http" | "https") && url.has_host();
    callable.then_some(url).ok_or(ClientError::BaseUrl)
}

/// The header with a token; `None` if the token is empty or has characters that are not allowed in a header.
fn authorization_with(token: &Secret) -> Option<HeaderValue> {
    let token = token.expose();
    let header = HeaderValue::try_from(format!("Bearer {token}")).ok().filter(|_| !token.trim().is_empty());
    let mut header = header?;
    header.set_sensitive(true);
    Some(header)
}

fn line_authorizations(tokens: &BTreeMap<String, Secret>) -> Result<HashMap<String, HeaderValue>, ClientError> {
    let header = |(line, token): (&String, &Secret)| {
        let header = authorization_with(token).ok_or_else(|| ClientError::LineAccessToken(line.clone()))?;
        Ok((line.clone(), header))
    };
    tokens.iter().map(header).collect()
}

/// What the provider answers where no token is valid: the line stops, and its messages stay queued.
fn unauthorized() -> Answer {
    let action = Action::of_provider_code(INVALID_TOKEN);
    Answer::Rejected(Rejected { code: INVALID_TOKEN, text: NO_TOKEN.to_owned(), action, retry_after: None })
}

async fn read(mut response: Response) -> Answer {
    let status = response.status().as_u16();
    let retry_after = asked_wait(response.headers());
    let body = body(&mut response).await;
    let answer = Answer::read(status, retry_after, &body.unwrap_or_default());
    if answer == Answer::Unknown {
        tracing::warn!(http.status = status, "cannot understand the provider's answer");
    }
    answer
}

fn asked_wait(headers: &HeaderMap) -> Option<Duration> {
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    retry_after(text(RETRY_AFTER)?, text(DATE))
}

/// The whole body; `None` if the connection breaks or the body exceeds the maximum size.
async fn body(response: &mut Response) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.ok()? {
        if body.len() + chunk.len() > MAX_ANSWER_BYTES {
            return None;
        }
        body.extend_from_slice(&chunk);
    }
    Some(body)
}

/// The meaning of a call without an answer. If connecting failed, nothing can have been sent.
fn unanswered(error: &Error) -> Answer {
    let unsent = error.is_connect() || error.is_builder();
    tracing::warn!(call.unsent = unsent, call.timed_out = error.is_timeout(), "the provider did not answer");
    if unsent { Answer::NotSent { retry_after: None } } else { Answer::Unknown }
}

#[cfg(test)]
mod tests;
