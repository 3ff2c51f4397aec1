//! Trims the logs of versions: what was recorded long ago is removed, and the version remembers how far.
//!
//! Any node may do it, and several may at once. It goes in small steps, each under its version's lock, so that nobody who
//! records waits for long.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::domain::clock::Clock;
use crate::rounds::Rounds;
use crate::storage::{Database, StorageError, changes};

/// How often old changes are looked for.
const INTERVAL: Duration = Duration::from_mins(1);
/// The most changes that are removed under a version's lock at a time.
const STEP_SIZE: u32 = 1_000;
/// The most versions that are looked up at a time.
const BATCH_SIZE: u32 = 100;

/// Removes changes once they are old.
pub struct Trimmer {
    /// The database.
    pub db: Database,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// How long a change stays in the log.
    pub keep: Duration,
}

impl Trimmer {
    /// Trims logs until `shutdown`.
    pub async fn run(self, shutdown: CancellationToken) {
        let mut rounds = Rounds::every(INTERVAL, shutdown);
        while rounds.next().await {
            let work = async {
                if let Err(error) = self.trim().await {
                    tracing::warn!(error = &error as &dyn std::error::Error, "the logs of versions are not trimmed");
                }
            };
            rounds.unless_ended(work).await;
        }
    }

    async fn trim(&self) -> Result<(), StorageError> {
        let before = self.clock.now().minus(self.keep);
        loop {
            let versions = changes::beginning_before(&self.db, before, BATCH_SIZE).await?;
            for version in &versions {
                while changes::trim(&self.db, *version, before, STEP_SIZE).await? == u64::from(STEP_SIZE) {}
            }
            if versions.len() < BATCH_SIZE as usize {
                return Ok(());
            }
        }
    }
}
