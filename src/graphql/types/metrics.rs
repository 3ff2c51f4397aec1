//! The figures of a version.

use std::sync::Arc;

use async_graphql::{Description, Object, SimpleObject};

use super::failure::FailureReason;
use super::standing::DeploymentStatus;
use crate::domain;
use crate::domain::standing::Stage;
use crate::domain::tally::Tally;
use crate::graphql::connection::int;
use crate::graphql::scalars::DateTime;

/// A version's metrics. All figures of one `Metrics` describe the same moment, and each user of the version counts in
/// exactly one of `messagesSent`, `inProcess` and `sendFailure`: the three add up to `totalUsers`. Reading them costs
/// the same whatever the number of users.
#[derive(Description)]
pub(crate) struct Metrics(pub(crate) Arc<domain::metrics::Metrics>);

/// How many users or deployments have one deployment status.
#[derive(SimpleObject)]
pub(crate) struct StatusCount {
    /// The status.
    status: DeploymentStatus,
    /// How many have it.
    count: i32,
}

/// How many users failed for one reason.
#[derive(SimpleObject)]
pub(crate) struct FailureCount {
    /// The reason.
    reason: FailureReason,
    /// How many users failed for it.
    count: i32,
}

#[Object(use_type_description)]
impl Metrics {
    /// The number of the version these figures describe.
    async fn version_number(&self) -> i32 {
        self.0.head().number
    }

    /// Users to whom the version was, or is to be, sent. Each user counts once, however often it was sent to them.
    async fn total_users(&self) -> i32 {
        int(self.0.total_users())
    }

    /// Users whose phone the message has reached: DELIVERED or READ.
    async fn messages_sent(&self) -> i32 {
        int(self.0.messages_sent())
    }

    /// Users whose message is still on its way: QUEUED, ACCEPTED, HELD, or SENT to a phone that is off.
    async fn in_process(&self) -> i32 {
        int(self.0.in_process())
    }

    /// Users whose message FAILED.
    async fn send_failure(&self) -> i32 {
        int(self.0.send_failure())
    }

    /// The same figure as `messagesSent`, under the name it has among the deployment states.
    async fn delivered(&self) -> i32 {
        int(self.0.messages_sent())
    }

    /// Users who answered the first message with text, media or a button. A reaction does not count.
    async fn responses(&self) -> i32 {
        int(self.0.responses())
    }

    /// The percentage of reached users who answered: `responses` divided by `messagesSent`, times 100. Null while
    /// `messagesSent` is 0.
    async fn response_rate(&self) -> Option<f64> {
        self.0.response_rate()
    }

    /// Users who are known to have read the message. There may be more, since users can turn read receipts off.
    async fn read(&self) -> i32 {
        int(self.0.read())
    }

    /// Users who have answered but not finished.
    async fn in_flow(&self) -> i32 {
        int(self.0.at_stage(Stage::InFlow))
    }

    /// Users who answered a final step of the flow.
    async fn finished(&self) -> i32 {
        int(self.0.at_stage(Stage::Finished))
    }

    /// Users by deployment status: every status once, even if its count is 0, in the order of the enum.
    async fn by_status(&self) -> Vec<StatusCount> {
        by_status(self.0.tally())
    }

    /// Failed users by reason: only reasons that occur, most frequent first.
    async fn by_failure(&self) -> Vec<FailureCount> {
        let counts = self.0.by_failure().into_iter();
        counts.map(|(reason, count)| FailureCount { reason: reason.into(), count: int(count) }).collect()
    }

    /// When the latest change included here was recorded; before the first change, when the version was published.
    async fn as_of(&self) -> DateTime {
        self.0.head().as_of.into()
    }

    /// The number of the latest change included here; 0 before the first. Of two `Metrics` of the same version, the one
    /// with the higher revision is newer. `userChanged(afterRevision:)` continues from here.
    async fn revision(&self) -> i32 {
        int(self.0.head().revision)
    }

    /// Attempts to deliver the version to a user: a user to whom it was sent twice counts twice.
    async fn total_deployments(&self) -> i32 {
        int(self.0.head().total_deployments)
    }
}

/// Every status with its count, in the order of the enum.
pub(crate) fn by_status(tally: &Tally) -> Vec<StatusCount> {
    let counts = tally.by_status().into_iter();
    counts.map(|(status, count)| StatusCount { status: status.into(), count: int(count) }).collect()
}
