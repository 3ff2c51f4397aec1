//! A socket whose client is known: one loop that reads what the client says, carries its operations on and writes.
//!
//! All three go side by side, so a client that stops reading does not stop its operations half-way, and cannot hold
//! anything of the database's. It slows nobody but itself, and when it has been silent for too long it is given up.

use std::sync::Arc;

use axum::extract::ws::{Message, WebSocket};
use futures_util::future::BoxFuture;
use futures_util::stream::SplitStream;
use futures_util::{FutureExt, StreamExt};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};

use super::closing::Closing;
use super::greeting::{End, Greeted, hear};
use super::message::{self, FromClient};
use super::running::{Event, Run, Running, Waiting};
use super::writer::Writer;
use crate::auth::Viewer;
use crate::graphql::{Caller, Following};
use crate::http::Services;
use crate::http::authorization::revoked;
use crate::http::departure::{Departure, Step};
use crate::http::operation::{self, Failure, Frame};
use crate::http::refusal::{Kind, Refusal};
use crate::telemetry::RequestId;

/// How many pings a client may leave unanswered. A client may be stopped for a minute and come back.
const MAX_UNANSWERED_PINGS: u32 = 6;

/// A socket whose client is known.
pub(super) struct Session {
    services: Arc<Services>,
    viewer: Viewer,
    reader: SplitStream<WebSocket>,
    writer: Writer,
    running: Running,
    revoked: BoxFuture<'static, ()>,
    keep_alive: Interval,
    heard_at: Instant,
    departure: Departure,
}

/// What the loop waits for.
enum Happening {
    Said(Option<Result<Message, axum::Error>>),
    Came(Run, Event, Waiting),
    Wrote(Result<Option<Waiting>, axum::Error>),
    Tick,
    Revoked,
    Departed(Step),
}

impl Session {
    pub(super) fn new(services: Arc<Services>, greeted: Greeted, socket: WebSocket) -> Self {
        let (sink, reader) = socket.split();
        let Greeted { viewer, token } = greeted;
        let revoked = revoked(services.tokens.clone(), token, viewer.clone(), services.websocket.recheck).boxed();
        let every = services.websocket.keep_alive;
        let mut keep_alive = interval_at(Instant::now() + every, every);
        keep_alive.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self {
            viewer,
            reader,
            writer: Writer::new(sink, services.websocket.queued_bytes.get()),
            running: Running::default(),
            revoked,
            keep_alive,
            heard_at: Instant::now(),
            departure: Departure::new(&services.shutdown),
            services,
        }
    }

    /// Serves the client until one side has had enough; returns what is left to do.
    pub(super) async fn run(mut self) -> (End, Writer, SplitStream<WebSocket>) {
        loop {
            let happening = self.wait().await;
            if let Err(end) = self.handle(happening) {
                return (end, self.writer, self.reader);
            }
        }
    }

    /// What happens next. Frames that are there already are buffered before any is flushed, so that a burst of small ones
    /// goes out in few packets; the buffer is small, and what is read of the client is bounded by what waits for it.
    async fn wait(&mut self) -> Happening {
        tokio::select! {
            biased;
            step = self.departure.step() => Happening::Departed(step),
            () = &mut self.revoked => Happening::Revoked,
            _ = self.keep_alive.tick() => Happening::Tick,
            said = self.reader.next(), if self.writer.has_room() => Happening::Said(said),
            Some((run, event, operation)) = self.running.next() => Happening::Came(run, event, operation),
            wrote = self.writer.write(), if !self.writer.is_written() => Happening::Wrote(wrote),
        }
    }

    fn handle(&mut self, happening: Happening) -> Result<(), End> {
        match happening {
            Happening::Said(said) => self.on_said(said)?,
            Happening::Came(run, event, operation) => self.on_came(&run, event, operation),
            Happening::Wrote(wrote) => {
                if let Some(operation) = wrote.map_err(|_| End::Gone)? {
                    self.running.resume(operation);
                }
            }
            Happening::Tick => self.on_tick()?,
            Happening::Revoked => return Err(Closing::Forbidden.into()),
            Happening::Departed(Step::LastFrames) => {}
            Happening::Departed(Step::Overdue) => self.running.stop_lasting(),
        }
        if self.writer.is_overfull() {
            return Err(Closing::TooSlow.into());
        }
        let done = self.departure.has_begun() && self.running.len() == 0 && self.writer.is_written();
        if done { Err(Closing::GoingAway.into()) } else { Ok(()) }
    }

    fn on_said(&mut self, said: Option<Result<Message, axum::Error>>) -> Result<(), End> {
        self.heard_at = Instant::now();
        match hear(said)? {
            Some(FromClient::Init(_)) => return Err(Closing::TooManyInits.into()),
            Some(FromClient::Ping(payload)) => self.writer.push(message::pong(&payload)),
            Some(FromClient::Subscribe(id, _)) if self.running.has(&id) => return Err(Closing::DuplicateId.into()),
            Some(FromClient::Subscribe(id, request)) => self.subscribe(id, *request),
            Some(FromClient::Complete(id)) => {
                self.running.stop(&id);
                self.writer.forget(&id);
            }
            Some(FromClient::Pong) | None => {}
        }
        Ok(())
    }

    fn subscribe(&mut self, id: String, request: async_graphql::Request) {
        // The client reconnects after the close, and asks again.
        if self.departure.has_begun() {
            return;
        }
        let request_id = RequestId::generate();
        let most = self.services.websocket.operations.get();
        if self.running.len() >= most {
            let message = format!("At most {most} operations may run at once on one socket");
            let refusal = Refusal::new(Kind::TooManyRequests, message);
            return self.writer.push(message::error(&id, &[refusal.error(&request_id)]));
        }
        let caller = Caller { viewer: self.viewer.clone(), request_id: request_id.clone() };
        let following = Following { resume: None, ending: self.departure.ending() };
        self.running.start(id, request_id, self.services.operations.begin(request, caller, following));
    }

    fn on_came(&mut self, run: &Run, event: Event, operation: Waiting) {
        let failed = match event {
            Event::Frame(frame) => match *frame {
                Ok(Frame { response, .. }) if operation::is_refused(&response) => {
                    message::error(&run.id, &response.errors)
                }
                Ok(Frame { response, .. }) => {
                    let frame = message::next(&run.id, &response);
                    return self.writer.push_frame(frame, Arc::clone(&run.id), operation);
                }
                Err(failure) => failure_message(run, failure),
            },
            // It is not complete: a client that finds the socket closed reconnects, and resumes after what it saw last.
            Event::End if self.departure.has_begun() && self.running.is_lasting(run) => {
                return self.running.stop(&run.id);
            }
            Event::End => message::complete(&run.id),
        };
        self.running.stop(&run.id);
        self.writer.push(failed);
    }

    fn on_tick(&mut self) -> Result<(), End> {
        if self.heard_at.elapsed() > self.services.websocket.keep_alive * MAX_UNANSWERED_PINGS {
            return Err(End::Gone);
        }
        // Where something waits to be written, a ping would only wait behind it.
        if self.writer.is_written() {
            self.writer.push(Message::Ping(Vec::new().into()));
        }
        Ok(())
    }
}

fn failure_message(run: &Run, failure: Failure) -> Message {
    message::error(&run.id, &[Refusal::from(failure).error(&run.request_id)])
}
