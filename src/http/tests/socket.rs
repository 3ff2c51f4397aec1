//! A client of `graphql-transport-ws`, as strict as the protocol.

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use super::server::Server;

/// An open socket.
pub(super) struct Socket(pub(super) WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Socket {
    /// Opens a socket with this sub-protocol, if any.
    pub(super) async fn open(server: &Server, subprotocol: Option<&'static str>) -> Self {
        let mut request = format!("ws://{}/graphql/ws", server.address).into_client_request().unwrap();
        if let Some(subprotocol) = subprotocol {
            request.headers_mut().insert("sec-websocket-protocol", subprotocol.parse().unwrap());
        }
        match connect_async(request).await {
            Ok((socket, _)) => Self(socket),
            Err(error) => panic!("{error}"),
        }
    }

    /// Opens a socket that speaks the protocol and has not greeted yet.
    pub(super) async fn unknown(server: &Server) -> Self {
        Self::open(server, Some("graphql-transport-ws")).await
    }

    /// Opens a socket and greets with the server's token.
    pub(super) async fn greeted(server: &Server) -> Self {
        let mut socket = Self::unknown(server).await;
        socket.greet(&server.token).await;
        assert_eq!(socket.next().await, json!({ "type": "connection_ack" }));
        socket
    }

    /// Says who it is.
    pub(super) async fn greet(&mut self, token: &str) {
        let payload = json!({ "Authorization": format!("Bearer {token}") });
        self.send(&json!({ "type": "connection_init", "payload": payload })).await;
    }

    pub(super) async fn send(&mut self, message: &Value) {
        self.0.send(Message::text(message.to_string())).await.unwrap();
    }

    pub(super) async fn subscribe(&mut self, id: &str, query: &str) {
        self.send(&json!({ "type": "subscribe", "id": id, "payload": { "query": query } })).await;
    }

    /// The next message; signs of life of WebSocket's own are passed over.
    pub(super) async fn next(&mut self) -> Value {
        loop {
            match self.0.next().await {
                Some(Ok(Message::Text(text))) => return serde_json::from_str(&text).unwrap(),
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                other => panic!("{other:?}"),
            }
        }
    }

    /// The code with which the server closes; messages before that are passed over.
    pub(super) async fn closed(&mut self) -> u16 {
        self.closed_because().await.0
    }

    /// The code with which the server closes, and the reason.
    pub(super) async fn closed_because(&mut self) -> (u16, String) {
        loop {
            match self.0.next().await {
                Some(Ok(Message::Close(Some(frame)))) => return (frame.code.into(), frame.reason.to_string()),
                Some(Ok(Message::Close(None)) | Err(Error::Io(_))) | None => panic!("closed without a code"),
                Some(_) => {}
            }
        }
    }
}
