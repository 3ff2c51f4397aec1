//! The figures of a version.

use std::sync::Arc;

use async_graphql::{Description, Object, SimpleObject};

use super::super::connection::int;
use super::super::scalars::DateTime;
use super::failure::FailureReason;
use super::standing::DeploymentStatus;
use crate::domain;
use crate::domain::standing::Stage;
use crate::domain::tally::Tally;

/// How a version does. All figures of one `Metrics` were true at the same moment, and each user of the version stands in
/// exactly one of `messagesSent`, `inProcess` and `sendFailure`: the three add up to `totalUsers`. They cost the same
/// whatever the number of users.
#[derive(Description)]
pub(crate) struct Metrics(pub(crate) Arc<domain::metrics::Metrics>);

/// How many stand at one deployment status.
#[derive(SimpleObject)]
pub(crate) struct StatusCount {
    /// The status.
    status: DeploymentStatus,
    /// How many stand there.
    count: i32,
}

/// How many failed for one reason.
#[derive(SimpleObject)]
pub(crate) struct FailureCount {
    /// The reason.
    reason: FailureReason,
    /// How many failed for it.
    count: i32,
}

#[Object(use_type_description)]
impl Metrics {
    /// The number of the version that these figures are of.
    async fn version_number(&self) -> i32 {
        self.0.head().number
    }

    /// Users that the version was, or is to be, sent to. However often it was sent to a user, the user counts once.
    async fn total_users(&self) -> i32 {
        int(self.0.total_users())
    }

    /// Users whose phone it reached: DELIVERED or READ.
    async fn messages_sent(&self) -> i32 {
        int(self.0.messages_sent())
    }

    /// Users whose message is still under way: QUEUED, ACCEPTED, HELD, or SENT to a phone that is off.
    async fn in_process(&self) -> i32 {
        int(self.0.in_process())
    }

    /// Users whose message FAILED.
    async fn send_failure(&self) -> i32 {
        int(self.0.send_failure())
    }

    /// The same figure as `messagesSent`, under its name among the deployment states.
    async fn delivered(&self) -> i32 {
        int(self.0.messages_sent())
    }

    /// Users who answered the first message with a text, a medium or a button. A reaction is no answer.
    async fn responses(&self) -> i32 {
        int(self.0.responses())
    }

    /// How many of a hundred reached users answered: `responses` divided by `messagesSent`, times 100. Null while
    /// `messagesSent` is 0.
    async fn response_rate(&self) -> Option<f64> {
        self.0.response_rate()
    }

    /// Users who are known to have read it. There may be more, since users can turn read receipts off.
    async fn read(&self) -> i32 {
        int(self.0.read())
    }

    /// Users who answered and have not finished.
    async fn in_flow(&self) -> i32 {
        int(self.0.at_stage(Stage::InFlow))
    }

    /// Users who answered a final step of the flow.
    async fn finished(&self) -> i32 {
        int(self.0.at_stage(Stage::Finished))
    }

    /// Users by deployment status: every status once, also where nobody stands there, in the order of the enum.
    async fn by_status(&self) -> Vec<StatusCount> {
        by_status(self.0.tally())
    }

    /// Failed users by reason: only reasons that occur, the most frequent first.
    async fn by_failure(&self) -> Vec<FailureCount> {
        let counts = self.0.by_failure().into_iter();
        counts.map(|(reason, count)| FailureCount { reason: reason.into(), count: int(count) }).collect()
    }

    /// When the newest change counted here was recorded; before the first change, when the version was published.
    async fn as_of(&self) -> DateTime {
        self.0.head().as_of.into()
    }

    /// The number of the newest change counted here, 0 before the first. Of two `Metrics` of one version, the one with the
    /// greater revision is the newer. `userChanged(afterRevision:)` continues from here.
    async fn revision(&self) -> i32 {
        int(self.0.head().revision)
    }

    /// Attempts to bring the version to a user: a user it was sent to twice counts twice.
    async fn total_deployments(&self) -> i32 {
        int(self.0.head().total_deployments)
    }
}

/// Every status with its count, in the order of the enum.
pub(crate) fn by_status(tally: &Tally) -> Vec<StatusCount> {
    let counts = tally.by_status().into_iter();
    counts.map(|(status, count)| StatusCount { status: status.into(), count: int(count) }).collect()
}
