//! Finds lines with due messages and starts a worker for each.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use super::worker::Limits;
use super::{DispatchSettings, worker};
use crate::domain::clock::Clock;
use crate::domain::id::{LineId, new_key};
use crate::recorder::Recorder;
use crate::rounds::Rounds;
use crate::storage::outbox::LineToServe;
use crate::storage::{Database, StorageError, outbox};
use crate::whatsapp::client::CloudApi;

/// Sends the messages in the outbox, on the lines whose leases this node gets. Cheap to clone.
#[derive(Clone)]
pub struct Dispatcher(Arc<Inner>);

/// What a dispatcher needs.
pub struct Parts {
    /// The database with the outbox.
    pub db: Database,
    /// The recorder for the provider's answers.
    pub recorder: Recorder,
    /// The client of the provider.
    pub api: CloudApi,
    /// The clock for due times and leases.
    pub clock: Arc<dyn Clock>,
    /// Notified when a send is submitted on this node.
    pub work: Arc<Notify>,
    /// The tracker on which workers are spawned.
    pub tasks: TaskTracker,
    /// The settings of the dispatcher.
    pub settings: DispatchSettings,
}

pub(super) struct Inner {
    pub(super) parts: Parts,
    /// Identifies this node in leases.
    pub(super) owner: Uuid,
    served: Mutex<HashSet<LineId>>,
    /// The limits of the lines that this node served.
    limits: Mutex<HashMap<LineId, Limits>>,
}

/// Marks a line as served by this node until it is dropped, also if the worker panics.
struct Served {
    inner: Arc<Inner>,
    line: LineId,
}

impl Dispatcher {
    /// A dispatcher made of these parts.
    pub fn new(parts: Parts) -> Self {
        Self(Arc::new(Inner { parts, owner: new_key(), served: Mutex::default(), limits: Mutex::default() }))
    }

    /// Serves lines until `shutdown`. The workers then finish their pending calls and release their leases.
    pub async fn run(self, shutdown: CancellationToken) {
        let Parts { work, settings, .. } = &self.0.parts;
        let mut rounds = Rounds::every(settings.poll_interval, shutdown.clone()).and_when(Arc::clone(work));
        while rounds.next().await {
            if let Err(error) = self.serve_lines(&shutdown).await {
                tracing::warn!(error = &error as &dyn std::error::Error, "cannot read the lines with due messages");
            }
        }
    }

    async fn serve_lines(&self, shutdown: &CancellationToken) -> Result<(), StorageError> {
        let parts = &self.0.parts;
        let lines = outbox::lines_to_serve(&parts.db, parts.clock.now()).await?;
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

    /// The limits of a line, if this node has served it.
    pub(super) fn take_limits(&self, line: LineId) -> Option<Limits> {
        self.limits.lock().unwrap_or_else(PoisonError::into_inner).remove(&line)
    }

    /// Keeps the limits of a line for the next time that this node serves it.
    pub(super) fn keep_limits(&self, line: LineId, limits: Limits) {
        self.limits.lock().unwrap_or_else(PoisonError::into_inner).insert(line, limits);
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
        tracing::warn!(error = &error as &dyn std::error::Error, line.id = %line, "sending on a line is suspended");
        let rest = inner.parts.settings.poll_interval;
        tokio::select! { () = shutdown.cancelled() => {}, () = tokio::time::sleep(rest) => {} }
    }
}
