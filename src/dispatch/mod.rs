//! Sending: accepting submissions, and the dispatcher that calls the provider.
//!
//! A submission stores its users, deployments, first messages and outbox rows in one transaction. The users of a list are
//! staged as they arrive (`uploads`), and their deployments are made afterwards, chunk by chunk (`prepare`). A dispatcher owns a line by
//! a lease in the database, so exactly one node sends on it, and a local limiter enforces its rate. It claims messages before
//! it calls, and records the answers as facts like any others.
//!
//! No message is ever sent twice: only what certainly did not arrive is retried automatically. Any other call without a
//! recorded answer waits for a webhook, and after a grace period its outcome is unknown.

mod call;
mod destination;
mod dispatcher;
mod prepare;
mod recipient;
mod retry;
pub mod sends;
pub mod uploads;
mod worker;

use std::time::Duration;

pub use dispatcher::{Dispatcher, Parts};
pub use prepare::Preparer;
pub use recipient::{MAX_VARIABLES, Recipient, check_variable_name};
pub use sends::{MAX_USERS, Sends, Submission, SubmissionFault};
pub use uploads::Uploads;

/// The settings of the dispatcher.
#[derive(Debug, Clone, Copy)]
pub struct DispatchSettings {
    /// How long a lease lasts unless renewed, and so how long a dead node's lines are not served.
    pub lease: Duration,
    /// The time between two polls for lines with due messages.
    pub poll_interval: Duration,
    /// How long to wait for the outcome of an unanswered call before it is recorded as unknown.
    pub unknown_grace: Duration,
    /// How long nothing is sent on a line after an error of the line or its account.
    pub line_rest: Duration,
    /// How many attempts are made at a message that the provider keeps rejecting temporarily, before it fails.
    pub attempts: i32,
}
