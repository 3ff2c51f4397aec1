//! Control over sends that are under way: pausing, resuming, canceling. Each can be repeated without harm.

use super::Sends;
use crate::domain::id::{LineId, SendId};
use crate::domain::send::SendState;
use crate::storage::sends::control;
use crate::storage::{StorageError, Tenant, lines, sends};

/// Why a send is left as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ControlFault {
    /// The send does not exist.
    NoSend,
    /// The send is completed.
    Completed,
    /// The send is canceled.
    Canceled,
}

impl Sends {
    /// Pauses a send: what is in flight finishes, and nothing more leaves the queue.
    pub async fn pause(&self, tenant: &Tenant, send: SendId) -> Result<Result<(), ControlFault>, StorageError> {
        let paused = control::pause(tenant, send, self.now()).await?;
        self.outcome(tenant, send, paused, &[]).await
    }

    /// Resumes a paused send. One that is not paused stays as it is.
    pub async fn resume(&self, tenant: &Tenant, send: SendId) -> Result<Result<(), ControlFault>, StorageError> {
        let resumed = control::resume(tenant, send).await?;
        self.nudges.work.notify_one();
        self.outcome(tenant, send, resumed, &[SendState::Completed]).await
    }

    /// Cancels a send: what is in flight finishes, and what is queued fails.
    pub async fn cancel(&self, tenant: &Tenant, send: SendId) -> Result<Result<(), ControlFault>, StorageError> {
        let canceled = control::cancel(tenant, send, self.now()).await?;
        self.nudges.canceled.notify_one();
        self.outcome(tenant, send, canceled, &[SendState::Canceled]).await
    }

    /// Lets a stopped line send again.
    pub async fn resume_line(&self, tenant: &Tenant, line: LineId) -> Result<(), StorageError> {
        lines::resume(tenant, line, self.now()).await?;
        self.nudges.work.notify_one();
        Ok(())
    }

    /// What came of a request that may have changed nothing: it is in order in some states.
    async fn outcome(
        &self,
        tenant: &Tenant,
        send: SendId,
        changed: bool,
        in_order: &[SendState],
    ) -> Result<Result<(), ControlFault>, StorageError> {
        if changed {
            return Ok(Ok(()));
        }
        let Some(send) = sends::find_many(tenant, &[send]).await?.remove(&send) else {
            return Ok(Err(ControlFault::NoSend));
        };
        let state = send.state(self.now());
        Ok(match state {
            _ if in_order.contains(&state) => Ok(()),
            SendState::Canceled => Err(ControlFault::Canceled),
            _ => Err(ControlFault::Completed),
        })
    }
}
