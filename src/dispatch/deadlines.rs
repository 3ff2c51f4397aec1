//! Deadlines: messages whose time to live has passed without a delivery, calls whose outcome nobody reported, and sessions in
//! which nothing was said for too long.
//!
//! All are found by partial indexes, by any node, and settled by facts, under the version's lock. Two nodes that find the
//! same deadline record the same fact, whose time is that of the deadline. Whatever is reported later still counts: a
//! delivery overrides both, and any evidence overrides an unknown outcome.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::call::status;
use crate::domain::clock::{Clock, Timestamp};
use crate::domain::fact::Fact;
use crate::domain::failure::{FailureReason, OwnFailure};
use crate::domain::id::WorkspaceId;
use crate::domain::merge::MessageFacts;
use crate::recorder::{RecordError, Recorded, Recorder};
use crate::rounds::Rounds;
use crate::storage::{Database, StorageError, messages, outbox, sessions};

/// How often deadlines are looked for.
const INTERVAL: Duration = Duration::from_secs(1);
/// The most deadlines of a kind that are settled at a time.
const BATCH_SIZE: u32 = 500;

/// Settles what did not happen in time.
pub struct Deadlines {
    /// The database.
    pub db: Database,
    /// The recorder of the facts.
    pub recorder: Recorder,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// How long to wait for the outcome of an unanswered call before it is recorded as unknown.
    pub unknown_grace: Duration,
}

/// Why deadlines are not settled for now.
#[derive(Debug, thiserror::Error)]
enum DeadlineError {
    #[error("cannot read the deadlines")]
    Storage(#[from] StorageError),
    #[error("cannot record what follows from a deadline")]
    Record(#[from] RecordError),
}

impl Deadlines {
    /// Settles deadlines until `shutdown`.
    pub async fn run(self, shutdown: CancellationToken) {
        let mut rounds = Rounds::every(INTERVAL, shutdown);
        while rounds.next().await {
            if let Err(error) = self.settle().await {
                tracing::warn!(error = &error as &dyn std::error::Error, "deadlines are not settled");
            }
        }
    }

    async fn settle(&self) -> Result<(), DeadlineError> {
        let now = self.clock.now();
        while self.expire(now).await? == BATCH_SIZE as usize {}
        while self.give_up(now).await? == BATCH_SIZE as usize {}
        while self.lapse(now).await? == BATCH_SIZE as usize {}
        Ok(())
    }

    /// Ends sessions in which nothing was said for too long, and tells how many.
    async fn lapse(&self, now: Timestamp) -> Result<usize, DeadlineError> {
        let lapsed = sessions::lapsed(&self.db, now, BATCH_SIZE).await?;
        let fact = |one: &sessions::Lapsed| {
            let fact = Fact::Lapsed { of: one.deployment, at: one.expires_at };
            (one.workspace, one.deployment, fact)
        };
        Ok(self.record(lapsed.iter().map(fact)).await?.len())
    }

    /// Fails messages that were not delivered in time, and tells how many.
    async fn expire(&self, now: Timestamp) -> Result<usize, DeadlineError> {
        let expired = messages::expired(&self.db, now, BATCH_SIZE).await?;
        let fact = |one: &messages::Expired| {
            let own_failure = Some(OwnFailure { at: one.expires_at, reason: FailureReason::Expired });
            let facts = MessageFacts { own_failure, ..MessageFacts::default() };
            (one.workspace, one.message, status(one.message, facts))
        };
        Ok(self.record(expired.iter().map(fact)).await?.len())
    }

    /// Records unknown outcomes of calls that were not answered in time, and tells how many.
    async fn give_up(&self, now: Timestamp) -> Result<usize, DeadlineError> {
        let since = now.minus(self.unknown_grace);
        let unanswered = outbox::unanswered(&self.db, since, BATCH_SIZE).await?;
        let fact = |one: &outbox::Unanswered| {
            let unknown = Some(one.claimed_at.plus(self.unknown_grace));
            let facts = MessageFacts { unknown, ..MessageFacts::default() };
            (one.workspace, one.message, status(one.message, facts))
        };
        let merged = self.record(unanswered.iter().map(fact)).await?;
        if !merged.is_empty() {
            outbox::give_up(&self.db, &merged, since).await?;
        }
        Ok(merged.len())
    }

    /// Records what follows for messages or sessions, and returns those of which it was merged.
    async fn record<K>(&self, facts: impl Iterator<Item = (WorkspaceId, K, Fact)>) -> Result<Vec<K>, RecordError> {
        let mut by_workspace: HashMap<WorkspaceId, Vec<(K, Fact)>> = HashMap::new();
        for (workspace, of, fact) in facts {
            by_workspace.entry(workspace).or_default().push((of, fact));
        }
        let mut merged = Vec::new();
        for (workspace, facts) in by_workspace {
            let (subjects, facts): (Vec<_>, Vec<_>) = facts.into_iter().unzip();
            let recorded = self.recorder.record(workspace, None, facts).await?;
            let recorded = subjects.into_iter().zip(recorded).filter(|(_, recorded)| *recorded == Recorded::Merged);
            merged.extend(recorded.map(|(of, _)| of));
        }
        Ok(merged)
    }
}
