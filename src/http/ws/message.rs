//! The messages of `graphql-transport-ws`, read and written.

use async_graphql::{Request, Value};
use axum::extract::ws::Message;
use serde::Serialize;
use serde_json::json;

use super::closing::Closing;
use crate::http::parameters;

/// The longest id of an operation, in bytes: clients send numbers or UUIDs.
const MAX_ID_BYTES: usize = 1_024;

/// What a client says.
#[derive(Debug)]
pub(super) enum FromClient {
    /// The greeting, with what it carries.
    Init(Value),
    /// Asks for a sign of life, that repeats what it carries.
    Ping(Value),
    /// Gives one.
    Pong,
    /// Begins an operation.
    Subscribe(String, Box<Request>),
    /// Ends an operation.
    Complete(String),
}

/// A message about an operation.
#[derive(Serialize)]
struct OfOperation<'a, P> {
    id: &'a str,
    #[serde(rename = "type")]
    kind: &'static str,
    payload: &'a P,
}

/// Reads a client's message.
pub(super) fn read(text: &str) -> Result<FromClient, Closing> {
    let Ok(Value::Object(mut members)) = serde_json::from_str(text) else {
        return Err(Closing::Malformed("A message must be a JSON object"));
    };
    let kind = members.swap_remove("type").unwrap_or_default();
    let payload = members.swap_remove("payload").unwrap_or_default();
    let id = members.swap_remove("id").unwrap_or_default();
    let Value::String(kind) = kind else { return Err(Closing::Malformed("\"type\" must be a string")) };
    match kind.as_str() {
        "connection_init" => Ok(FromClient::Init(object(payload)?)),
        "ping" => Ok(FromClient::Ping(object(payload)?)),
        "pong" => object(payload).map(|_| FromClient::Pong),
        "subscribe" => Ok(FromClient::Subscribe(read_id(id)?, Box::new(request(payload)?))),
        "complete" => Ok(FromClient::Complete(read_id(id)?)),
        _ => Err(Closing::Malformed("The \"type\" of the message is unknown")),
    }
}

fn object(payload: Value) -> Result<Value, Closing> {
    match payload {
        Value::Null | Value::Object(_) => Ok(payload),
        _ => Err(Closing::Malformed("\"payload\" must be an object")),
    }
}

fn read_id(id: Value) -> Result<String, Closing> {
    match id {
        Value::String(id) if (1..=MAX_ID_BYTES).contains(&id.len()) => Ok(id),
        _ => Err(Closing::Malformed("\"id\" must be a non-empty string of at most 1024 bytes")),
    }
}

fn request(payload: Value) -> Result<Request, Closing> {
    parameters::from_value(payload).map_err(|_| Closing::Malformed("\"payload\" is not a GraphQL request"))
}

/// The answer to a good greeting.
pub(super) fn ack() -> Message {
    text(&json!({ "type": "connection_ack" }))
}

/// The answer to a ping.
pub(super) fn pong(payload: &Value) -> Message {
    match payload {
        Value::Null => text(&json!({ "type": "pong" })),
        payload => text(&json!({ "type": "pong", "payload": payload })),
    }
}

/// A result of an operation.
pub(super) fn next(id: &str, response: &impl Serialize) -> Message {
    text(&OfOperation { id, kind: "next", payload: response })
}

/// An operation failed, and has ended.
pub(super) fn error(id: &str, errors: &impl Serialize) -> Message {
    text(&OfOperation { id, kind: "error", payload: errors })
}

/// An operation has ended.
pub(super) fn complete(id: &str) -> Message {
    text(&json!({ "id": id, "type": "complete" }))
}

fn text(message: &impl Serialize) -> Message {
    // What is written here has string keys and finite numbers, so it always can be.
    Message::text(serde_json::to_string(message).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_protocols_messages_are_read() {
        assert!(matches!(read(r#"{"type": "connection_init"}"#), Ok(FromClient::Init(Value::Null))));
        assert!(matches!(read(r#"{"type": "connection_init", "payload": null}"#), Ok(FromClient::Init(Value::Null))));
        assert!(matches!(read(r#"{"type": "ping", "payload": {"a": 1}}"#), Ok(FromClient::Ping(Value::Object(_)))));
        assert!(matches!(read(r#"{"type": "pong"}"#), Ok(FromClient::Pong)));
        let subscribe = read(r#"{"type": "subscribe", "id": "1", "payload": {"query": "{ a }"}}"#);
        assert!(matches!(subscribe, Ok(FromClient::Subscribe(id, request)) if id == "1" && request.query == "{ a }"));
        assert!(matches!(read(r#"{"type": "complete", "id": "1"}"#), Ok(FromClient::Complete(id)) if id == "1"));
    }

    #[test]
    fn anything_else_is_malformed() {
        for text in [
            "",
            "null",
            "[]",
            "{}",
            r#"{"type": 1}"#,
            r#"{"type": "start", "id": "1"}"#,
            r#"{"type": "connection_init", "payload": "Bearer"}"#,
            r#"{"type": "ping", "payload": []}"#,
            r#"{"type": "complete"}"#,
            r#"{"type": "complete", "id": ""}"#,
            r#"{"type": "complete", "id": 1}"#,
            r#"{"type": "subscribe", "id": "1"}"#,
            r#"{"type": "subscribe", "payload": {"query": "{ a }"}}"#,
            r#"{"type": "subscribe", "id": "1", "payload": {"query": "{ a }", "variables": 1}}"#,
        ] {
            assert!(matches!(read(text), Err(Closing::Malformed(_))), "{text}");
        }
        let long = format!(r#"{{"type": "complete", "id": "{}"}}"#, "x".repeat(MAX_ID_BYTES + 1));
        assert!(read(&long).is_err());
    }
}
