//! Cancellation of sends: what is still queued fails, chunk by chunk, while the send is canceled at once.
//!
//! From the moment a send is canceled nothing more of it is claimed. What was claimed just before is decided by the version's
//! lock: whichever of the announcement of its call and its cancellation comes first, holds.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::domain::clock::Timestamp;
use crate::domain::fact::{Fact, StatusFact, Target};
use crate::domain::id::DeploymentId;
use crate::domain::merge::MessageFacts;
use crate::recorder::{RecordError, Recorder};
use crate::rounds::Rounds;
use crate::storage::sends::control::{self, Canceled};
use crate::storage::{Database, StorageError, outbox};

/// How often canceled sends are looked for, besides the nudge of a cancellation on this node.
const INTERVAL: Duration = Duration::from_millis(500);
/// The number of messages that are canceled at a time.
const BATCH_SIZE: u32 = 500;

/// Cancels what is queued of canceled sends.
pub struct Cancellations {
    /// The database.
    pub db: Database,
    /// The recorder of the facts.
    pub recorder: Recorder,
    /// Notified when a send is canceled on this node.
    pub canceled: Arc<Notify>,
}

/// Why nothing is canceled for now.
#[derive(Debug, thiserror::Error)]
enum CancellationError {
    #[error("cannot read the canceled sends")]
    Storage(#[from] StorageError),
    #[error("cannot record the cancellation")]
    Record(#[from] RecordError),
}

impl Cancellations {
    /// Cancels until `shutdown`.
    pub async fn run(self, shutdown: CancellationToken) {
        let mut rounds = Rounds::every(INTERVAL, shutdown).and_when(Arc::clone(&self.canceled));
        while rounds.next().await {
            if let Err(error) = self.cancel(&rounds).await {
                tracing::warn!(error = &error as &dyn std::error::Error, "canceled sends keep their queues for now");
            }
        }
    }

    async fn cancel(&self, rounds: &Rounds) -> Result<(), CancellationError> {
        for send in control::canceled(&self.db).await? {
            while !rounds.are_over() && self.cancel_some(&send).await? {}
        }
        Ok(())
    }

    /// Cancels some of a send's queue. Returns whether there may be more.
    async fn cancel_some(&self, send: &Canceled) -> Result<bool, CancellationError> {
        let facts: Vec<Fact> = if send.external {
            let untold = control::untold(&self.db, send.id, BATCH_SIZE).await?;
            untold.into_iter().map(|deployment| failed(deployment, send.at)).collect()
        } else {
            let waiting = outbox::waiting(&self.db, send.id, BATCH_SIZE).await?;
            waiting.into_iter().map(|message| Fact::Canceled { message, at: send.at }).collect()
        };
        let count = facts.len();
        self.recorder.record(send.workspace, None, facts).await?;
        Ok(count == BATCH_SIZE as usize)
    }
}

/// A deployment that another system is not to send any more. If it does nevertheless, whatever it reports counts.
fn failed(deployment: DeploymentId, at: Timestamp) -> Fact {
    let facts = MessageFacts::canceled(at);
    Fact::Status(StatusFact { of: Target::Deployment(deployment), facts, recipient: None })
}
