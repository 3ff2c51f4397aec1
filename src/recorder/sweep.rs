//! The sweeper: offers parked facts again whose time is up, and those whose message was made known by another node at the
//! very moment at which they were parked, or by one that died before it looked.

use std::collections::HashMap;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::Recorder;
use crate::domain::clock::Timestamp;
use crate::domain::id::WorkspaceId;
use crate::storage::StorageError;
use crate::storage::parked::{self, Parked};
use crate::storage::record::Offered;

/// How many parked facts are looked at in one go.
const BATCH_SIZE: usize = 500;

/// For how long after its parking a fact is looked at again and again. What makes it known is committed within moments, or
/// else looks for it itself.
const RECENT: Duration = Duration::from_mins(1);

/// Sweeps until `shutdown`. The first time it looks at everything: what a node that died has left is not recent.
pub(super) async fn run(recorder: &Recorder, shutdown: CancellationToken) {
    let mut ticks = tokio::time::interval(recorder.0.settings.sweep_interval);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut since = Timestamp::MIN;
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            _ = ticks.tick() => {}
        }
        match sweep(recorder, since).await {
            Ok(()) => since = recorder.0.now().minus(RECENT),
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "parked facts were not read");
            }
        }
    }
}

async fn sweep(recorder: &Recorder, since: Timestamp) -> Result<(), StorageError> {
    let (db, now) = (&recorder.0.db, recorder.0.now());
    let expired = parked::expired(db, now, BATCH_SIZE).await?;
    if !expired.is_empty() {
        tracing::info!(parked.expired = expired.len(), "parked facts are given up");
    }
    offer(recorder, expired).await;
    let mut behind = Uuid::nil();
    loop {
        let placeable = parked::placeable(db, since, behind, now, BATCH_SIZE).await?;
        let last = placeable.last().and_then(|one| one.offered.parked);
        offer(recorder, placeable).await;
        let Some(last) = last else { return Ok(()) };
        behind = last;
    }
}

/// Offers facts again; those that are not recorded now stay parked until the next time.
async fn offer(recorder: &Recorder, parked: Vec<Parked>) {
    let mut by_workspace: HashMap<WorkspaceId, Vec<Offered>> = HashMap::new();
    for one in parked {
        by_workspace.entry(one.workspace).or_default().push(one.offered);
    }
    for (workspace, offered) in by_workspace {
        if let Err(error) = recorder.offer(workspace, offered).await {
            tracing::warn!(error = &error as &dyn std::error::Error, "parked facts were not recorded");
        }
    }
}
