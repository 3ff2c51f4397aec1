//! Makes the deployments of staged users, on every node: whoever locks a send first makes its next chunk.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::destination::Destination;
use crate::domain::clock::Clock;
use crate::domain::id::{SendId, WorkspaceId};
use crate::recorder::Recorder;
use crate::rounds::Rounds;
use crate::storage::sends::prepare::{self, Chunk, Plan};
use crate::storage::{Database, FaultKind, StorageError, Tenant, sends};

/// Makes deployments of staged users. Cheap to clone.
#[derive(Clone)]
pub struct Preparer {
    /// The database with the staged users.
    pub db: Database,
    /// Is told of commits.
    pub recorder: Recorder,
    /// The clock for due times.
    pub clock: Arc<dyn Clock>,
    /// Notified when users were staged on this node.
    pub staged: Arc<Notify>,
    /// Notifies the dispatcher of this node that there is something to send.
    pub work: Arc<Notify>,
    /// The time between two looks at what other nodes have staged.
    pub poll_interval: Duration,
}

impl Preparer {
    /// Prepares sends until `shutdown`.
    pub async fn run(self, shutdown: CancellationToken) {
        let mut rounds = Rounds::every(self.poll_interval, shutdown).and_when(Arc::clone(&self.staged));
        while rounds.next().await {
            // A chunk of each send in turn, so that a long list holds up no short one.
            while !rounds.are_over() && self.prepare_each().await {}
        }
    }

    /// Makes a chunk of each send that is being prepared. Returns whether any was made.
    async fn prepare_each(&self) -> bool {
        let sends = prepare::list_unprepared(&self.db).await.unwrap_or_else(|error| {
            tracing::warn!(error = &error as &dyn std::error::Error, "cannot read the sends to prepare");
            Vec::new()
        });
        let mut made = false;
        for (workspace, send) in sends {
            made |= self.prepare(workspace, send).await;
        }
        made
    }

    async fn prepare(&self, workspace: WorkspaceId, send: SendId) -> bool {
        let tenant = Tenant::new(self.db.clone(), workspace);
        match self.chunk(&tenant, send).await {
            Ok(Chunk::Done { revisions, known }) => {
                self.recorder.committed(workspace, &revisions, &known).await;
                self.work.notify_one();
                true
            }
            Ok(Chunk::Nothing) => false,
            // Another node was faster.
            Err(error) if error.kind() == FaultKind::Race => false,
            Err(error) => {
                let cause = &error as &dyn std::error::Error;
                tracing::warn!(error = cause, send.id = %send, "preparing a send is suspended");
                false
            }
        }
    }

    async fn chunk(&self, tenant: &Tenant, id: SendId) -> Result<Chunk, StorageError> {
        let Some(send) = sends::find_many(tenant, &[id]).await?.remove(&id) else { return Ok(Chunk::Nothing) };
        let destination = Destination::of_send(tenant, &send).await?;
        let (order, template) = (destination.order(&send), destination.template());
        prepare::chunk(tenant, &Plan { send, order, template }, self.clock.now()).await
    }
}
