//! Sends: one submission of users to a conversation's current version.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::clock::Timestamp;
use super::id::{ConversationId, SendId, VersionId};

/// The times to live that the provider knows.
pub const TIMES_TO_LIVE: RangeInclusive<Duration> = Duration::from_secs(30)..=Duration::from_hours(30 * 24);

/// A submission of users to a conversation's current version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Send {
    /// The send's id.
    pub id: SendId,
    /// The conversation that was sent.
    pub conversation: ConversationId,
    /// The version that was sent.
    pub version: VersionId,
    /// How many users were submitted; each phone number counts once.
    pub total_users: i32,
    /// When it was submitted.
    pub created_at: Timestamp,
    /// When it is due; `None` if it was due immediately.
    pub scheduled_at: Option<Timestamp>,
    /// When its last deployment left the queue; `None` until then.
    pub completed_at: Option<Timestamp>,
    /// When it was canceled; `None` if it was not.
    pub canceled_at: Option<Timestamp>,
    /// From when on nothing of it is sent; `None` while it is not paused.
    pub paused_at: Option<Timestamp>,
    /// Whether deployments of staged users are still to be made.
    pub preparing: bool,
    /// How long after its acceptance an undelivered message expires; `None` if the template's category decides.
    pub time_to_live: Option<Duration>,
    /// The send whose failed users it retries, if it does.
    pub retry_of: Option<SendId>,
}

/// The state of a send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SendState {
    /// The deployments of its users are still being made.
    Preparing,
    /// It is not due yet.
    Scheduled,
    /// It is due, and some of its deployments are still queued.
    Sending,
    /// It was paused.
    Paused,
    /// All of its deployments have left the queue.
    Completed,
    /// It was canceled.
    Canceled,
}

impl Send {
    /// When its users are due.
    pub fn due_at(&self) -> Timestamp {
        self.scheduled_at.unwrap_or(self.created_at)
    }

    /// The state at `now`.
    pub fn state(&self, now: Timestamp) -> SendState {
        if self.canceled_at.is_some() {
            SendState::Canceled
        } else if self.completed_at.is_some() {
            SendState::Completed
        } else if self.paused_at.is_some() {
            SendState::Paused
        } else if self.preparing {
            SendState::Preparing
        } else if self.scheduled_at.is_some_and(|due| due > now) {
            SendState::Scheduled
        } else {
            SendState::Sending
        }
    }
}

/// What is queued of a send, and what shares its line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Queue {
    /// How many of its deployments are queued, or are still to be made.
    pub own: i64,
    /// How many are queued of each other send on its line that is due.
    pub others: Vec<i64>,
    /// When the last of its deployments is due; `None` if none waits for its call.
    pub last_due: Option<Timestamp>,
    /// The most messages that are sent on the line in any second; at least 1.
    pub messages_per_second: u32,
}

impl Queue {
    /// When its last deployment leaves the queue, if sending begins at `from`. The sends of a line take turns, so each other
    /// one sends as many messages meanwhile as this one, or all it has.
    pub fn done_at(&self, from: Timestamp) -> Timestamp {
        let ahead: i64 = self.others.iter().map(|&other| other.min(self.own)).sum();
        let messages = u64::try_from(self.own.saturating_add(ahead)).unwrap_or_default();
        let sent = from.plus(Duration::from_secs(messages) / self.messages_per_second.max(1));
        self.last_due.map_or(sent, |due| due.max(sent))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::id::new_key;

    #[test]
    fn sends_that_share_a_line_are_done_later() {
        let from = Timestamp::from_seconds(100).unwrap();
        let done = |own, others: &[i64]| {
            let queue = Queue { own, others: others.to_vec(), last_due: None, messages_per_second: 10 };
            queue.done_at(from).seconds() - 100
        };
        assert_eq!(done(100, &[]), 10);
        assert_eq!(done(100, &[20, 5_000]), 22);
        assert_eq!(done(0, &[20]), 0);
        let late = Some(from.plus(Duration::from_hours(1)));
        let waiting = Queue { own: 5, others: Vec::new(), last_due: late, messages_per_second: 10 };
        assert_eq!(Some(waiting.done_at(from)), late);
    }

    #[test]
    fn the_state_follows_from_what_happened_to_a_send() {
        let at = |seconds| Timestamp::from_seconds(seconds).unwrap();
        let mut send = Send {
            id: new_key().into(),
            conversation: new_key().into(),
            version: new_key().into(),
            total_users: 1,
            created_at: at(0),
            scheduled_at: Some(at(10)),
            completed_at: None,
            canceled_at: None,
            paused_at: None,
            preparing: true,
            time_to_live: None,
            retry_of: None,
        };
        assert_eq!(send.state(at(9)), SendState::Preparing);
        send.preparing = false;
        assert_eq!(send.state(at(9)), SendState::Scheduled);
        assert_eq!(send.state(at(10)), SendState::Sending);
        send.paused_at = Some(at(10));
        assert_eq!(send.state(at(10)), SendState::Paused);
        send.completed_at = Some(at(11));
        assert_eq!(send.state(at(12)), SendState::Completed);
        send.canceled_at = Some(at(12));
        assert_eq!(send.state(at(12)), SendState::Canceled);
    }
}
