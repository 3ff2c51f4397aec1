//! Deployments: attempts to bring a version to a user.

use super::clock::Timestamp;
use super::failure::Failure;
use super::id::{DeploymentId, SendId, UserId};
use super::merge::{DeploymentFacts, MessageFacts};
use super::standing::{Cell, DeploymentStatus};

/// One attempt to bring a version to a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deployment {
    /// Its id.
    pub id: DeploymentId,
    /// The user it is for.
    pub user: UserId,
    /// The send it is of; none for one that an inbound message began.
    pub send: Option<SendId>,
    /// Its number within the user; the highest is the latest.
    pub number: i32,
    /// When it was due.
    pub queued_at: Timestamp,
    /// What is known of it.
    pub facts: DeploymentFacts,
    /// What is known of its first message.
    pub first: Option<MessageFacts>,
}

impl Deployment {
    /// Where it stands.
    pub fn cell(&self) -> Cell {
        Cell::of(&self.facts, self.first.as_ref())
    }

    /// Everything known of how far it got.
    pub fn progress(&self) -> MessageFacts {
        self.facts.with_first(self.first.as_ref())
    }

    /// Why it failed, while it is failed.
    pub fn failure(&self) -> Option<Failure> {
        self.progress().failure().filter(|_| self.cell().status == DeploymentStatus::Failed)
    }

    /// When it failed, even where delivery later showed otherwise.
    pub fn failed_at(&self) -> Option<Timestamp> {
        self.progress().failure().map(|failure| failure.at)
    }
}
