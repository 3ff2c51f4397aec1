//! Deployments: attempts to deliver a version to a user.

use super::clock::Timestamp;
use super::failure::Failure;
use super::id::{DeploymentId, SendId, UserId};
use super::merge::{DeploymentFacts, MessageFacts};
use super::standing::{Cell, DeploymentStatus};

/// One attempt to deliver a version to a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deployment {
    /// The deployment's id.
    pub id: DeploymentId,
    /// The user that it is for.
    pub user: UserId,
    /// The send that created it; `None` if an inbound message did.
    pub send: Option<SendId>,
    /// 1, 2, 3 … within the user; the highest is the latest.
    pub number: i32,
    /// When it was due to be sent.
    pub queued_at: Timestamp,
    /// The facts of the deployment itself.
    pub facts: DeploymentFacts,
    /// The facts of its first message, if it has one.
    pub first: Option<MessageFacts>,
}

impl Deployment {
    /// Its status, stage, session status and failure reason.
    pub fn cell(&self) -> Cell {
        Cell::of(&self.facts, self.first.as_ref())
    }

    /// The facts of the deployment merged with those of its first message.
    pub fn progress(&self) -> MessageFacts {
        self.facts.with_first(self.first.as_ref())
    }

    /// Why it failed; `None` unless its status is `Failed`.
    pub fn failure(&self) -> Option<Failure> {
        self.progress().failure().filter(|_| self.cell().status == DeploymentStatus::Failed)
    }

    /// When it was reported as failed, even if it turned out later to have been delivered.
    pub fn failed_at(&self) -> Option<Timestamp> {
        self.progress().failure().map(|failure| failure.at)
    }
}
