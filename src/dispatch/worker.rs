//! A worker serves one line while it holds its lease: it claims messages, records that they are dispatched, calls the provider
//! at the line's rate, and settles the outcomes.

use std::collections::VecDeque;
use std::num::NonZeroU32;
use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use futures_util::stream::{FuturesUnordered, StreamExt};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::call::{Outcome, call, record, refusal};
use super::dispatcher::Inner;
use super::retry::retry;
use crate::domain::clock::Timestamp;
use crate::domain::fact::{Fact, StatusFact, Target};
use crate::domain::failure::OwnFailure;
use crate::domain::id::MessageId;
use crate::domain::merge::MessageFacts;
use crate::recorder::RecordError;
use crate::storage::outbox::{Claimed, Lease, LineToServe};
use crate::storage::{StorageError, outbox};

/// The most concurrent calls on one line.
const MAX_IN_FLIGHT: usize = 256;

/// The number of finished calls from which they are settled, even though other calls are pending.
const SETTLE_BATCH_SIZE: usize = 100;

/// Why a worker stops serving its line for now.
#[derive(Debug, thiserror::Error)]
pub(super) enum WorkerError {
    #[error("cannot read or write the outbox")]
    Storage(#[from] StorageError),
    #[error("cannot record facts")]
    Record(#[from] RecordError),
    #[error("the provider rejects all messages of the line with code {0}")]
    Line(i32),
}

struct Worker<'a> {
    inner: &'a Inner,
    line: Arc<LineToServe>,
    limiter: DefaultDirectRateLimiter,
    lease: Lease,
    /// No call begins after this instant.
    deadline: Instant,
}

/// The messages that a worker is processing.
#[derive(Default)]
struct Round<'a> {
    /// Claimed messages that are still to be sent.
    ready: VecDeque<Claimed>,
    /// Pending calls.
    calls: FuturesUnordered<BoxFuture<'a, (MessageId, Outcome)>>,
    /// Finished calls whose outbox rows are still to be settled.
    finished: Vec<(MessageId, Outcome)>,
    /// Whether the last claim found nothing due.
    idle: bool,
}

/// Serves a line until nothing is due on it, another node holds its lease, or `shutdown`.
pub(super) async fn serve(
    inner: &Arc<Inner>,
    line: LineToServe,
    shutdown: &CancellationToken,
) -> Result<(), WorkerError> {
    let Some((lease, deadline)) = take_lease(inner, &line).await? else { return Ok(()) };
    let rate = NonZeroU32::new(line.messages_per_second).unwrap_or(NonZeroU32::MIN);
    // Evenly spaced without bursts, since after a burst some second would exceed the rate.
    let limiter = RateLimiter::direct(Quota::per_second(rate).allow_burst(NonZeroU32::MIN));
    // The node that served the line before may have made a call just now, so the first call waits, too.
    limiter.until_ready().await;
    let mut worker = Worker { inner, line: Arc::new(line), limiter, lease, deadline };
    let served = worker.serve(shutdown).await;
    worker.leave(matches!(served, Err(WorkerError::Line(_)))).await?;
    served
}

async fn take_lease(inner: &Inner, line: &LineToServe) -> Result<Option<(Lease, Instant)>, StorageError> {
    let parts = &inner.parts;
    // Computed before the clock is read, so that our deadline is never later than the one in the database.
    let deadline = Instant::now() + parts.settings.lease;
    let now = parts.clock.now();
    let lease = outbox::lease(&parts.db, line.id, inner.owner, now, now.plus(parts.settings.lease)).await?;
    Ok(lease.map(|lease| (lease, deadline)))
}

impl Worker<'_> {
    /// Releases the lease, or extends it for the time in which nothing may be sent on the line.
    async fn leave(&self, stopped: bool) -> Result<(), WorkerError> {
        let parts = &self.inner.parts;
        if stopped {
            let now = parts.clock.now();
            let until = now.plus(parts.settings.line_rest);
            outbox::lease(&parts.db, self.line.id, self.inner.owner, now, until).await?;
        } else {
            outbox::release(&parts.db, self.lease).await?;
        }
        Ok(())
    }

    async fn serve(&mut self, shutdown: &CancellationToken) -> Result<(), WorkerError> {
        self.give_up_unanswered().await?;
        let mut round = Round::default();
        let served = self.send(&mut round, shutdown).await;
        let uncalled = round.ready.into_iter().map(|one| one.message).collect();
        let outcomes = round.finished.into_iter().chain(round.calls.collect::<Vec<_>>().await).collect();
        let settled = self.settle(outcomes, uncalled).await;
        served.and(settled)
    }

    /// Claims and calls until nothing is due and every call has finished.
    async fn send<'w>(&mut self, round: &mut Round<'w>, shutdown: &CancellationToken) -> Result<(), WorkerError>
    where
        Self: 'w,
    {
        loop {
            if round.ready.is_empty() && !round.idle {
                self.claim(round).await?;
            }
            if (round.idle && round.calls.is_empty()) || shutdown.is_cancelled() {
                return Ok(());
            }
            if round.ready.is_empty() && round.calls.is_empty() {
                // Every claimed message failed before its call; there may be more.
                continue;
            }
            let may_call = !round.ready.is_empty() && round.calls.len() < MAX_IN_FLIGHT;
            tokio::select! {
                biased;
                Some(outcome) = round.calls.next(), if !round.calls.is_empty() => round.finished.push(outcome),
                () = self.limiter.until_ready(), if may_call => {
                    if Instant::now() >= self.deadline && !self.renew().await? {
                        return Ok(());
                    }
                    let inner = self.inner;
                    let line = Arc::clone(&self.line);
                    round.calls.extend(round.ready.pop_front().map(|one| call(&inner.parts, line, one).boxed()));
                }
                // While slow answers are pending, other messages may have become due.
                () = tokio::time::sleep(self.inner.parts.settings.poll_interval), if round.idle => round.idle = false,
            }
            self.settle_finished(round).await?;
        }
    }

    /// Claims at most as many messages as may be sent in a second, under a renewed lease.
    async fn claim(&mut self, round: &mut Round<'_>) -> Result<(), WorkerError> {
        let parts = &self.inner.parts;
        if !self.renew().await? {
            round.idle = true;
            return Ok(());
        }
        let now = parts.clock.now();
        let claimed = outbox::claim(&parts.db, self.lease, now, self.line.messages_per_second).await?;
        round.idle = claimed.is_empty();
        let (refused, ready): (Vec<_>, Vec<_>) = claimed.into_iter().partition(|one| refusal(one).is_some());
        // They are claimed now. If anything fails below, those that were never sent are queued again.
        round.ready = ready.into();
        self.refuse(&refused, now).await?;
        self.announce(&round.ready, now).await
    }

    /// Settles the finished calls if there are enough of them, or nothing else to wait for.
    async fn settle_finished(&self, round: &mut Round<'_>) -> Result<(), WorkerError> {
        let stopped = round.finished.iter().any(|(_, outcome)| matches!(outcome, Outcome::LineStopped(_)));
        if stopped || round.finished.len() >= SETTLE_BATCH_SIZE || round.calls.is_empty() {
            let finished = std::mem::take(&mut round.finished);
            self.settle(finished, Vec::new()).await?;
        }
        Ok(())
    }

    /// Renews the lease. Returns `false` if another node has taken it.
    async fn renew(&mut self) -> Result<bool, StorageError> {
        let renewed = take_lease(self.inner, &self.line).await?;
        let held = renewed.is_some_and(|(lease, _)| lease.epoch == self.lease.epoch);
        if let Some((_, deadline)) = renewed.filter(|_| held) {
            self.deadline = deadline;
        }
        Ok(held)
    }

    /// Records messages that fail without a call.
    async fn refuse(&self, refused: &[Claimed], now: Timestamp) -> Result<(), WorkerError> {
        let fact = |one: &Claimed| {
            let own_failure = refusal(one).map(|reason| OwnFailure { at: now, reason });
            status(one.message, MessageFacts { own_failure, ..MessageFacts::default() })
        };
        self.record(refused.iter().map(fact).collect()).await?;
        self.forget(&refused.iter().map(|one| one.message).collect::<Vec<_>>()).await
    }

    /// Records that the calls are about to begin, so that a reply finds its deployment even if the answer is lost.
    async fn announce(&self, ready: &VecDeque<Claimed>, at: Timestamp) -> Result<(), WorkerError> {
        self.record(ready.iter().map(|one| Fact::Dispatched { message: one.message, at }).collect()).await
    }

    /// Removes settled messages from the outbox. Those that certainly did not arrive, because the provider rejected them for
    /// now or was never called, are queued again.
    async fn settle(&self, outcomes: Vec<(MessageId, Outcome)>, uncalled: Vec<MessageId>) -> Result<(), WorkerError> {
        let now = self.inner.parts.clock.now();
        let (mut settled, mut retries, mut uncalled, mut stopped) = (Vec::new(), Vec::new(), uncalled, None);
        for (message, outcome) in outcomes {
            match outcome {
                Outcome::Settled => settled.push(message),
                Outcome::Retry(delay) => retries.push((message, now.plus(delay))),
                Outcome::LineStopped(code) => {
                    // The message is not at fault, so this does not count as one of its attempts.
                    uncalled.push(message);
                    stopped = Some(code);
                }
                Outcome::Open => {}
            }
        }
        self.forget(&settled).await?;
        self.withdraw(retries.iter().map(|(message, _)| *message).chain(uncalled.iter().copied())).await?;
        self.requeue(&retries, &uncalled).await?;
        stopped.map_or(Ok(()), |code| Err(WorkerError::Line(code)))
    }

    /// Records that messages were not sent after all, so that no reply is attributed to them.
    async fn withdraw(&self, messages: impl Iterator<Item = MessageId>) -> Result<(), WorkerError> {
        self.record(messages.map(|message| Fact::Withdrawn { message }).collect()).await
    }

    async fn requeue(&self, retries: &[(MessageId, Timestamp)], uncalled: &[MessageId]) -> Result<(), WorkerError> {
        let db = &self.inner.parts.db;
        for (message, due_at) in retries {
            retry(|| async { Ok(outbox::requeue(db, &[*message], *due_at).await?) }).await?;
        }
        if uncalled.is_empty() {
            return Ok(());
        }
        retry(|| async { Ok(outbox::give_back(db, uncalled).await?) }).await
    }

    /// Records an unknown outcome for calls without a recorded answer, due to a timeout or a crash between call and commit. It
    /// has no effect if a webhook has reported the outcome meanwhile, or does so later.
    async fn give_up_unanswered(&self) -> Result<(), WorkerError> {
        let parts = &self.inner.parts;
        let now = parts.clock.now();
        let unanswered = outbox::unanswered(&parts.db, self.line.id, now.minus(parts.settings.unknown_grace)).await?;
        let facts = MessageFacts { unknown: Some(now), ..MessageFacts::default() };
        self.record(unanswered.iter().map(|message| status(*message, facts.clone())).collect()).await?;
        self.forget(&unanswered).await
    }

    async fn forget(&self, messages: &[MessageId]) -> Result<(), WorkerError> {
        if messages.is_empty() {
            return Ok(());
        }
        let db = &self.inner.parts.db;
        retry(|| async { Ok(outbox::settle(db, messages).await?) }).await
    }

    /// Records facts in the workspace of the line.
    async fn record(&self, facts: Vec<Fact>) -> Result<(), WorkerError> {
        record(&self.inner.parts, self.line.workspace, facts).await
    }
}

/// A status of one of our own messages.
pub(super) fn status(message: MessageId, facts: MessageFacts) -> Fact {
    Fact::Status(StatusFact { of: Target::own(message), facts, recipient: None })
}
