//! The sweeper: offers parked facts again whose time is up, and those whose message was made known by another node at the
//! very moment at which they were parked.

use std::collections::HashMap;

use tokio_util::sync::CancellationToken;

use super::Recorder;
use crate::domain::fact::Fact;
use crate::domain::id::WorkspaceId;
use crate::storage::parked;
use crate::storage::record::Offered;

/// How many parked facts are looked at in one go.
const AT_ONCE: u64 = 500;

/// Sweeps until `shutdown`.
pub(super) async fn run(recorder: &Recorder, shutdown: CancellationToken) {
    let mut ticks = tokio::time::interval(recorder.0.settings.sweep);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            _ = ticks.tick() => sweep(recorder).await,
        }
    }
}

async fn sweep(recorder: &Recorder) {
    let due = match parked::due(&recorder.0.db, recorder.0.now(), AT_ONCE).await {
        Ok(due) => due,
        Err(error) => {
            tracing::warn!(error = &error as &dyn std::error::Error, "parked facts were not read");
            return;
        }
    };
    let mut by_workspace: HashMap<WorkspaceId, Vec<Offered>> = HashMap::new();
    for one in due {
        by_workspace.entry(one.workspace).or_default().push(without_patience(one.offered));
    }
    for (workspace, offered) in by_workspace {
        let expired = offered.iter().filter(|one| one.expired).count();
        if recorder.offer(workspace, offered).await.is_ok() && expired > 0 {
            tracing::info!(parked.expired = expired, "parked facts were given up");
        }
    }
}

/// A reply that has waited long enough for the message that it answers is attributed by its time.
fn without_patience(mut offered: Offered) -> Offered {
    if offered.expired
        && let Fact::Message(message) = &mut offered.fact
    {
        message.in_reply_to = None;
    }
    offered
}
