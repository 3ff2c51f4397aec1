//! A worker serves one line while it holds the line's lease: claim, announce, call at the line's rate, settle.

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

/// The most calls under way at once on one line: at the largest rate, a second's worth of slow answers.
const MAX_IN_FLIGHT: usize = 256;

/// How many finished calls are settled in one statement.
const SETTLE_BATCH_SIZE: usize = 100;

/// Why a worker stops serving its line for now.
#[derive(Debug, thiserror::Error)]
pub(super) enum WorkerError {
    #[error("the outbox failed")]
    Storage(#[from] StorageError),
    #[error("answers were not recorded")]
    Record(#[from] RecordError),
    #[error("the line cannot send: the provider refused it with code {0}")]
    Line(i32),
}

struct Worker<'a> {
    inner: &'a Inner,
    line: Arc<LineToServe>,
    limiter: DefaultDirectRateLimiter,
    lease: Lease,
    /// No call begins after this moment.
    deadline: Instant,
}

/// What a worker has in hand.
#[derive(Default)]
struct Round<'a> {
    /// Claimed and not yet called.
    ready: VecDeque<Claimed>,
    /// Calls under way.
    calls: FuturesUnordered<BoxFuture<'a, (MessageId, Outcome)>>,
    /// Calls whose outbox rows are still to be settled.
    finished: Vec<(MessageId, Outcome)>,
    /// Whether nothing was due when last looked.
    idle: bool,
}

/// Serves a line until nothing is due on it, another node holds it, or `shutdown`.
pub(super) async fn serve(
    inner: &Arc<Inner>,
    line: LineToServe,
    shutdown: &CancellationToken,
) -> Result<(), WorkerError> {
    let Some((lease, deadline)) = take_lease(inner, &line).await? else { return Ok(()) };
    let rate = NonZeroU32::new(line.messages_per_second).unwrap_or(NonZeroU32::MIN);
    // One at a time and evenly spaced: a burst would make some second exceed the rate.
    let limiter = RateLimiter::direct(Quota::per_second(rate).allow_burst(NonZeroU32::MIN));
    // Whoever served the line before may have made a call a moment ago, so that the first one here waits its turn.
    limiter.until_ready().await;
    let mut worker = Worker { inner, line: Arc::new(line), limiter, lease, deadline };
    let served = worker.serve(shutdown).await;
    worker.leave(matches!(served, Err(WorkerError::Line(_)))).await?;
    served
}

async fn take_lease(inner: &Inner, line: &LineToServe) -> Result<Option<(Lease, Instant)>, StorageError> {
    let parts = &inner.parts;
    // Taken before the clock is read: our deadline is never behind the one in the database.
    let deadline = Instant::now() + parts.settings.lease;
    let now = parts.clock.now();
    let lease = outbox::lease(&parts.db, line.id, inner.owner, now, now.plus(parts.settings.lease)).await?;
    Ok(lease.map(|lease| (lease, deadline)))
}

impl Worker<'_> {
    /// Gives the lease back, or lets it stand while the line rests.
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

    /// Claims and calls until nothing is due and every call is answered.
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
                // All that was claimed was refused before any call; there may be more.
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
                // While slow answers are awaited, something new may have come due.
                () = tokio::time::sleep(self.inner.parts.settings.poll_interval), if round.idle => round.idle = false,
            }
            self.settle_finished(round).await?;
        }
    }

    /// Claims a second's worth, under a lease that is good for it.
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
        // From here on they are claimed: whatever fails, those never called go back into the queue.
        round.ready = ready.into();
        self.refuse(&refused, now).await?;
        self.announce(&round.ready, now).await
    }

    /// Settles what has collected, once there is enough of it or nothing else to do.
    async fn settle_finished(&self, round: &mut Round<'_>) -> Result<(), WorkerError> {
        let stopped = round.finished.iter().any(|(_, outcome)| matches!(outcome, Outcome::LineStopped(_)));
        if stopped || round.finished.len() >= SETTLE_BATCH_SIZE || round.calls.is_empty() {
            let finished = std::mem::take(&mut round.finished);
            self.settle(finished, Vec::new()).await?;
        }
        Ok(())
    }

    /// Renews the lease; `false` where another node has taken it.
    async fn renew(&mut self) -> Result<bool, StorageError> {
        let renewed = take_lease(self.inner, &self.line).await?;
        let held = renewed.is_some_and(|(lease, _)| lease.epoch == self.lease.epoch);
        if let Some((_, deadline)) = renewed.filter(|_| held) {
            self.deadline = deadline;
        }
        Ok(held)
    }

    /// Records what is found before any call.
    async fn refuse(&self, refused: &[Claimed], now: Timestamp) -> Result<(), WorkerError> {
        let fact = |one: &Claimed| {
            let own_failure = refusal(one).map(|reason| OwnFailure { at: now, reason });
            status(one.message, MessageFacts { own_failure, ..MessageFacts::default() })
        };
        self.record(refused.iter().map(fact).collect()).await?;
        self.forget(&refused.iter().map(|one| one.message).collect::<Vec<_>>()).await
    }

    /// Records that the calls begin, so that a reply finds its deployment whatever becomes of the answers.
    async fn announce(&self, ready: &VecDeque<Claimed>, at: Timestamp) -> Result<(), WorkerError> {
        self.record(ready.iter().map(|one| Fact::Dispatched { message: one.message, at }).collect()).await
    }

    /// Forgets what is settled, and queues again what certainly did not arrive: it was refused for now, or never called.
    async fn settle(&self, outcomes: Vec<(MessageId, Outcome)>, uncalled: Vec<MessageId>) -> Result<(), WorkerError> {
        let now = self.inner.parts.clock.now();
        let (mut settled, mut again, mut uncalled, mut stopped) = (Vec::new(), Vec::new(), uncalled, None);
        for (message, outcome) in outcomes {
            match outcome {
                Outcome::Settled => settled.push(message),
                Outcome::Again(wait) => again.push((message, now.plus(wait))),
                Outcome::LineStopped(code) => {
                    // It is no fault of the message's, which keeps all its attempts.
                    uncalled.push(message);
                    stopped = Some(code);
                }
                Outcome::Open => {}
            }
        }
        self.forget(&settled).await?;
        self.withdraw(again.iter().map(|(message, _)| *message).chain(uncalled.iter().copied())).await?;
        self.queue_again(&again, &uncalled).await?;
        stopped.map_or(Ok(()), |code| Err(WorkerError::Line(code)))
    }

    /// Records that messages were not sent after all: a reply can be none to them.
    async fn withdraw(&self, messages: impl Iterator<Item = MessageId>) -> Result<(), WorkerError> {
        self.record(messages.map(|message| Fact::Withdrawn { message }).collect()).await
    }

    async fn queue_again(&self, again: &[(MessageId, Timestamp)], uncalled: &[MessageId]) -> Result<(), WorkerError> {
        let db = &self.inner.parts.db;
        for (message, due_at) in again {
            retry(|| async { Ok(outbox::requeue(db, &[*message], *due_at).await?) }).await?;
        }
        if uncalled.is_empty() {
            return Ok(());
        }
        retry(|| async { Ok(outbox::give_back(db, uncalled).await?) }).await
    }

    /// Calls whose outcome was never recorded: a time-out, a crash between call and commit. Evidence that came by webhook
    /// makes this void; without any, the outcome is unknown.
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

    /// A line belongs to one workspace, so all facts of a worker do.
    async fn record(&self, facts: Vec<Fact>) -> Result<(), WorkerError> {
        record(&self.inner.parts, self.line.workspace, facts).await
    }
}

/// A status of one of our own messages.
pub(super) fn status(message: MessageId, facts: MessageFacts) -> Fact {
    Fact::Status(StatusFact { of: Target::own(message), facts, recipient: None })
}
