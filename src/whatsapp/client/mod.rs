//! The one client of WhatsApp's Cloud API: it makes a call and tells what became of it.
//!
//! It never tries again; whether to is the dispatcher's to decide, from the answer alone. It logs how calls end, never to
//! whom they went, what they said, or under which token.

use std::time::Duration;

use reqwest::header::{AUTHORIZATION, DATE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use reqwest::{Client, Error, Response, Url};

use super::answer::{Answer, retry_after};
use super::template::OutgoingTemplate;
use super::transport::{self, TransportError};
use crate::config::Secret;

/// How to reach the provider.
#[derive(Debug, Clone)]
pub struct CloudApiSettings {
    /// Up to and with the version: `https://graph.facebook.com/v25.0`.
    pub base_url: String,
    /// The token of a system user of the business.
    pub access_token: Secret,
    /// How long connecting may take.
    pub connect_timeout: Duration,
    /// How long a whole call may take, from connecting to the last byte of the answer.
    pub call_timeout: Duration,
}

/// Why a client cannot be made from its settings.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The base URL cannot be called.
    #[error("the provider's base URL is not an http or https URL")]
    BaseUrl,
    /// The token has characters that no HTTP header may have.
    #[error("the provider's access token is empty or has characters that no token has")]
    AccessToken,
    /// The HTTP client cannot be set up.
    #[error("cannot set up calls to the provider")]
    Transport(#[from] TransportError),
}

/// WhatsApp's Cloud API. Clones share their connections.
#[derive(Debug, Clone)]
pub struct CloudApi {
    http: Client,
    base_url: Url,
    authorization: HeaderValue,
}

/// The longest answer that is read; the provider's have some hundred bytes.
const MAX_ANSWER_BYTES: usize = 256 * 1_024;

impl CloudApiSettings {
    /// Settings with the usual time-outs: 5 seconds to connect, 30 for a whole call.
    pub fn new(base_url: impl Into<String>, access_token: Secret) -> Self {
        let base_url = base_url.into();
        Self { base_url, access_token, connect_timeout: Duration::from_secs(5), call_timeout: Duration::from_secs(30) }
    }
}

impl CloudApi {
    /// A client that calls as `settings` say.
    pub fn new(settings: &CloudApiSettings) -> Result<Self, ClientError> {
        Ok(Self {
            http: transport::client(settings.connect_timeout, settings.call_timeout)?,
            base_url: base_url(&settings.base_url)?,
            authorization: authorization(&settings.access_token)?,
        })
    }

    /// Sends a template from the line that the provider calls `phone_number_id`, by one call and no more.
    pub async fn send_template(&self, phone_number_id: &str, message: &OutgoingTemplate) -> Answer {
        let call = self.http.post(self.messages_url(phone_number_id));
        let call = call.header(AUTHORIZATION, self.authorization.clone()).json(&message.body());
        match call.send().await {
            Ok(response) => read(response).await,
            Err(error) => unanswered(&error),
        }
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

fn authorization(token: &Secret) -> Result<HeaderValue, ClientError> {
    let token = token.expose();
    let header = HeaderValue::try_from(format!("Bearer {token}")).ok().filter(|_| !token.trim().is_empty());
    let mut header = header.ok_or(ClientError::AccessToken)?;
    header.set_sensitive(true);
    Ok(header)
}

async fn read(mut response: Response) -> Answer {
    let status = response.status().as_u16();
    let retry_after = asked_wait(response.headers());
    let body = body(&mut response).await;
    let answer = Answer::read(status, retry_after, &body.unwrap_or_default());
    if answer == Answer::Unknown {
        tracing::warn!(http.status = status, "the provider's answer cannot be understood");
    }
    answer
}

fn asked_wait(headers: &HeaderMap) -> Option<Duration> {
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    retry_after(text(RETRY_AFTER)?, text(DATE))
}

/// The whole body; `None` where it breaks off or is longer than any answer of the provider's.
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

/// What a call without an answer means: whether the connection failed tells whether anything was written into it.
fn unanswered(error: &Error) -> Answer {
    let unsent = error.is_connect() || error.is_builder();
    tracing::warn!(call.unsent = unsent, call.timed_out = error.is_timeout(), "the provider did not answer");
    if unsent { Answer::NotSent { retry_after: None } } else { Answer::Unknown }
}

#[cfg(test)]
mod tests;
