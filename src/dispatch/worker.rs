//! A worker serves one line while it holds its lease: it claims messages ahead, calls the provider at the line's pace, and
//! settles the outcomes. All three go on side by side, so that neither a slow answer nor a slow commit holds up the next call.

use std::collections::VecDeque;
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

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
/// How long a finished call waits to be settled together with others.
const SETTLE_INTERVAL: Duration = Duration::from_millis(250);

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
    keeping: Aside<'a, Option<Deadline>>,
    /// Recording what a probe showed.
    probed: Aside<'a, ()>,
    /// When to look for due messages again, after a claim that found none.
    looks_again: Option<Instant>,
    /// When to settle finished calls, however few they are.
    settles_at: Option<Instant>,
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
            keeping: None,
            probed: None,
            looks_again: None,
            settles_at: None,
            probing: false,
            end: None,
        }
    }

    async fn serve(mut self, shutdown: &CancellationToken) -> Result<(), WorkerError> {
        let worked = self.work(shutdown).await;
        let finished = self.finish().await;
        worked.and(finished)
    }

    /// Works until nothing is left to do or there is a reason to end.
    ///
    /// Whatever waits for the database goes on aside, and all of it is polled together: a claim that has begun its transaction
    /// holds the lease's row, for which the renewal of the lease then waits.
    async fn work(&mut self, shutdown: &CancellationToken) -> Result<(), WorkerError> {
        while self.end.is_none() {
            self.begin_keeping();
            self.begin_claiming();
            self.begin_settling();
            if self.is_idle() {
                return Ok(());
            }
            let may_call = !self.ready.is_empty() && self.calls.len() < MAX_IN_FLIGHT && self.holds_lease();
            let renews_at = self.deadline.instant - self.lease() / 2;
            tokio::select! {
                biased;
                () = shutdown.cancelled() => self.end = Some(End::Leave),
                Some(finished) = self.calls.next() => self.note(finished),
                taken = aside(&mut self.claiming) => self.take(taken?),
                kept = aside(&mut self.keeping) => self.keep(kept?),
                settled = aside(&mut self.settling) => settled?,
                recorded = aside(&mut self.probed) => recorded?,
                () = self.limits.pace.turn(), if may_call => self.call(),
                () = until(self.looks_again) => self.looks_again = None,
                () = until(self.settles_at), if self.settling.is_none() => self.settles_at = Some(Instant::now()),
                () = sleep_until(renews_at), if self.keeping.is_none() => {}
            }
        }
        Ok(())
    }

    /// Puts everything away. No call is abandoned, and what was not called is queued again without waiting for the others;
    /// nobody else serves the line meanwhile.
    async fn finish(self) -> Result<(), WorkerError> {
        let Self { desk, ready, calls, finished, claiming, settling, keeping, probed, end, .. } = self;
        // What is not polled any more must not wait for a connection either.
        drop(keeping);
        let stop = match end {
            Some(End::Stop(stop)) => Some(stop),
            _ => finished.iter().find_map(Finished::stop).cloned(),
        };
        let put_away = async {
            let (stopped, claimed, settled, recorded) =
                tokio::join!(desk.stop_if(stop.as_ref()), ended(claiming), ended(settling), ended(probed));
            let mut uncalled = Vec::from(ready);
            let claimed =
                claimed.map(|taken| uncalled.extend(taken.flatten().into_iter().flat_map(|taken| taken.ready)));
            let put_away = desk.settle(finished, uncalled).await;
            stopped.and(claimed).and(settled.map(drop)).and(recorded.map(drop)).and(put_away)
        };
        let pending = async {
            let finished: Vec<Finished> = calls.collect().await;
            let late = finished.iter().find_map(Finished::stop).filter(|_| stop.is_none());
            let stopped = desk.stop_if(late).await;
            let settled = desk.settle(finished, Vec::new()).await;
            stopped.and(settled)
        };
        tokio::select! {
            biased;
            (put_away, pending) = async { tokio::join!(put_away, pending) } => put_away.and(pending),
            () = desk.keep_on() => Ok(()),
        }
    }

    fn lease(&self) -> Duration {
        self.desk.inner.parts.settings.lease
    }

    /// Whether the lease is surely held until a call is written that begins now, which may take some time to connect.
    fn holds_lease(&self) -> bool {
        self.deadline.leaves(self.lease() / 2, &*self.desk.inner.parts.clock)
    }

    /// Whether nothing is due and nothing is under way.
    fn is_idle(&self) -> bool {
        let waits = self.claiming.is_some() || self.settling.is_some() || self.probed.is_some();
        let holds = !self.calls.is_empty() || !self.ready.is_empty() || !self.finished.is_empty();
        self.looks_again.is_some() && !waits && !holds
    }

    fn begin_keeping(&mut self) {
        if self.keeping.is_none() && !self.holds_lease() {
            self.keeping = Some(self.desk.keep().boxed());
        }
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
        let due = self.settles_at.is_some_and(|at| at <= Instant::now());
        let enough = due || self.finished.len() >= SETTLE_BATCH_SIZE || self.calls.is_empty();
        if self.settling.is_none() && enough && !self.finished.is_empty() {
            let finished = std::mem::take(&mut self.finished);
            self.settles_at = None;
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
        self.deadline = self.deadline.later(taken.deadline);
        self.limit = taken.messages_per_second.div_ceil(CLAIMS_PER_SECOND);
        self.limits.pace.set_rate(taken.messages_per_second);
        self.limits.pace.recover(Instant::now());
        self.limits.last_turn = taken.last_turn.or(self.limits.last_turn);
        self.probing = taken.probing;
        self.ready.extend(taken.ready);
    }

    fn keep(&mut self, kept: Option<Deadline>) {
        match kept {
            Some(deadline) => self.deadline = self.deadline.later(deadline),
            None => self.end = Some(End::Leave),
        }
    }

    /// Begins a call.
    fn call(&mut self) {
        if let Some(claimed) = self.ready.pop_front() {
            let (parts, line) = (&self.desk.inner.parts, Arc::clone(&self.desk.line));
            self.calls.push(call(parts, line, claimed, self.deadline).boxed());
        }
    }

    /// Draws the consequences of an answer for the line.
    fn note(&mut self, finished: Finished) {
        match &finished.news {
            News::Stopped(stop) => self.end = Some(End::Stop(stop.clone())),
            News::TooFast(asked) => self.limits.pace.slow_down(Instant::now(), *asked),
            News::Works if self.probing => {
                self.probed = Some(self.desk.resume().boxed());
                self.probing = false;
            }
            News::Works | News::Silent => {}
        }
        if self.probing && self.end.is_none() {
            // The probe tells nothing: the line stays as it is until the next one.
            self.probed = Some(self.desk.probe_later().boxed());
            self.end = Some(End::Leave);
        }
        self.settles_at = self.settles_at.or_else(|| Some(Instant::now() + SETTLE_INTERVAL));
        self.finished.push(finished);
    }
}

impl Default for Limits {
    fn default() -> Self {
        // The first claim tells the rate.
        Self { pace: Pace::new(1, Instant::now()), pairs: Arc::new(Pairs::new()), last_turn: None, epoch: 0 }
    }
}

/// Waits until an instant; for ever, if there is none.
async fn until(instant: Option<Instant>) {
    match instant {
        Some(instant) => sleep_until(instant).await,
        None => pending().await,
    }
}

/// What went on aside, once it has ended; `None` if nothing did.
async fn ended<T>(going_on: Aside<'_, T>) -> Result<Option<T>, WorkerError> {
    match going_on {
        Some(future) => future.await.map(Some),
        None => Ok(None),
    }
}

/// What goes on aside, once it has ended; never, if nothing does.
async fn aside<T>(going_on: &mut Aside<'_, T>) -> Result<T, WorkerError> {
    let Some(future) = going_on else { return pending().await };
    let ended = future.await;
    *going_on = None;
    ended
}
