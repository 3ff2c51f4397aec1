//! The figures of a version, all of one instant.

use super::clock::Timestamp;
use super::failure::FailureReason;
use super::id::VersionId;
use super::standing::{DeploymentStatus, Stage};
use super::tally::Tally;

/// What stands beside a version's tally and is read together with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionHead {
    /// The version.
    pub id: VersionId,
    /// Its number within the conversation.
    pub number: i32,
    /// The number of its last change; 0 before the first.
    pub revision: i64,
    /// When the last change was recorded, or else when the version was published.
    pub as_of: Timestamp,
    /// Attempts: a user sent to twice counts twice.
    pub total_deployments: i64,
}

/// The figures of a version. Every user stands in exactly one of sent, in process and failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Metrics {
    head: VersionHead,
    tally: Tally,
}

impl Metrics {
    /// The figures of a tally read in one statement with the version's head.
    pub const fn new(head: VersionHead, tally: Tally) -> Self {
        Self { head, tally }
    }

    /// What the figures were read with.
    pub const fn head(&self) -> &VersionHead {
        &self.head
    }

    /// The tally they are sums of.
    pub const fn tally(&self) -> &Tally {
        &self.tally
    }

    /// Users that the version was attempted to be deployed to.
    pub fn total_users(&self) -> i64 {
        self.tally.total()
    }

    /// Users whose phone it reached.
    pub fn messages_sent(&self) -> i64 {
        self.tally.count(|cell| reached(cell.status))
    }

    /// Users whose message is neither on the phone nor failed.
    pub fn in_process(&self) -> i64 {
        self.tally.count(|cell| !reached(cell.status) && cell.status != DeploymentStatus::Failed)
    }

    /// Users whose message failed.
    pub fn send_failure(&self) -> i64 {
        self.tally.with_status(DeploymentStatus::Failed)
    }

    /// Users who answered the first message.
    pub fn responses(&self) -> i64 {
        self.tally.count(|cell| cell.stage.is_some())
    }

    /// Responses for each hundred messages sent; none while nothing was sent.
    pub fn response_rate(&self) -> Option<f64> {
        let sent = self.messages_sent();
        #[expect(clippy::cast_precision_loss, reason = "exact up to 2^53 users")]
        (sent > 0).then(|| self.responses() as f64 / sent as f64 * 100.0)
    }

    /// Users who read it; a lower bound.
    pub fn read(&self) -> i64 {
        self.tally.with_status(DeploymentStatus::Read)
    }

    /// Users at a stage.
    pub fn at_stage(&self, stage: Stage) -> i64 {
        self.tally.count(|cell| cell.stage == Some(stage))
    }

    /// Failure reasons that occur, most frequent first.
    pub fn by_failure(&self) -> Vec<(FailureReason, i64)> {
        let count = |reason| self.tally.count(|cell| cell.failure_reason == Some(reason));
        let mut counts: Vec<_> = FailureReason::ALL.iter().map(|&reason| (reason, count(reason))).collect();
        counts.retain(|&(_, count)| count > 0);
        counts.sort_by_key(|&(reason, count)| (std::cmp::Reverse(count), reason));
        counts
    }
}

const fn reached(status: DeploymentStatus) -> bool {
    matches!(status, DeploymentStatus::Delivered | DeploymentStatus::Read)
}
