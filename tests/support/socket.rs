//! A client of the GraphQL API over WebSocket, by the protocol `graphql-transport-ws`.

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::{TcpSocket, TcpStream};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::handshake::client::Request;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, client_async, connect_async};

use super::client::Client;
use super::wait::soon;

/// A socket.
pub(crate) struct Socket(WebSocketStream<MaybeTlsStream<TcpStream>>);

/// A socket with one operation on it.
pub(crate) struct Subscription(Socket);

impl Socket {
    /// A socket without `connection_init`.
    pub(crate) async fn open(client: &Client) -> Self {
        Self::try_open(client).await.expect("the server opens a socket")
    }

    /// The same; `None` if the server cannot be reached.
    pub(crate) async fn try_open(client: &Client) -> Option<Self> {
        Some(Self(connect_async(upgrade(client)).await.ok()?.0))
    }

    /// A socket for which the client's operating system buffers as little as it can.
    pub(crate) async fn open_narrow(client: &Client) -> Self {
        let connection = TcpSocket::new_v4().unwrap();
        connection.set_recv_buffer_size(1).unwrap();
        let address = client.server.trim_start_matches("http://").parse().unwrap();
        let connection = MaybeTlsStream::Plain(connection.connect(address).await.unwrap());
        Self(client_async(upgrade(client), connection).await.unwrap().0)
    }

    /// Sends `connection_init` with the client's token.
    pub(crate) async fn greet(&mut self, client: &Client) {
        self.say(&greeting(client)).await;
    }

    pub(crate) async fn say(&mut self, message: &Value) {
        assert!(self.try_say(message).await, "the socket is open");
    }

    /// Sends a message; `false` if the socket is broken.
    pub(crate) async fn try_say(&mut self, message: &Value) -> bool {
        self.0.send(Message::text(message.to_string())).await.is_ok()
    }

    /// The server's next message, or the close code if it closes the socket; no code if the connection breaks.
    pub(crate) async fn hear(&mut self) -> Result<Value, Option<u16>> {
        loop {
            match soon("message on the socket", self.0.next()).await {
                Some(Ok(Message::Text(text))) => return Ok(serde_json::from_str(&text).expect("a message is JSON")),
                Some(Ok(Message::Close(frame))) => return Err(frame.map(|frame| frame.code.into())),
                Some(Ok(_)) => {}
                None | Some(Err(_)) => return Err(None),
            }
        }
    }
}

fn upgrade(client: &Client) -> Request {
    let url = format!("{}/graphql/ws", client.server.replacen("http", "ws", 1));
    let mut request = url.into_client_request().unwrap();
    request.headers_mut().insert("sec-websocket-protocol", "graphql-transport-ws".parse().unwrap());
    request
}

impl Client {
    /// Begins a subscription on a socket of its own.
    pub(crate) async fn subscribe(&self, document: &str, variables: Value) -> Subscription {
        self.subscribe_on(Socket::open(self).await, document, variables).await
    }

    /// Begins a subscription on a socket that was not greeted.
    pub(crate) async fn subscribe_on(&self, mut socket: Socket, document: &str, variables: Value) -> Subscription {
        socket.greet(self).await;
        assert_eq!(socket.hear().await, Ok(json!({ "type": "connection_ack" })));
        let payload = json!({ "query": document, "variables": variables });
        socket.say(&json!({ "type": "subscribe", "id": "1", "payload": payload })).await;
        Subscription(socket)
    }
}

impl Subscription {
    /// The next frame, whole; `None` once the subscription has completed.
    pub(crate) async fn result(&mut self) -> Option<Value> {
        let mut message = self.hear().await;
        match message["type"].as_str() {
            Some("next") => Some(message["payload"].take()),
            Some("complete") => None,
            _ => panic!("neither a frame nor an end: {message}"),
        }
    }

    /// The single field of the next frame; `None` once the subscription has completed.
    pub(crate) async fn next(&mut self) -> Option<Value> {
        let result = self.result().await?;
        assert_eq!(result.get("errors"), None);
        let data = result["data"].as_object().expect("a frame has data");
        Some(data.values().next().cloned().expect("a frame has a field"))
    }

    /// The next frame that meets a condition; earlier ones are skipped.
    pub(crate) async fn next_where(&mut self, condition: impl Fn(&Value) -> bool) -> Value {
        loop {
            let frame = self.next().await.expect("the subscription goes on");
            if condition(&frame) {
                return frame;
            }
        }
    }

    /// The errors of a subscription that is refused.
    pub(crate) async fn refusal(&mut self) -> Value {
        let message = self.hear().await;
        match message["type"].as_str() {
            Some("error") => message["payload"][0].clone(),
            Some("next") => message["payload"]["errors"][0].clone(),
            _ => panic!("no error: {message}"),
        }
    }

    /// The close code, once the server closes the socket.
    pub(crate) async fn closed(&mut self) -> Option<u16> {
        loop {
            if let Err(code) = self.0.hear().await {
                return code;
            }
        }
    }

    async fn hear(&mut self) -> Value {
        self.0.hear().await.expect("the socket is open")
    }
}

/// The greeting with a client's token.
pub(crate) fn greeting(client: &Client) -> Value {
    let authorization = client.token.as_ref().map(|token| json!({ "Authorization": format!("Bearer {token}") }));
    json!({ "type": "connection_init", "payload": authorization })
}
