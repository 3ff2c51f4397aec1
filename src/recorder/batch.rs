//! Draining the queue of a lane, batch by batch.

use std::sync::Arc;

use tracing::Instrument;

use super::queue::{Lane, Pending};
use super::{Inner, RecordError, Recorded};
use crate::domain::fact::{Fact, Kept};
use crate::storage::record::{self, Batch, Offered};
use crate::storage::{FaultKind, StorageError, Tenant, parked, retry_races};
use crate::telemetry::{metrics, traces};

/// How often a batch that lost a race is retried before it counts as failed.
const MAX_RETRIES: u32 = 10;

impl Inner {
    /// Records the queued facts until the queue is empty.
    pub(super) async fn drain(&self, lane: Lane) {
        let tenant = Tenant::new(self.db.clone(), lane.workspace);
        loop {
            // What comes in while others write goes into this batch, too.
            let _permit = self.batches.acquire().await;
            let Some(pending) = self.queues.take(lane, self.settings.batch_facts) else { return };
            let offered: Vec<Offered> = pending.iter().flat_map(|one| one.offered.iter().cloned()).collect();
            metrics::queued(self.queued());
            let span = traces::recording(offered.len());
            match self.record_all(&tenant, lane, offered).instrument(span).await {
                Ok(recorded) => answer(pending, recorded),
                Err(error) => refuse(pending, &Arc::new(error)),
            }
            metrics::queued(self.queued());
        }
    }

    /// Records facts. A batch that fails because of its data is split until the offending fact is isolated, which is kept.
    async fn record_all(
        &self,
        tenant: &Tenant,
        lane: Lane,
        offered: Vec<Offered>,
    ) -> Result<Vec<Recorded>, StorageError> {
        let mut recorded = Vec::with_capacity(offered.len());
        // A stack of parts that are still to be recorded, with the first on top.
        let mut parts = vec![offered];
        while let Some(mut part) = parts.pop() {
            match self.record_once(tenant, &part).await {
                Ok(batch) => {
                    recorded.extend(batch.applied.iter().map(Recorded::from));
                    self.committed(tenant, lane, batch).await;
                }
                Err(error) if !matches!(error.kind(), FaultKind::Data | FaultKind::Taken) => return Err(error),
                Err(error) if part.len() == 1 => {
                    tracing::warn!(error = &error as &dyn std::error::Error, "cannot record a fact; it is kept");
                    self.keep(tenant, &part).await?;
                    recorded.push(Recorded::Kept);
                }
                Err(_) => {
                    let rest = part.split_off(part.len() / 2);
                    parts.extend([rest, part]);
                }
            }
        }
        Ok(recorded)
    }

    async fn record_once(&self, tenant: &Tenant, offered: &[Offered]) -> Result<Batch, StorageError> {
        metrics::recorded(offered.len());
        retry_races(MAX_RETRIES, || record::batch(tenant, offered, &self.settings.rules, self.now())).await
    }

    /// Wakes the subscribers, and offers again the parked facts whose keys became known.
    async fn committed(&self, tenant: &Tenant, lane: Lane, batch: Batch) {
        self.hub.wake(&batch.revisions);
        if batch.replies {
            self.said.notify_one();
        }
        // The caller is draining the queue, so no task has to be started.
        self.offer_waiting(tenant, lane, &batch.known).await;
    }

    /// Offers again the facts that are parked for these keys. Returns whether a task must be started to drain the queue.
    pub(super) async fn offer_waiting(&self, tenant: &Tenant, lane: Lane, known: &[String]) -> bool {
        if known.is_empty() {
            return false;
        }
        match parked::waiting_for(tenant, known).await {
            Ok(offered) if offered.is_empty() => false,
            Ok(offered) => self.queues.push(lane, Pending { offered, waiting: None }),
            Err(error) => {
                // The sweeper will find them.
                tracing::warn!(error = &error as &dyn std::error::Error, "cannot read parked facts");
                false
            }
        }
    }

    /// Keeps a fact that cannot be recorded, as it arrived.
    async fn keep(&self, tenant: &Tenant, part: &[Offered]) -> Result<(), StorageError> {
        let kept = |one: &Offered| {
            let payload = serde_json::to_string(&one.fact).unwrap_or_default();
            let fact = Fact::Kept(Kept { reason: "failed_fact".to_owned(), payload });
            Offered { fact, ..one.clone() }
        };
        let kept: Vec<_> = part.iter().map(kept).collect();
        record::batch(tenant, &kept, &self.settings.rules, self.now()).await.map(drop)
    }
}

fn answer(pending: Vec<Pending>, recorded: Vec<Recorded>) {
    let mut recorded = recorded.into_iter();
    for one in pending {
        let mine = recorded.by_ref().take(one.offered.len()).collect();
        if let Some((reply, _)) = one.waiting {
            // The request may have been dropped meanwhile; the facts are recorded anyway.
            let _ = reply.send(Ok(mine));
        }
    }
}

fn refuse(pending: Vec<Pending>, error: &Arc<StorageError>) {
    tracing::error!(error = error.as_ref() as &dyn std::error::Error, "cannot record facts");
    for (reply, _) in pending.into_iter().filter_map(|one| one.waiting) {
        let _ = reply.send(Err(RecordError::Storage(Arc::clone(error))));
    }
}
