//! The desk of a worker: what it does with the messages of its line in the database, under its lease.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::backoff;
use super::call::{Finished, News, Outcome, record, refusal, status};
use super::dispatcher::Inner;
use super::pairs::Pairs;
use super::persist::persist;
use super::worker::WorkerError;
use crate::domain::clock::{Clock, Timestamp};
use crate::domain::fact::Fact;
use crate::domain::failure::OwnFailure;
use crate::domain::id::{MessageId, SendId};
use crate::domain::line::LineStop;
use crate::domain::merge::MessageFacts;
use crate::recorder::Recorded;
use crate::storage::leases::{self, Lease};
use crate::storage::outbox::{self, Claimed, LineToServe, Requeued, Terms};
use crate::storage::{Tenant, lines};

/// How long a contact counts as blocked after the provider named it so. It may have been unblocked since, which the provider
/// does not report.
const BLOCKED_FOR: Duration = Duration::from_hours(7 * 24);

/// The lease of a line, and what is done under it.
pub(super) struct Desk<'a> {
    pub(super) inner: &'a Inner,
    pub(super) line: Arc<LineToServe>,
    pub(super) lease: Lease,
    pub(super) pairs: Arc<Pairs>,
}

/// The instant at which a lease ends, by two clocks: the monotonic one stands still while the machine is suspended, and the
/// wall clock may be set back.
#[derive(Debug, Clone, Copy)]
pub(super) struct Deadline {
    pub(super) instant: Instant,
    time: Timestamp,
}

/// What was claimed.
pub(super) struct Taken {
    /// When the renewed lease ends.
    pub(super) deadline: Deadline,
    /// The rate of the line as it is now.
    pub(super) messages_per_second: u32,
    /// Whether the line is stopped, so that the single message is a probe.
    pub(super) probing: bool,
    /// The send whose turn was the last.
    pub(super) last_turn: Option<SendId>,
    /// Whether nothing was due.
    pub(super) nothing_due: bool,
    /// The messages to call for.
    pub(super) ready: Vec<Claimed>,
}

impl Deadline {
    /// The deadline of a lease that is asked for now. The clocks are read before, so that it is never later than the one in
    /// the database.
    pub(super) fn after(lease: Duration, clock: &dyn Clock) -> Self {
        Self { instant: Instant::now() + lease, time: clock.now().plus(lease) }
    }

    /// The later of two deadlines of the same lease.
    pub(super) fn later(self, other: Self) -> Self {
        if other.instant > self.instant { other } else { self }
    }

    /// Whether so much time is left until it, by both clocks.
    pub(super) fn leaves(&self, time: Duration, clock: &dyn Clock) -> bool {
        Instant::now() + time < self.instant && clock.now().plus(time) < self.time
    }
}

impl Desk<'_> {
    /// Claims messages and announces their calls, under a renewed lease; `None` if another node has taken it.
    ///
    /// If anything fails on the way, messages stay claimed that were never announced. Whoever takes the lease next queues them
    /// again.
    pub(super) async fn claim(&self, limit: u32, last_turn: Option<SendId>) -> Result<Option<Taken>, WorkerError> {
        let deadline = Deadline::after(self.inner.parts.settings.lease, &*self.inner.parts.clock);
        let terms = self.terms(limit, last_turn);
        let Some(claim) = outbox::claim(&self.inner.parts.db, self.lease, terms).await? else { return Ok(None) };
        let nothing_due = claim.messages.is_empty();
        let (refused, callable): (Vec<_>, Vec<_>) = claim.messages.into_iter().partition(|one| refusal(one).is_some());
        self.refuse(&refused, terms.now).await?;
        let ready = self.announce(self.within_pair_limit(callable, terms.now).await?).await?;
        Ok(Some(Taken {
            deadline,
            messages_per_second: claim.messages_per_second,
            probing: claim.stopped,
            last_turn: claim.last_turn,
            nothing_due,
            ready,
        }))
    }

    /// Renews the lease again and again, for ever.
    pub(super) async fn keep_on(&self) {
        loop {
            tokio::time::sleep(self.inner.parts.settings.lease / 2).await;
            if let Err(error) = self.keep().await {
                tracing::warn!(error = &error as &dyn std::error::Error, "cannot renew the lease of a line");
            }
        }
    }

    /// Renews the lease; `None` if another node has taken it.
    pub(super) async fn keep(&self) -> Result<Option<Deadline>, WorkerError> {
        let parts = &self.inner.parts;
        let deadline = Deadline::after(parts.settings.lease, &*parts.clock);
        let kept = leases::keep(&parts.db, self.lease, parts.settings.lease).await?;
        Ok(kept.then_some(deadline))
    }

    /// Settles the outbox rows of calls that have ended, and of messages that were claimed and not called.
    pub(super) async fn settle(&self, finished: Vec<Finished>, uncalled: Vec<Claimed>) -> Result<(), WorkerError> {
        let now = self.inner.parts.clock.now();
        let uncalled = uncalled.into_iter().map(|claimed| (claimed, Outcome::Uncalled(Duration::ZERO)));
        let ended = finished.into_iter().map(|one| (one.claimed, one.outcome)).chain(uncalled);
        let (mut settled, mut unsent, mut unsaid) = (Vec::new(), Vec::new(), Vec::new());
        for (Claimed { message, attempt, said, .. }, outcome) in ended {
            let (delay, attempt) = match outcome {
                Outcome::Settled => {
                    settled.push(message);
                    continue;
                }
                Outcome::Open => continue,
                Outcome::Later(delay) => (delay, attempt),
                Outcome::Uncalled(delay) => (delay, attempt.saturating_sub(1)),
            };
            let requeued = Requeued { message, due_at: now.plus(delay), attempt };
            if said { unsaid.push(requeued) } else { unsent.push(requeued) }
        }
        let said_again = self.requeue(&unsaid).await;
        let sent_again = self.give_back(&unsent).await;
        said_again.and(sent_again).and(self.forget(&settled).await)
    }

    /// Stops the line if there is a reason, and sets the time of its next probe.
    pub(super) async fn stop_if(&self, stop: Option<&LineStop>) -> Result<(), WorkerError> {
        let Some(stop) = stop else { return Ok(()) };
        let parts = &self.inner.parts;
        let now = parts.clock.now();
        let next_probe = |probes| now.plus(backoff::next_probe(probes));
        tracing::warn!(line.id = %self.line.id, provider.code = stop.code, "the provider stopped a line");
        persist(|| async { Ok(lines::stop(&parts.db, self.line.id, stop, now, next_probe).await?) }).await
    }

    /// Lets the line send again, since a probe got through.
    pub(super) async fn resume(&self) -> Result<(), WorkerError> {
        let parts = &self.inner.parts;
        tracing::info!(line.id = %self.line.id, "a stopped line sends again");
        let tenant = Tenant::new(parts.db.clone(), self.line.workspace);
        persist(|| async { Ok(lines::resume(&tenant, self.line.id, parts.clock.now()).await?) }).await
    }

    /// Leaves the line stopped until the time of its next probe.
    pub(super) async fn probe_later(&self) -> Result<(), WorkerError> {
        let parts = &self.inner.parts;
        let now = parts.clock.now();
        let next_probe = |probes| now.plus(backoff::next_probe(probes));
        persist(|| async { Ok(lines::probe_later(&parts.db, self.line.id, next_probe).await?) }).await
    }

    fn terms(&self, limit: u32, last_turn: Option<SendId>) -> Terms {
        let parts = &self.inner.parts;
        let now = parts.clock.now();
        Terms {
            now,
            lease: parts.settings.lease,
            limit,
            last_turn,
            agents_since: now.minus(parts.settings.agent_session),
            blocked_since: now.minus(BLOCKED_FOR),
            daily_contacts: parts.settings.daily_contacts,
        }
    }

    /// Records messages that fail without a call.
    async fn refuse(&self, refused: &[Claimed], now: Timestamp) -> Result<(), WorkerError> {
        let fact = |one: &Claimed| {
            let own_failure = refusal(one).map(|reason| OwnFailure { at: now, reason });
            status(one.message, MessageFacts { own_failure, ..MessageFacts::default() })
        };
        let recorded = self.record(refused.iter().map(fact).collect()).await?;
        let merged = refused.iter().zip(recorded).filter(|(_, recorded)| *recorded == Recorded::Merged);
        self.forget(&merged.map(|(one, _)| one.message).collect::<Vec<_>>()).await
    }

    /// Queues messages again whose users got too many lately, and returns the others.
    async fn within_pair_limit(&self, claimed: Vec<Claimed>, now: Timestamp) -> Result<Vec<Claimed>, WorkerError> {
        let (mut ready, mut waiting) = (Vec::with_capacity(claimed.len()), Vec::new());
        for one in claimed {
            match self.pairs.take(one.contact) {
                Ok(()) => ready.push(one),
                Err(wait) => waiting.push(Requeued {
                    message: one.message,
                    due_at: now.plus(wait),
                    attempt: one.attempt.saturating_sub(1),
                }),
            }
        }
        self.requeue(&waiting).await?;
        Ok(ready)
    }

    /// Announces calls, and returns the messages to call for. The others were canceled since they were claimed, or taken over by
    /// another node; whoever did it sees to their rows.
    async fn announce(&self, claimed: Vec<Claimed>) -> Result<Vec<Claimed>, WorkerError> {
        let (said, sent): (Vec<_>, Vec<_>) = claimed.into_iter().partition(|one| one.said);
        let mut ready = self.announce_replies(said).await?;
        match self.announce_sends(sent).await {
            Ok(sent) => ready.extend(sent),
            Err(error) => {
                // Nobody calls for these now.
                self.settle(Vec::new(), ready).await?;
                return Err(error);
            }
        }
        Ok(ready)
    }

    /// Records that calls of sends are about to begin, so that a reply finds its deployment even if the answer is lost.
    async fn announce_sends(&self, sent: Vec<Claimed>) -> Result<Vec<Claimed>, WorkerError> {
        let epoch = self.lease.epoch;
        let facts = sent.iter().map(|one| Fact::Dispatched { message: one.message, at: one.at, epoch }).collect();
        let recorded = self.record(facts).await?;
        let announced = sent.into_iter().zip(recorded).filter(|(_, recorded)| *recorded == Recorded::Merged);
        Ok(announced.map(|(one, _)| one).collect())
    }

    /// Announces what is said in sessions. It begins no deployment, so that no fact has to be recorded.
    async fn announce_replies(&self, mut said: Vec<Claimed>) -> Result<Vec<Claimed>, WorkerError> {
        let parts = &self.inner.parts;
        let (messages, now): (Vec<_>, _) = (said.iter().map(|one| one.message).collect(), parts.clock.now());
        let announced = outbox::announce_replies(&parts.db, self.lease, &messages, now).await?;
        let announced: HashSet<MessageId> = announced.into_iter().collect();
        said.retain(|one| announced.contains(&one.message));
        Ok(said)
    }

    /// Queues messages of sends again that were announced and not sent. First it is recorded that they were not sent, so that no
    /// reply is attributed to them; what another node has taken over meanwhile stays as it is.
    async fn give_back(&self, unsent: &[Requeued]) -> Result<(), WorkerError> {
        let epoch = self.lease.epoch;
        let withdrawn = unsent.iter().map(|one| Fact::Withdrawn { message: one.message, epoch });
        self.record(withdrawn.collect()).await?;
        self.requeue(unsent).await
    }

    async fn requeue(&self, requeued: &[Requeued]) -> Result<(), WorkerError> {
        if requeued.is_empty() {
            return Ok(());
        }
        let db = &self.inner.parts.db;
        persist(|| async { Ok(outbox::requeue(db, self.lease, requeued).await?) }).await
    }

    async fn forget(&self, messages: &[MessageId]) -> Result<(), WorkerError> {
        if messages.is_empty() {
            return Ok(());
        }
        let db = &self.inner.parts.db;
        persist(|| async { Ok(outbox::settle(db, messages).await?) }).await
    }

    /// Records facts of the line.
    async fn record(&self, facts: Vec<Fact>) -> Result<Vec<Recorded>, WorkerError> {
        record(&self.inner.parts, &self.line, facts).await
    }
}

impl Finished {
    /// Whether the line must not send, and why.
    pub(super) const fn stop(&self) -> Option<&LineStop> {
        match &self.news {
            News::Stopped(stop) => Some(stop),
            _ => None,
        }
    }
}
