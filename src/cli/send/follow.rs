//! Follows a send live, over WebSocket, until there is nothing more to see.

use std::sync::Arc;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::http::header::SEC_WEBSOCKET_PROTOCOL;
use tokio_tungstenite::{Connector, MaybeTlsStream, WebSocketStream, connect_async_tls_with_config};

use super::progress::Progress;
use super::server::Server;
use crate::cli::failure::Failure;
use crate::cli::note;
use crate::whatsapp::transport;

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// How a send ended, or that it waits for its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    Completed,
    Canceled,
    Scheduled,
}

/// How following goes wrong.
enum Lost {
    /// The connection broke; the next one begins with how things stand then.
    Connection(Failure),
    /// The server refuses.
    Refused(Failure),
}

const PROTOCOL: &str = "graphql-transport-ws";

const DOCUMENT: &str = "subscription Progress($id: ID!) { sendProgress(sendId: $id, everyMs: 250) { state totalUsers \
     progress { status count } } }";

/// How often in a row a connection may break without anything having been seen.
const ATTEMPTS: u32 = 6;

/// The time between two connections.
const PAUSE: Duration = Duration::from_secs(2);

/// The longest silence of a server, which pings three times as often.
const SILENCE: Duration = Duration::from_mins(1);

/// Follows a send.
pub(super) async fn run(server: &Server, send: &str) -> Result<Ended, Failure> {
    let mut progress = Progress::of_users("Sending");
    let mut broken = 0;
    loop {
        match follow(server, send, &mut progress, &mut broken).await {
            Ok(ended) => return Ok(ended),
            Err(Lost::Refused(failure)) => return Err(failure),
            Err(Lost::Connection(failure)) if broken == ATTEMPTS => return Err(failure),
            Err(Lost::Connection(failure)) => {
                broken += 1;
                note(failure.sentence());
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

async fn follow(server: &Server, send: &str, progress: &mut Progress, broken: &mut u32) -> Result<Ended, Lost> {
    let mut socket = open(server).await?;
    say(&mut socket, json!({ "type": "connection_init", "payload": { "Authorization": server.authorization() } }))
        .await?;
    let subscription = json!({ "query": DOCUMENT, "variables": { "id": send } });
    say(&mut socket, json!({ "type": "subscribe", "id": "1", "payload": subscription })).await?;
    loop {
        let message = hear(&mut socket).await?;
        match message.get("type").and_then(Value::as_str) {
            Some("next") => {
                *broken = 0;
                let send = message.pointer("/payload/data/sendProgress");
                let Some(send) = send.filter(|send| !send.is_null()) else { return Err(refused(&message)) };
                if let Some(ended) = show(send, progress) {
                    return Ok(ended);
                }
            }
            Some("ping") => say(&mut socket, json!({ "type": "pong" })).await?,
            Some("error") => return Err(refused(&message)),
            Some("complete") => return Err(Lost::Connection(Failure::failed("the server stopped telling"))),
            _ => {}
        }
    }
}

/// Shows a frame. Returns how the send ended, if it has.
fn show(send: &Value, progress: &mut Progress) -> Option<Ended> {
    let counts = send.get("progress").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let count = |one: &Value| one.get("count").and_then(Value::as_u64).unwrap_or_default();
    let status = |one: &Value| one.get("status").and_then(Value::as_str).unwrap_or_default().to_lowercase();
    let left: u64 = counts.iter().filter(|one| status(one) != "queued").map(count).sum();
    let shown = counts.iter().filter(|one| count(one) > 0).map(|one| format!("{} {}", status(one), count(one)));
    let state = send.get("state").and_then(Value::as_str).unwrap_or_default();
    let message = format!("{}: {}", state.to_lowercase(), shown.collect::<Vec<_>>().join(", "));
    progress.set(left, send.get("totalUsers").and_then(Value::as_u64), &message);
    match state {
        "COMPLETED" => Some(Ended::Completed),
        "CANCELED" => Some(Ended::Canceled),
        "SCHEDULED" => Some(Ended::Scheduled),
        _ => None,
    }
}

async fn open(server: &Server) -> Result<Socket, Lost> {
    let mut request = server.socket().map_err(Lost::Refused)?.as_str().into_client_request()?;
    request.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(PROTOCOL));
    let tls = transport::tls().map_err(|error| Lost::Refused(error.into()))?;
    let opening = connect_async_tls_with_config(request, None, true, Some(Connector::Rustls(Arc::new(tls))));
    let opened = tokio::time::timeout(SILENCE, opening).await.map_err(|_| silent())?;
    Ok(opened?.0)
}

async fn say(socket: &mut Socket, message: Value) -> Result<(), Lost> {
    Ok(socket.send(Message::text(message.to_string())).await?)
}

async fn hear(socket: &mut Socket) -> Result<Value, Lost> {
    loop {
        match tokio::time::timeout(SILENCE, socket.next()).await.map_err(|_| silent())? {
            Some(Ok(Message::Text(text))) => return Ok(serde_json::from_str(&text).unwrap_or_default()),
            Some(Ok(Message::Close(Some(frame)))) if u16::from(frame.code) >= 4_400 => {
                return Err(Lost::Refused(Failure::failed(format!("the server closed the socket: {}", frame.reason))));
            }
            Some(Ok(Message::Close(_))) | None => {
                return Err(Lost::Connection(Failure::failed("the server closed the socket")));
            }
            Some(Ok(_)) => {}
            Some(Err(error)) => return Err(error.into()),
        }
    }
}

fn silent() -> Lost {
    Lost::Connection(Failure::failed("the server is silent"))
}

fn refused(message: &Value) -> Lost {
    let errors = message.pointer("/payload/0/message").or_else(|| message.pointer("/payload/errors/0/message"));
    Lost::Refused(Failure::failed(errors.and_then(Value::as_str).unwrap_or("the server refused").to_owned()))
}

impl From<tokio_tungstenite::tungstenite::Error> for Lost {
    fn from(error: tokio_tungstenite::tungstenite::Error) -> Self {
        Self::Connection(error.into())
    }
}
