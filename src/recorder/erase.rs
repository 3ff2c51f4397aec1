//! Erasing people: on demand, and once nothing was heard of them for as long as the settings say.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{RecordError, Recorder};
use crate::domain::clock::Timestamp;
use crate::domain::id::{ContactId, WorkspaceId};
use crate::rounds::Rounds;
use crate::storage::erasure::{self, Erasure};
use crate::storage::passing::{self, Passing};
use crate::storage::{Tenant, retry_races};

/// How often an erasure that lost a race is retried.
const MAX_RETRIES: u32 = 10;
/// How often it is looked for what is too old.
const INTERVAL: Duration = Duration::from_hours(1);
/// The most rows that are looked at, or deleted, at a time.
const BATCH_SIZE: u32 = 500;

/// How long what nobody needs any more is kept.
#[derive(Debug, Clone, Copy)]
pub struct Retention {
    /// Contacts of whom nothing is heard; `None` for ever.
    pub contacts: Option<Duration>,
    /// What was not understood or belonged to nothing.
    pub kept: Duration,
    /// Entries of the audit log.
    pub audit: Duration,
}

impl Recorder {
    /// Erases a contact; only if nothing was heard of it since `silent_since`, if that is given.
    pub async fn erase(
        &self,
        workspace: WorkspaceId,
        contact: ContactId,
        silent_since: Option<Timestamp>,
    ) -> Result<Erasure, RecordError> {
        let tenant = Tenant::new(self.0.db.clone(), workspace);
        let erase = || erasure::erase(&tenant, contact, silent_since, self.0.now());
        let erased = retry_races(MAX_RETRIES, erase).await.map_err(|error| RecordError::Storage(Arc::new(error)))?;
        if let Erasure::Done { revisions, .. } = &erased {
            self.committed(workspace, revisions, &[]).await;
        }
        Ok(erased)
    }

    /// Removes what is older than it may be, until `shutdown`. Any node may do it, and several may at once.
    pub async fn retain(self, retention: Retention, shutdown: CancellationToken) {
        let mut rounds = Rounds::every(INTERVAL, shutdown);
        while rounds.next().await {
            let work = async {
                if let Err(error) = self.remove(retention).await {
                    tracing::warn!(error = &error as &dyn std::error::Error, "what is too old is kept for now");
                }
            };
            rounds.unless_ended(work).await;
        }
    }

    async fn remove(&self, retention: Retention) -> Result<(), RecordError> {
        let now = self.0.now();
        let passing = [
            (Passing::Kept, now.minus(retention.kept)),
            (Passing::Audit, now.minus(retention.audit)),
            (Passing::StreamTokens, now),
        ];
        for (passing, before) in passing {
            while self.forget(passing, before).await? == u64::from(BATCH_SIZE) {}
        }
        match retention.contacts {
            Some(keep) => self.erase_silent(now.minus(keep)).await,
            None => Ok(()),
        }
    }

    async fn forget(&self, passing: Passing, before: Timestamp) -> Result<u64, RecordError> {
        let forgotten = passing::forget(&self.0.db, passing, before, BATCH_SIZE).await;
        forgotten.map_err(|error| RecordError::Storage(Arc::new(error)))
    }

    async fn erase_silent(&self, since: Timestamp) -> Result<(), RecordError> {
        let mut behind = ContactId(Uuid::nil());
        loop {
            let seen = erasure::silent_since(&self.0.db, since, behind, BATCH_SIZE).await;
            let (last, silent) = seen.map_err(|error| RecordError::Storage(Arc::new(error)))?;
            for (workspace, contact) in silent {
                // One who is about to be sent to is not silent for long.
                self.erase(workspace, contact, Some(since)).await?;
            }
            let Some(last) = last else { return Ok(()) };
            behind = last;
        }
    }
}
