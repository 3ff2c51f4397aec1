//! Finds lines with work and serves each by a worker.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use super::worker::WorkerError;
use super::{DispatchSettings, worker};
use crate::domain::clock::Clock;
use crate::domain::id::{LineId, new_key};
use crate::recorder::Recorder;
use crate::storage::outbox::LineToServe;
use crate::storage::{Database, StorageError, outbox};
use crate::whatsapp::client::CloudApi;

/// Sends what the outbox holds, on the lines that this node gets hold of.
#[derive(Clone)]
pub struct Dispatcher(Arc<Inner>);

/// What a dispatcher is made of.
pub struct Parts {
    /// Where the outbox is.
    pub db: Database,
    /// Where answers go.
    pub recorder: Recorder,
    /// The provider.
    pub api: CloudApi,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Told when a send comes in on this node.
    pub work: Arc<Notify>,
    /// Where workers run.
    pub tasks: TaskTracker,
    /// How it works.
    pub settings: DispatchSettings,
}

pub(super) struct Inner {
    pub(super) parts: Parts,
    /// Names this node in leases.
    pub(super) owner: Uuid,
    served: Mutex<HashSet<LineId>>,
}

/// A line that this node serves; it is one no longer when this goes, also where a worker panics.
struct Served {
    inner: Arc<Inner>,
    line: LineId,
}

impl Dispatcher {
    /// A dispatcher of these parts.
    pub fn new(parts: Parts) -> Self {
        Self(Arc::new(Inner { parts, owner: new_key(), served: Mutex::default() }))
    }

    /// Serves lines until `shutdown`; then workers finish the calls under way and give their leases back.
    pub async fn run(self, shutdown: CancellationToken) {
        let mut ticks = tokio::time::interval(self.0.parts.settings.poll_interval);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return,
                _ = ticks.tick() => {}
                () = self.0.parts.work.notified() => {}
            }
            if let Err(error) = self.serve_lines(&shutdown).await {
                tracing::warn!(error = &error as &dyn std::error::Error, "lines with work were not read");
            }
        }
    }

    async fn serve_lines(&self, shutdown: &CancellationToken) -> Result<(), StorageError> {
        let parts = &self.0.parts;
        let now = parts.clock.now();
        let lines = outbox::lines_to_serve(&parts.db, now, now.minus(parts.settings.unknown_grace)).await?;
        for line in lines {
            if self.0.take(line.id) {
                let served = Served { inner: Arc::clone(&self.0), line: line.id };
                parts.tasks.spawn(serve(served, line, shutdown.clone()));
            }
        }
        Ok(())
    }
}

impl Inner {
    fn take(&self, line: LineId) -> bool {
        self.served.lock().unwrap_or_else(PoisonError::into_inner).insert(line)
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.inner.served.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.line);
    }
}

async fn serve(served: Served, line: LineToServe, shutdown: CancellationToken) {
    let inner = &served.inner;
    if let Err(error) = worker::serve(inner, line, &shutdown).await {
        let line = served.line;
        tracing::warn!(error = &error as &dyn std::error::Error, line.id = %line, "a line is not served for a while");
        let stopped = matches!(error, WorkerError::Line(_));
        let rest = if stopped { inner.parts.settings.line_rest } else { inner.parts.settings.poll_interval };
        tokio::select! { () = shutdown.cancelled() => {}, () = tokio::time::sleep(rest) => {} }
    }
}
