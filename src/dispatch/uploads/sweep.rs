//! Removes what lists left behind whose receivers died, or could not remove it themselves.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::Parts;
use crate::rounds::Rounds;
use crate::storage::StorageError;
use crate::storage::sends::staging;

/// The time between two sweeps.
const INTERVAL: Duration = Duration::from_secs(5);

/// For how long nothing must have arrived. A list that is being received says so much more often, and clocks of nodes differ
/// by less.
const ABANDONED: Duration = Duration::from_mins(10);

/// Sweeps until `shutdown`.
pub(super) async fn run(parts: &Parts, shutdown: CancellationToken) {
    let mut rounds = Rounds::every(INTERVAL, shutdown);
    while rounds.next().await {
        if let Err(error) = sweep(parts).await {
            tracing::warn!(error = &error as &dyn std::error::Error, "cannot remove abandoned lists");
        }
    }
}

async fn sweep(parts: &Parts) -> Result<(), StorageError> {
    let before = parts.clock.now().minus(ABANDONED.max(parts.stall * 4));
    for send in staging::list_abandoned(&parts.db, before).await? {
        staging::give_up(&parts.db, send, before).await?;
        tracing::info!(send.id = %send, "an abandoned list was removed");
    }
    Ok(())
}
