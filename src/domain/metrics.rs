//! The metrics of a version, all as of the same instant.

use super::clock::Timestamp;
use super::failure::FailureReason;
use super::id::VersionId;
use super::standing::{DeploymentStatus, Stage};
use super::tally::Tally;

/// The columns of a version that are read together with its tally.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionHead {
    /// The version's id.
    pub id: VersionId,
    /// 1, 2, 3 … within the conversation.
    pub number: i32,
    /// The number of its last change; 0 before the first.
    pub revision: i64,
    /// When the last change was recorded or, before the first, when the version was published.
    pub as_of: Timestamp,
    /// How many deployments there are; a user who was sent to twice counts twice.
    pub total_deployments: i64,
}

/// The metrics of a version. Every user counts in exactly one of `messages_sent`, `in_process` and `send_failure`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Metrics {
    head: VersionHead,
    tally: Tally,
}

impl Metrics {
    /// The metrics from a tally and the version's head, which must have been read by the same statement.
    pub const fn new(head: VersionHead, tally: Tally) -> Self {
        Self { head, tally }
    }

    /// The version's head.
    pub const fn head(&self) -> &VersionHead {
        &self.head
    }

    /// The tally that the metrics are sums of.
    pub const fn tally(&self) -> &Tally {
        &self.tally
    }

    /// All users to whom the version was deployed, successfully or not.
    pub fn total_users(&self) -> i64 {
        self.tally.total()
    }

    /// Users whose phone the message reached.
    pub fn messages_sent(&self) -> i64 {
        self.tally.count(|cell| reached(cell.status))
    }

    /// Users whose message has neither reached the phone nor failed.
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

    /// Responses as a percentage of the messages sent, 0 to 100; `None` if none was sent.
    pub fn response_rate(&self) -> Option<f64> {
        let sent = self.messages_sent();
        #[expect(clippy::cast_precision_loss, reason = "exact up to 2^53 users")]
        (sent > 0).then(|| self.responses() as f64 / sent as f64 * 100.0)
    }

    /// Users who read the message. This is a lower bound, since users can turn off read receipts.
    pub fn read(&self) -> i64 {
        self.tally.with_status(DeploymentStatus::Read)
    }

    /// Users at a stage.
    pub fn at_stage(&self, stage: Stage) -> i64 {
        self.tally.count(|cell| cell.stage == Some(stage))
    }

    /// The failure reasons that occur and how many users have each, most frequent first.
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

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;
    use crate::domain::arbitrary::{cell, config};
    use crate::domain::id::new_key;
    use crate::domain::standing::Cell;

    fn metrics(cells: &[Cell]) -> Metrics {
        let head = VersionHead {
            id: new_key().into(),
            number: 1,
            revision: 0,
            as_of: Timestamp::MIN,
            total_deployments: i64::try_from(cells.len()).unwrap(),
        };
        Metrics::new(head, cells.iter().map(|&cell| (cell, 1)).collect())
    }

    proptest! {
        #![proptest_config(config())]

        #[test]
        fn every_user_is_sent_to_in_process_or_failed(cells in vec(cell(), 0..12)) {
            let metrics = metrics(&cells);
            let parts = metrics.messages_sent() + metrics.in_process() + metrics.send_failure();
            prop_assert_eq!(metrics.total_users(), parts);
            let statuses: i64 = metrics.tally().by_status().iter().map(|(_, count)| count).sum();
            prop_assert_eq!(metrics.total_users(), statuses);
            prop_assert_eq!(metrics.total_users(), i64::try_from(cells.len()).unwrap());
        }

        #[test]
        fn only_users_who_were_reached_respond(cells in vec(cell(), 0..12)) {
            let metrics = metrics(&cells);
            prop_assert!(metrics.responses() <= metrics.messages_sent());
            prop_assert!(metrics.read() <= metrics.messages_sent());
            let stages = metrics.at_stage(Stage::InFlow) + metrics.at_stage(Stage::Finished);
            prop_assert_eq!(metrics.responses(), stages);
            prop_assert_eq!(metrics.response_rate().is_none(), metrics.messages_sent() == 0);
            prop_assert!(metrics.response_rate().is_none_or(|rate| (0.0..=100.0).contains(&rate)));
        }

        #[test]
        fn every_failed_user_has_one_reason(cells in vec(cell(), 0..12)) {
            let metrics = metrics(&cells);
            let reasons: Vec<_> = metrics.by_failure();
            prop_assert_eq!(metrics.send_failure(), reasons.iter().map(|(_, count)| count).sum::<i64>());
            prop_assert!(reasons.is_sorted_by_key(|&(_, count)| std::cmp::Reverse(count)));
        }
    }
}
