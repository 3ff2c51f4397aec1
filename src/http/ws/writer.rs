//! What waits to be written to a socket.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::Arc;

use axum::extract::ws::{Message, WebSocket};
use futures_util::SinkExt;
use futures_util::stream::SplitSink;

use super::running::Waiting;

/// How many messages may wait before the client's own are left unread: a client that sends and never reads is answered
/// up to here.
const MAX_PENDING: usize = 256;

/// What waits to be written, and where to.
pub(super) struct Writer {
    sink: SplitSink<WebSocket, Message>,
    pending: VecDeque<Pending>,
    /// How many bytes the pending messages have.
    pending_bytes: usize,
    max_bytes: usize,
    flushed: bool,
}

/// A message, and the operation that waits until it is written.
struct Pending {
    message: Message,
    from: Option<(Arc<str>, Waiting)>,
}

impl Writer {
    /// A writer in which at most `max_bytes` may wait.
    pub(super) const fn new(sink: SplitSink<WebSocket, Message>, max_bytes: usize) -> Self {
        Self { sink, pending: VecDeque::new(), pending_bytes: 0, max_bytes, flushed: true }
    }

    /// Queues a message.
    pub(super) fn push(&mut self, message: Message) {
        self.queue(Pending { message, from: None });
    }

    /// Queues a frame of an operation that goes on when it is written.
    pub(super) fn push_frame(&mut self, message: Message, id: Arc<str>, operation: Waiting) {
        self.queue(Pending { message, from: Some((id, operation)) });
    }

    fn queue(&mut self, pending: Pending) {
        self.flushed = false;
        self.pending_bytes += length(&pending.message);
        self.pending.push_back(pending);
    }

    /// Leaves out what waits of an operation that the client has ended.
    pub(super) fn forget(&mut self, id: &str) {
        self.pending.retain(|pending| !matches!(&pending.from, Some((from, _)) if **from == *id));
        self.pending_bytes = self.pending.iter().map(|pending| length(&pending.message)).sum();
    }

    /// Whether everything is with the operating system.
    pub(super) const fn is_written(&self) -> bool {
        self.flushed
    }

    /// Whether the client may ask for more.
    pub(super) fn has_room(&self) -> bool {
        self.pending.len() < MAX_PENDING
    }

    /// Whether more bytes wait than may.
    pub(super) const fn is_overfull(&self) -> bool {
        self.pending_bytes > self.max_bytes
    }

    /// Writes the next message, or what is buffered of those before; returns the operation that may go on now. It may be
    /// dropped at any time without losing anything.
    pub(super) async fn write(&mut self) -> Result<Option<Waiting>, axum::Error> {
        poll_fn(|context| self.sink.poll_ready_unpin(context)).await?;
        let Some(pending) = self.pending.pop_front() else {
            poll_fn(|context| self.sink.poll_flush_unpin(context)).await?;
            self.flushed = true;
            return Ok(None);
        };
        self.pending_bytes = self.pending_bytes.saturating_sub(length(&pending.message));
        self.sink.start_send_unpin(pending.message)?;
        Ok(pending.from.map(|(_, operation)| operation))
    }

    /// Drops what waits.
    pub(super) fn into_sink(self) -> SplitSink<WebSocket, Message> {
        self.sink
    }
}

/// How many bytes a message has.
fn length(message: &Message) -> usize {
    match message {
        Message::Text(text) => text.len(),
        Message::Binary(bytes) | Message::Ping(bytes) | Message::Pong(bytes) => bytes.len(),
        Message::Close(_) => 0,
    }
}
