//! How a socket or an event stream leaves when the server ends.

use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, pending};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::Shutdown;

/// How long the last frames of subscriptions may take.
const LAST_FRAMES: Duration = Duration::from_secs(3);

/// The departure of one connection: when its turn comes, its subscriptions give their last frames; what has not ended by
/// itself after some time, such as that of a client that does not read, is ended.
pub(super) struct Departure {
    ending: CancellationToken,
    next: BoxFuture<'static, ()>,
}

/// What is to be done now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// The subscriptions were told to give their last frames.
    LastFrames,
    /// Those that have not ended are to be ended.
    Overdue,
}

impl Departure {
    pub(super) fn new(shutdown: &Shutdown) -> Self {
        Self { ending: CancellationToken::new(), next: shutdown.clone().turn_to_leave().boxed() }
    }

    /// Whether its turn has come.
    pub(super) fn has_begun(&self) -> bool {
        self.ending.is_cancelled()
    }

    /// What tells its subscriptions to give their last frames.
    pub(super) fn ending(&self) -> CancellationToken {
        self.ending.clone()
    }

    /// Waits for the next step. It may be dropped at any time without losing anything.
    pub(super) async fn step(&mut self) -> Step {
        (&mut self.next).await;
        if self.has_begun() {
            self.next = pending().boxed();
            return Step::Overdue;
        }
        self.ending.cancel();
        self.next = sleep(LAST_FRAMES).boxed();
        Step::LastFrames
    }
}
