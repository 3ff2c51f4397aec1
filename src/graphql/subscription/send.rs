//! The progress of a send, live.

use std::sync::Arc;

use async_graphql::{Context, ID, Subscription};
use futures_util::{Stream, StreamExt, future};

use super::{DEFAULT_INTERVAL_MS, find, read_every, until};
use crate::auth::Scope;
use crate::domain;
use crate::domain::send::SendState;
use crate::domain::standing::DeploymentStatus;
use crate::domain::tally::Tally;
use crate::graphql::context::{ContextExt, Needs, RequestContext};
use crate::graphql::error::{ApiError, Result};
use crate::graphql::fresh::Fresh;
use crate::graphql::given::Given;
use crate::graphql::input::id::read_send_id;
use crate::graphql::lazy::Lazy;
use crate::graphql::loaders::Loaders;
use crate::graphql::place::Place;
use crate::graphql::types::send::Send;
use crate::live::Progress;

#[derive(Default)]
pub(crate) struct SendSubscription;

/// More than there are states of a send.
const STATES: i64 = 16;

/// A reading, and what it shows.
struct Frame {
    progress: Arc<Progress>,
    seen: Seen,
}

/// What makes a frame worth sending when it differs from the one before.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Seen {
    state: SendState,
    tally: Arc<Tally>,
}

#[Subscription(guard = "Needs(Scope::Read)")]
impl SendSubscription {
    /// A send: as it is now, then whenever its state or progress changes, until it is COMPLETED, or CANCELED with nothing
    /// left in the queue; the subscription then completes.
    async fn send_progress(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The send's id.")] send_id: ID,
        #[graphql(
            desc = "The minimum interval between two frames, in milliseconds: 50 to 60,000.",
            default_with = "Some(Given::new(DEFAULT_INTERVAL_MS))"
        )]
        every_ms: Option<Given<i32>>,
    ) -> Result<impl Stream<Item = Result<Fresh<Send>>>> {
        let every = read_every(every_ms.as_ref())?;
        let send = find_send(ctx, &send_id).await?;
        let request = ctx.request()?;
        let readings = request.backend.hub.send(request.subscriber(), (send.id, send.version), every);
        let frames = news(readings.map(|reading| Ok(Frame::new(request, reading?))));
        Ok(until(frames, is_last).then(async move |frame| Ok(frame?.fresh(request).await)))
    }
}

impl Frame {
    fn new(request: &RequestContext, progress: Arc<Progress>) -> Self {
        let seen = Seen { state: progress.send.state(request.now()), tally: progress.tally.clone() };
        Self { progress, seen }
    }

    /// The send as it was read, with loaders that know it. Equal subscriptions share the reading and so the frame, as long
    /// as it shows the same state: of one reading, that may change with time.
    async fn fresh(self, request: &RequestContext) -> Fresh<Send> {
        let Progress { number, send, tally } = &*self.progress;
        let number = number * STATES + self.seen.state as i64;
        let loaders = Loaders::new(request.tenant.clone());
        loaders.sends().prime(send.id, send.clone()).await;
        loaders.tallies().prime(send.id, tally.clone()).await;
        Fresh::with(loaders, Send(Lazy::Loaded(send.clone()))).shared_as(send.id, number)
    }
}

impl Seen {
    /// Whether nothing of the send will leave the queue any more.
    fn is_over(&self) -> bool {
        match self.state {
            SendState::Completed => true,
            SendState::Canceled => self.tally.with_status(DeploymentStatus::Queued) == 0,
            _ => false,
        }
    }
}

impl AsRef<Seen> for Frame {
    fn as_ref(&self) -> &Seen {
        &self.seen
    }
}

async fn find_send(ctx: &Context<'_>, id: &ID) -> Result<Arc<domain::send::Send>> {
    find(ctx, read_send_id(id, &Place::of("sendId"))?, ApiError::NotFound("send", "sendId")).await
}

/// Frames that differ from the one before.
fn news<F: AsRef<Seen>>(frames: impl Stream<Item = Result<F>>) -> impl Stream<Item = Result<F>> {
    let marked = frames.scan(None, |last, frame| {
        let seen = frame.as_ref().ok().map(|frame| frame.as_ref().clone());
        let same = seen.is_some() && *last == seen;
        *last = seen;
        future::ready(Some((!same).then_some(frame)))
    });
    marked.filter_map(future::ready)
}

/// Whether a frame is the last: an error, or the end of the send.
fn is_last<F: AsRef<Seen>>(frame: &Result<F>) -> bool {
    frame.as_ref().map_or(true, |frame| frame.as_ref().is_over())
}

#[cfg(test)]
mod tests {
    use futures_util::stream;

    use super::*;
    use crate::domain::standing::Cell;

    impl AsRef<Self> for Seen {
        fn as_ref(&self) -> &Self {
            self
        }
    }

    fn seen(state: SendState, queued: i64) -> Seen {
        let tally = [(Cell::QUEUED, queued), (Cell { status: DeploymentStatus::Sent, ..Cell::QUEUED }, 3)];
        Seen { state, tally: Arc::new(tally.into_iter().collect()) }
    }

    #[tokio::test]
    async fn frames_that_tell_nothing_new_are_left_out_and_the_last_one_ends_the_stream() {
        let (one, two) = (seen(SendState::Sending, 2), seen(SendState::Sending, 1));
        let done = seen(SendState::Completed, 0);
        let ticks = [one.clone(), one.clone(), two.clone(), done.clone()].map(Ok);
        let frames = news(stream::iter(ticks).chain(stream::pending()));
        let told: Vec<_> = until(frames, is_last).map(Result::ok).collect().await;
        assert_eq!(told, [Some(one), Some(two), Some(done)]);
    }
}
