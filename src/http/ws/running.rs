//! The operations that run on one socket.
//!
//! Each goes on until it has a frame, and then waits until that frame is written: a client that reads slowly slows its own
//! operations down and holds at most one frame of each, while none of them stands still in the middle of a statement.

use std::collections::HashMap;
use std::sync::Arc;

use futures_util::stream::{AbortHandle, Abortable, BoxStream, FuturesUnordered, StreamFuture, abortable};
use futures_util::{StreamExt, stream};

use crate::http::operation::{Failure, Frame, Operation};
use crate::telemetry::RequestId;

/// One run of an operation. Unlike its id, which the client may use again, it is never used twice on a socket.
#[derive(Debug, Clone)]
pub(super) struct Run {
    /// The client's name for the operation.
    pub(super) id: Arc<str>,
    /// Our name for it.
    pub(super) request_id: RequestId,
    serial: u64,
}

/// What comes of an operation.
pub(super) enum Event {
    /// A result.
    Frame(Box<Result<Frame, Failure>>),
    /// It has ended by itself.
    End,
}

/// An operation whose last frame is not written yet.
pub(super) struct Waiting(Frames);

type Frames = Abortable<BoxStream<'static, (Run, Event)>>;

/// The operations that run on one socket.
#[derive(Default)]
pub(super) struct Running {
    operations: HashMap<Arc<str>, Known>,
    going: FuturesUnordered<StreamFuture<Frames>>,
    serial: u64,
}

struct Known {
    serial: u64,
    lasting: bool,
    stop: AbortHandle,
}

impl Running {
    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.operations.len()
    }

    /// Whether one of this id runs.
    pub(super) fn has(&self, id: &str) -> bool {
        self.operations.contains_key(id)
    }

    /// Whether this run has neither ended nor been stopped.
    fn is_live(&self, run: &Run) -> bool {
        self.operations.get(&run.id).is_some_and(|operation| operation.serial == run.serial)
    }

    /// Begins an operation under an id that is free.
    pub(super) fn start(&mut self, id: String, request_id: RequestId, operation: Operation) {
        self.serial += 1;
        let Operation { frames, lasting } = operation;
        let run = Run { id: id.into(), request_id, serial: self.serial };
        let end = stream::iter([(run.clone(), Event::End)]);
        let id = Arc::clone(&run.id);
        let events = frames.map(move |frame| (run.clone(), Event::Frame(Box::new(frame)))).chain(end).boxed();
        let (events, stop) = abortable(events);
        self.operations.insert(id, Known { serial: self.serial, lasting, stop });
        self.going.push(events.into_future());
    }

    /// What comes next of any of them; nothing where no operation goes on. The operation goes on when it is handed back.
    pub(super) async fn next(&mut self) -> Option<(Run, Event, Waiting)> {
        loop {
            let (event, frames) = self.going.next().await?;
            if let Some((run, event)) = event.filter(|(run, _)| self.is_live(run)) {
                return Some((run, event, Waiting(frames)));
            }
        }
    }

    /// Lets an operation go on.
    pub(super) fn resume(&mut self, Waiting(frames): Waiting) {
        self.going.push(frames.into_future());
    }

    /// Ends an operation; of an id that does not run, nothing.
    pub(super) fn stop(&mut self, id: &str) {
        if let Some(operation) = self.operations.remove(id) {
            operation.stop.abort();
        }
    }

    /// Whether this run is of an operation that goes on until somebody ends it.
    pub(super) fn is_lasting(&self, run: &Run) -> bool {
        self.operations.get(&run.id).is_some_and(|operation| operation.lasting)
    }

    /// Ends all that would last, and leaves those that answer once.
    pub(super) fn stop_lasting(&mut self) {
        self.operations.retain(|_, operation| {
            if operation.lasting {
                operation.stop.abort();
            }
            !operation.lasting
        });
    }
}
