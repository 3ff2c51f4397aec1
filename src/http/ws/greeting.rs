//! The beginning of a socket: the client says who it is.

use std::error::Error;

use async_graphql::Value;
use axum::extract::ws::{Message, WebSocket};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite;

use super::closing::Closing;
use super::message::{self, FromClient};
use crate::auth::{Tokens, Viewer};
use crate::http::Services;
use crate::http::authorization::bearer;
use crate::telemetry::causes;

/// How a socket ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// We close it.
    Close(Closing),
    /// The client has closed it, or is gone.
    Gone,
}

/// Who has greeted.
pub(super) struct Greeted {
    pub(super) viewer: Viewer,
    pub(super) token: String,
}

/// Waits for the greeting and answers it.
pub(super) async fn greet(socket: &mut WebSocket, services: &Services) -> Result<Greeted, End> {
    tokio::select! {
        greeted = timeout(services.websocket.init, listen(socket, &services.tokens)) => {
            greeted.unwrap_or(Err(Closing::InitTimeout.into()))
        }
        () = services.shutdown.begun() => Err(Closing::GoingAway.into()),
    }
}

async fn listen(socket: &mut WebSocket, tokens: &Tokens) -> Result<Greeted, End> {
    loop {
        let heard = hear(socket.recv().await)?;
        match heard {
            Some(FromClient::Init(payload)) => {
                let greeted = identify(&payload, tokens).await?;
                socket.send(message::ack()).await.map_err(|_| End::Gone)?;
                return Ok(greeted);
            }
            Some(FromClient::Ping(payload)) => socket.send(message::pong(&payload)).await.map_err(|_| End::Gone)?,
            Some(FromClient::Subscribe(..)) => return Err(Closing::Unauthorized.into()),
            Some(FromClient::Pong | FromClient::Complete(_)) | None => {}
        }
    }
}

/// What the client says; nothing in a sign of life of WebSocket's own, which is answered beneath us.
pub(super) fn hear(received: Option<Result<Message, axum::Error>>) -> Result<Option<FromClient>, End> {
    match received {
        Some(Ok(Message::Text(text))) => Ok(message::read(&text).map(Some)?),
        Some(Ok(Message::Binary(_))) => Err(Closing::Malformed("A message must be text").into()),
        Some(Ok(Message::Ping(_) | Message::Pong(_))) => Ok(None),
        Some(Err(error)) if is_too_long(&error) => Err(Closing::TooLong.into()),
        Some(Ok(Message::Close(_)) | Err(_)) | None => Err(End::Gone),
    }
}

fn is_too_long(error: &axum::Error) -> bool {
    let cause = error.source().and_then(|cause| cause.downcast_ref());
    matches!(cause, Some(tungstenite::Error::Capacity(_)))
}

async fn identify(payload: &Value, tokens: &Tokens) -> Result<Greeted, End> {
    let token = token(payload).ok_or(Closing::Forbidden)?;
    match tokens.viewer_of_stream(token).await {
        Ok(Some(viewer)) => Ok(Greeted { viewer, token: token.to_owned() }),
        Ok(None) => Err(Closing::Forbidden.into()),
        Err(cause) => {
            tracing::error!(error = %cause, error.causes = ?causes(&*cause), "a token could not be looked up");
            Err(Closing::TryAgain.into())
        }
    }
}

/// The token in a greeting: as the header would be, which is what clients send, or by itself.
fn token(payload: &Value) -> Option<&str> {
    let Value::Object(members) = payload else { return None };
    let text = |name: &str| match members.get(name) {
        Some(Value::String(text)) => Some(text.as_str()),
        _ => None,
    };
    text("Authorization").or_else(|| text("authorization")).and_then(bearer).or_else(|| text("token"))
}

impl From<Closing> for End {
    fn from(closing: Closing) -> Self {
        Self::Close(closing)
    }
}

#[cfg(test)]
mod tests {
    use async_graphql::value;

    use super::*;

    #[test]
    fn a_greeting_holds_the_token_as_a_header_would_or_by_itself() {
        for payload in [
            value!({"Authorization": "Bearer abc"}),
            value!({"authorization": "bearer abc"}),
            value!({"token": "abc"}),
            value!({"Authorization": 1, "token": "abc"}),
        ] {
            assert_eq!(token(&payload), Some("abc"), "{payload}");
        }
        for payload in [Value::Null, value!({}), value!({"Authorization": "abc"}), value!({"token": null})] {
            assert_eq!(token(&payload), None, "{payload}");
        }
    }
}
