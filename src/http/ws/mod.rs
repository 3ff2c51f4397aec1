//! `/graphql/ws`: the protocol `graphql-transport-ws`, to the letter.
//!
//! A socket is greeted ([`greeting`]), served ([`session`]) and closed. Its operations are in [`running`], what waits to be
//! written in [`writer`].

mod closing;
mod greeting;
mod message;
mod running;
mod session;
mod writer;

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::http::header::{CONNECTION, HeaderValue, UPGRADE};
use axum::response::Response;
use futures_util::{Sink, SinkExt, Stream, StreamExt};
use tokio::time::timeout;

use self::closing::Closing;
use self::greeting::{End, Greeted, greet};
use self::session::Session;
use super::Services;
use super::refusal::{Kind, Refusal};
use super::sockets::Admission;

const SUBPROTOCOL: &str = "graphql-transport-ws";

/// What a socket buffers each way. Small, as there may be tens of thousands; longer messages still fit.
const BUFFER_BYTES: usize = 4 * 1_024;

/// How long the other side may take to close its end.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(3);

/// `/graphql/ws`.
pub(super) async fn upgrade(
    State(services): State<Arc<Services>>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, Refusal> {
    let max_bytes = services.websocket.message_bytes.get();
    let upgrade = upgrade.map_err(|_| not_a_socket())?.protocols([SUBPROTOCOL]);
    let is_spoken = upgrade.selected_protocol().is_some();
    let upgrade = upgrade.max_message_size(max_bytes).max_frame_size(max_bytes);
    let upgrade = upgrade.read_buffer_size(BUFFER_BYTES).write_buffer_size(BUFFER_BYTES);
    let open = services.shutdown.open_socket();
    Ok(upgrade.on_upgrade(move |socket| async move {
        serve(services, socket, is_spoken).await;
        drop(open);
    }))
}

fn not_a_socket() -> Refusal {
    let refusal = Refusal::new(
        Kind::UpgradeRequired,
        "This address requires WebSocket, with the subprotocol graphql-transport-ws",
    );
    refusal
        .with_header(UPGRADE, HeaderValue::from_static("websocket"))
        .with_header(CONNECTION, HeaderValue::from_static("upgrade"))
}

async fn serve(services: Arc<Services>, mut socket: WebSocket, is_spoken: bool) {
    let greeted = if is_spoken { admit(&mut socket, &services).await } else { Err(Closing::Subprotocol.into()) };
    match greeted {
        Ok((greeted, _admission)) => {
            let (end, writer, reader) = Session::new(services, greeted, socket).run().await;
            close(end, writer.into_sink(), reader).await;
        }
        Err(end) => {
            let (sink, reader) = socket.split();
            close(end, sink, reader).await;
        }
    }
}

/// Finds out who the client is, if there is room for it.
async fn admit(socket: &mut WebSocket, services: &Services) -> Result<(Greeted, Admission), End> {
    let mut admission = services.sockets.admit().map_err(Closing::Full)?;
    let greeted = greet(socket, services).await?;
    admission.count_for(greeted.viewer.token).map_err(Closing::Full)?;
    Ok((greeted, admission))
}

/// Says good-bye, and reads on until the other side has closed too: an end that is closed with something unread is reset,
/// and the other side would not see the good-bye.
async fn close(
    end: End,
    mut sink: impl Sink<Message> + Unpin,
    mut reader: impl Stream<Item = Result<Message, axum::Error>> + Unpin,
) {
    let good_bye = async {
        if let End::Close(closing) = end {
            sink.send(closing.into()).await.ok();
        }
        while let Some(Ok(_)) = reader.next().await {}
    };
    timeout(CLOSE_TIMEOUT, good_bye).await.ok();
}
