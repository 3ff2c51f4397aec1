//! The sweeper offers parked facts again whose time is up. It also offers those whose message became known on another node at
//! the very moment at which they were parked, or on a node that died before it offered them itself.

use std::collections::HashMap;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::Recorder;
use crate::domain::clock::Timestamp;
use crate::domain::id::WorkspaceId;
use crate::rounds::Rounds;
use crate::storage::StorageError;
use crate::storage::parked::{self, Parked};
use crate::storage::record::Offered;

/// The most parked facts that are read at a time.
const BATCH_SIZE: usize = 500;

/// How long after it was parked a fact is checked in each sweep. A concurrent transaction that makes its key known commits
/// within moments; a later one finds the parked fact itself.
const RECENT: Duration = Duration::from_mins(1);

/// Sweeps until `shutdown`. The first sweep checks all parked facts, since those that a dead node left are not recent.
pub(super) async fn run(recorder: &Recorder, shutdown: CancellationToken) {
    let mut rounds = Rounds::every(recorder.0.settings.sweep_interval, shutdown);
    let mut since = Timestamp::MIN;
    while rounds.next().await {
        match sweep(recorder, since).await {
            Ok(()) => since = recorder.0.now().minus(RECENT),
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "cannot read parked facts");
            }
        }
    }
}

async fn sweep(recorder: &Recorder, since: Timestamp) -> Result<(), StorageError> {
    let (db, now) = (&recorder.0.db, recorder.0.now());
    let expired = parked::expired(db, now, BATCH_SIZE).await?;
    if !expired.is_empty() {
        tracing::info!(parked.expired = expired.len(), "parked facts expired");
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

/// Offers facts again. Those that cannot be recorded now stay parked until the next sweep.
async fn offer(recorder: &Recorder, parked: Vec<Parked>) {
    let mut by_workspace: HashMap<WorkspaceId, Vec<Offered>> = HashMap::new();
    for one in parked {
        by_workspace.entry(one.workspace).or_default().push(one.offered);
    }
    for (workspace, offered) in by_workspace {
        if let Err(error) = recorder.offer(recorder.0.lane(workspace, None), offered).await {
            tracing::warn!(error = &error as &dyn std::error::Error, "cannot record parked facts");
        }
    }
}
