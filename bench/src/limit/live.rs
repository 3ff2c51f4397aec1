//! Figures pushed to any number of sockets: read and written out once for all of them, which is the least that can be done.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::ws::{Message, Utf8Bytes, WebSocket, WebSocketUpgrade};
use axum::extract::{Path, State};
use axum::response::Response;
use serde_json::json;
use tokio::sync::watch;
use tokio::task::JoinSet;
use uuid::Uuid;

use super::{Failed, Limit, metrics};

/// How often the database is looked at, as by Bluetick.
const POLL: Duration = Duration::from_millis(50);

/// What is watched.
#[derive(Default)]
pub(super) struct Live(Mutex<Followed>);

#[derive(Default)]
struct Followed {
    frames: HashMap<Uuid, watch::Receiver<Utf8Bytes>>,
    tasks: JoinSet<()>,
}

pub(super) async fn upgrade(
    State(limit): State<Arc<Limit>>,
    Path(id): Path<Uuid>,
    upgrade: WebSocketUpgrade,
) -> Response {
    let frames = follow(&limit, id);
    upgrade.on_upgrade(move |socket| push(socket, frames))
}

fn follow(limit: &Arc<Limit>, id: Uuid) -> watch::Receiver<Utf8Bytes> {
    let mut followed = limit.live.0.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(frames) = followed.frames.get(&id) {
        return frames.clone();
    }
    let (sender, receiver) = watch::channel(Utf8Bytes::default());
    let limit = Arc::clone(limit);
    followed.tasks.spawn(async move {
        let mut ticks = tokio::time::interval(POLL);
        loop {
            ticks.tick().await;
            if let Ok(frame) = frame(&limit, id).await {
                sender.send_if_modified(|known| frame != std::mem::replace(known, frame.clone()));
            }
        }
    });
    followed.frames.insert(id, receiver.clone());
    receiver
}

async fn frame(limit: &Limit, id: Uuid) -> Result<Utf8Bytes, Failed> {
    let figures = metrics::figures(&limit.pool, id).await?;
    let frame = json!({"id": "1", "type": "next", "payload": {"data": {"metricsChanged": figures}}});
    Ok(frame.to_string().into())
}

async fn push(mut socket: WebSocket, mut frames: watch::Receiver<Utf8Bytes>) {
    loop {
        let frame = frames.borrow_and_update().clone();
        if !frame.is_empty() && socket.send(Message::Text(frame)).await.is_err() {
            return;
        }
        if frames.changed().await.is_err() {
            return;
        }
    }
}
