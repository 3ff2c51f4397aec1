//! Sends out: taking submissions in, and the dispatcher that calls the provider.
//!
//! A submission stores its users, deployments, first messages and outbox rows in one transaction. A dispatcher owns a line
//! by a lease in the database, so exactly one node sends on it and one local limiter keeps its rate. It claims before it
//! calls, and what it learns is facts, recorded like any other.
//!
//! No message is ever sent twice: sent again by itself is only what certainly did not arrive. Every other call without an
//! answer that was recorded waits for a webhook, and after a grace period its outcome is unknown.

mod call;
mod dispatcher;
mod retry;
pub mod sends;
mod worker;

use std::time::Duration;

pub use dispatcher::{Dispatcher, Parts};
pub use sends::{MAX_USERS, MAX_VARIABLES, Recipient, Sends, Submission, SubmissionFault};

/// How the dispatcher works.
#[derive(Debug, Clone, Copy)]
pub struct DispatchSettings {
    /// How long a lease lasts; another node takes a dead one's line over after so long.
    pub lease: Duration,
    /// How often lines with work are looked for.
    pub poll_interval: Duration,
    /// How long the outcome of a call may stay open before it is unknown.
    pub unknown_grace: Duration,
    /// How long a line rests after an error of the line or its account.
    pub line_rest: Duration,
    /// How often a message that the provider asks to send later is tried before it fails.
    pub attempts: i32,
}
