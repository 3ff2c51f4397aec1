//! Sending: accepting submissions, and the dispatcher that calls the provider.
//!
//! A submission stores its users, deployments, first messages and outbox rows in one transaction. The users of a list are
//! staged as they arrive (`uploads`), and so are the failed users of a send that is retried (`retry`); their deployments are
//! made afterwards, chunk by chunk (`prepare`). A dispatcher owns a line by a lease in the database, so exactly one node sends
//! on it, and a local limiter enforces its rate. It claims messages before it calls, and records the answers as facts like any
//! others. What is under way can be paused and canceled (`control`, `cancel`), and what did not happen in time is settled by
//! any node (`deadlines`). What agents do in sessions is recorded by `agents`, and leaves by the same outbox.
//!
//! No message is ever sent twice: only what certainly did not arrive is retried automatically. Any other call without a
//! recorded answer waits for a webhook, and after a grace period its outcome is unknown.

mod agents;
mod backoff;
mod call;
mod cancel;
mod control;
mod deadlines;
mod desk;
mod destination;
mod dispatcher;
mod pace;
mod pairs;
mod persist;
mod prepare;
mod recipient;
mod retry;
pub mod sends;
pub mod uploads;
mod worker;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;

pub use agents::{AgentError, AgentFault, Writing};
pub use cancel::Cancellations;
pub use control::ControlFault;
pub use deadlines::Deadlines;
pub use dispatcher::{Dispatcher, Parts};
pub use prepare::Preparer;
pub use recipient::{MAX_VARIABLES, Recipient, check_variable_name};
pub use retry::{Retried, RetryChoice, RetryFault, RetryGroup, RetryRequest};
pub use sends::{MAX_USERS, Sends, Submission, SubmissionFault};
pub use uploads::Uploads;

/// What wakes the background of this node without waiting for its next poll.
#[derive(Debug, Clone, Default)]
pub struct Nudges {
    /// There is something to send.
    pub work: Arc<Notify>,
    /// Users were staged.
    pub staged: Arc<Notify>,
    /// A send was canceled.
    pub canceled: Arc<Notify>,
}

/// The settings of the dispatcher.
#[derive(Debug, Clone, Copy)]
pub struct DispatchSettings {
    /// How long a lease lasts unless renewed, and so how long a dead node's lines are not served.
    pub lease: Duration,
    /// The time between two polls for lines with due messages.
    pub poll_interval: Duration,
    /// How long after its last activity a session with an agent takes precedence over sends.
    pub agent_session: Duration,
    /// The most different contacts that a workspace reaches in 24 hours; `None` if that is not limited.
    pub daily_contacts: Option<u32>,
}
