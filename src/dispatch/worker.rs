//! A worker serves one line while it holds its lease: it claims messages ahead, calls the provider at the line's pace, and
//! settles the outcomes. All three go on side by side, so that neither a slow answer nor a slow commit holds up the next call.

use std::collections::VecDeque;
use std::future::pending;
use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::call::{Finished, News, call};
use super::desk::{Deadline, Desk, Taken};
use super::dispatcher::Inner;
use super::pace::Pace;
use super::pairs::Pairs;
use crate::domain::id::SendId;
use crate::domain::line::LineStop;
use crate::recorder::RecordError;
use crate::storage::outbox::{self, Claimed, LineToServe};
use crate::storage::{StorageError, leases};

/// The most concurrent calls on one line: the highest rate that WhatsApp grants, with answers that take a second.
const MAX_IN_FLIGHT: usize = 1_000;
/// The share of a second's messages that one claim takes. A claim is made when half of the last one is left, so that a crash
/// leaves little claimed.
const CLAIMS_PER_SECOND: u32 = 8;
/// The number of finished calls from which they are settled, even though other calls are pending.
const SETTLE_BATCH_SIZE: usize = 50;

/// Why a worker stops serving its line for now.
#[derive(Debug, thiserror::Error)]
pub(super) enum WorkerError {
    #[error("cannot read or write the outbox")]
    Storage(#[from] StorageError),
    #[error("cannot record facts")]
    Record(#[from] RecordError),
}

/// The limits of a line. The node keeps them while it serves the line again and again; whoever takes the line over starts
/// afresh.
pub(super) struct Limits {
    pace: Pace,
    pairs: Arc<Pairs>,
    /// The send whose turn was the last.
    last_turn: Option<SendId>,
    /// The epoch of the lease under which they were last used.
    epoch: i64,
}

/// Something that goes on beside the calls.
type Aside<'a, T> = Option<BoxFuture<'a, Result<T, WorkerError>>>;

struct Worker<'a> {
    desk: &'a Desk<'a>,
    limits: &'a mut Limits,
    /// No call begins after it.
    deadline: Deadline,
    /// The most messages of one claim.
    limit: u32,
    /// Messages that are claimed and announced.
    ready: VecDeque<Claimed>,
    /// Pending calls.
    calls: FuturesUnordered<BoxFuture<'a, Finished>>,
    /// Finished calls whose outbox rows are still to be settled.
    finished: Vec<Finished>,
    claiming: Aside<'a, Option<Taken>>,
    settling: Aside<'a, ()>,
    /// When to look for due messages again, after a claim that found none.
    looks_again: Option<Instant>,
    /// Whether the line is stopped, and a single message is sent to see whether it still has to be.
    probing: bool,
    /// Why nothing more is claimed or called, if so.
    end: Option<End>,
}

/// Why a worker comes to its end.
#[derive(Debug)]
enum End {
    /// The server shuts down, or another node has the lease.
    Leave,
    /// The provider allows no more messages on the line.
    Stop(LineStop),
}

/// Serves a line until nothing is due on it, it is stopped, another node holds its lease, or `shutdown`.
pub(super) async fn serve(
    inner: &Arc<Inner>,
    line: LineToServe,
    shutdown: &CancellationToken,
) -> Result<(), WorkerError> {
    let parts = &inner.parts;
    let deadline = Deadline::after(parts.settings.lease, &*parts.clock);
    let Some(lease) = leases::take(&parts.db, line.id, inner.owner, parts.settings.lease).await? else {
        return Ok(());
    };
    let mut limits = inner.take_limits(line.id).filter(|limits| limits.epoch + 1 == lease.epoch).unwrap_or_default();
    limits.epoch = lease.epoch;
    let desk = Desk { inner, line: Arc::new(line), lease, pairs: Arc::clone(&limits.pairs) };
    let served = async {
        outbox::take_back(&parts.db, lease).await?;
        Worker::new(&desk, &mut limits, deadline).serve(shutdown).await
    };
    let served = served.await;
    inner.keep_limits(desk.line.id, limits);
    if served.is_ok() {
        leases::release(&parts.db, lease).await?;
    }
    // Otherwise the lease expires, which makes the line be served again: something may be claimed that was never announced.
    served
}

impl<'a> Worker<'a> {
    fn new(desk: &'a Desk<'a>, limits: &'a mut Limits, deadline: Deadline) -> Self {
        Self {
            desk,
            limits,
            deadline,
            limit: 1,
            ready: VecDeque::new(),
            calls: FuturesUnordered::new(),
            finished: Vec::new(),
            claiming: None,
            settling: None,
            looks_again: None,
            probing: false,
            end: None,
        }
    }

    async fn serve(mut self, shutdown: &CancellationToken) -> Result<(), WorkerError> {
        let served = self.work(shutdown).await;
        // Whatever happened, no call is abandoned, and what was not called is queued again.
        if let Some(claiming) = self.claiming.take()
            && let Ok(Some(taken)) = claiming.await
        {
            self.ready.extend(taken.ready);
        }
        let settled = match self.settling.take() {
            Some(settling) => settling.await,
            None => Ok(()),
        };
        self.finished.extend(self.calls.collect::<Vec<_>>().await);
        let stop = self.finished.iter().find_map(Finished::stop).cloned();
        let given_back = self.desk.settle(self.finished, self.ready.into()).await;
        let stop = stop.or(match self.end {
            Some(End::Stop(stop)) => Some(stop),
            _ => None,
        });
        if let Some(stop) = stop {
            self.desk.stop(&stop).await?;
        }
        served.and(settled).and(given_back)
    }

    /// Works until nothing is left to do or there is a reason to end.
    async fn work(&mut self, shutdown: &CancellationToken) -> Result<(), WorkerError> {
        while self.end.is_none() {
            self.begin_claiming();
            self.begin_settling();
            if self.is_idle() {
                return Ok(());
            }
            let may_call = !self.ready.is_empty() && self.calls.len() < MAX_IN_FLIGHT;
            let lease = self.desk.inner.parts.settings.lease;
            tokio::select! {
                biased;
                () = shutdown.cancelled() => self.end = Some(End::Leave),
                Some(finished) = self.calls.next() => self.note(finished).await?,
                taken = aside(&mut self.claiming) => self.take(taken?),
                settled = aside(&mut self.settling) => settled?,
                () = self.limits.pace.turn(), if may_call => self.call().await?,
                () = sleep_until(self.looks_again.unwrap_or_else(Instant::now)), if self.looks_again.is_some() => {
                    self.looks_again = None;
                }
                () = sleep_until(self.deadline.instant - lease / 2) => self.keep().await?,
            }
        }
        Ok(())
    }

    /// Whether nothing is due and nothing is under way.
    fn is_idle(&self) -> bool {
        let waits = self.claiming.is_some() || self.settling.is_some() || !self.calls.is_empty();
        self.looks_again.is_some() && !waits && self.ready.is_empty() && self.finished.is_empty()
    }

    /// Claims more messages when few are left. A probe must be answered first.
    fn begin_claiming(&mut self) {
        let enough = self.ready.len() > self.limit as usize / 2;
        let probing = self.probing && !(self.calls.is_empty() && self.ready.is_empty());
        if self.claiming.is_none() && self.looks_again.is_none() && !enough && !probing {
            self.claiming = Some(self.desk.claim(self.limit, self.limits.last_turn).boxed());
        }
    }

    /// Settles finished calls, one batch after the other.
    fn begin_settling(&mut self) {
        let enough = self.finished.len() >= SETTLE_BATCH_SIZE || self.calls.is_empty();
        if self.settling.is_none() && enough && !self.finished.is_empty() {
            let finished = std::mem::take(&mut self.finished);
            self.settling = Some(self.desk.settle(finished, Vec::new()).boxed());
        }
    }

    fn take(&mut self, taken: Option<Taken>) {
        let Some(taken) = taken else {
            self.end = Some(End::Leave);
            return;
        };
        let poll_interval = self.desk.inner.parts.settings.poll_interval;
        self.looks_again = taken.nothing_due.then(|| Instant::now() + poll_interval);
        self.deadline = taken.deadline;
        self.limit = taken.messages_per_second.div_ceil(CLAIMS_PER_SECOND);
        self.limits.pace.set_rate(taken.messages_per_second);
        self.limits.pace.recover(Instant::now());
        self.limits.last_turn = taken.last_turn.or(self.limits.last_turn);
        self.probing = taken.probing;
        self.ready.extend(taken.ready);
    }

    /// Begins a call, under a lease that is surely held until the call is written, which may take some time to connect.
    async fn call(&mut self) -> Result<(), WorkerError> {
        let parts = &self.desk.inner.parts;
        while self.end.is_none() && !self.deadline.leaves(parts.settings.lease / 2, &*parts.clock) {
            self.keep().await?;
        }
        if self.end.is_none()
            && let Some(claimed) = self.ready.pop_front()
        {
            self.calls.push(call(&self.desk.inner.parts, Arc::clone(&self.desk.line), claimed).boxed());
        }
        Ok(())
    }

    async fn keep(&mut self) -> Result<(), WorkerError> {
        match self.desk.keep().await? {
            Some(deadline) => self.deadline = deadline,
            None => self.end = Some(End::Leave),
        }
        Ok(())
    }

    /// Draws the consequences of an answer for the line.
    async fn note(&mut self, finished: Finished) -> Result<(), WorkerError> {
        match &finished.news {
            News::Stopped(stop) => self.end = Some(End::Stop(stop.clone())),
            News::TooFast(asked) => self.limits.pace.slow_down(Instant::now(), *asked),
            News::Works if self.probing => {
                self.desk.resume().await?;
                self.probing = false;
            }
            News::Works | News::Silent => {}
        }
        if self.probing && self.end.is_none() {
            // The probe tells nothing: the line stays as it is until the next one.
            self.end = Some(End::Leave);
            self.desk.probe_later().await?;
        }
        self.finished.push(finished);
        Ok(())
    }
}

impl Default for Limits {
    fn default() -> Self {
        // The first claim tells the rate.
        Self { pace: Pace::new(1, Instant::now()), pairs: Arc::new(Pairs::new()), last_turn: None, epoch: 0 }
    }
}

/// What goes on aside, once it has ended; never, if nothing does.
async fn aside<T>(going_on: &mut Aside<'_, T>) -> Result<T, WorkerError> {
    let Some(future) = going_on else { return pending().await };
    let ended = future.await;
    *going_on = None;
    ended
}
