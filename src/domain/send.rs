//! Sends: one submission of users to a conversation's current version.

use super::clock::Timestamp;
use super::id::{ConversationId, SendId, VersionId};

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
}

/// The state of a send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SendState {
    /// It is not due yet.
    Scheduled,
    /// It is due, and some of its deployments are still queued.
    Sending,
    /// All of its deployments have left the queue.
    Completed,
    /// It was canceled.
    Canceled,
}

impl Send {
    /// The state at `now`.
    pub fn state(&self, now: Timestamp) -> SendState {
        if self.canceled_at.is_some() {
            SendState::Canceled
        } else if self.completed_at.is_some() {
            SendState::Completed
        } else if self.scheduled_at.is_some_and(|due| due > now) {
            SendState::Scheduled
        } else {
            SendState::Sending
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::id::new_key;

    #[test]
    fn a_send_is_scheduled_until_it_is_due_and_sending_until_it_is_completed() {
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
        };
        assert_eq!(send.state(at(9)), SendState::Scheduled);
        assert_eq!(send.state(at(10)), SendState::Sending);
        send.completed_at = Some(at(11));
        assert_eq!(send.state(at(12)), SendState::Completed);
    }
}
