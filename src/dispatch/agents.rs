//! What agents do in sessions: taking one over, writing in it, closing it.
//!
//! Each is recorded as a fact, so the version's lock decides between an agent and whatever else happens to the session at the
//! same moment. What is checked before tells the agent why; what the lock decides otherwise is refused by the recorder.

use super::Sends;
use crate::domain::book::WINDOW;
use crate::domain::clock::Timestamp;
use crate::domain::fact::Fact;
use crate::domain::flow::Flow;
use crate::domain::id::{MessageId, SessionId, agent_message_key, new_key};
use crate::domain::message::Message;
use crate::domain::outgoing::Outgoing;
use crate::domain::standing::SessionStatus;
use crate::recorder::{RecordError, Recorded};
use crate::storage::sessions::{self, Situation};
use crate::storage::{StorageError, Tenant, messages};

/// What an agent writes.
#[derive(Debug, Clone)]
pub struct Writing {
    /// The session in which it is written.
    pub session: SessionId,
    /// What it says.
    pub message: Outgoing,
    /// Repeating it under the same key returns the message that the first one made.
    pub idempotency_key: Option<String>,
}

/// Why an agent's wish is refused. Nothing has changed then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AgentFault {
    /// The session does not exist.
    NoSession,
    /// The session is over.
    Over,
    /// The session is over, or with another agent already.
    Taken,
    /// The session is with somebody else than an agent.
    NotWithAgent,
    /// The user has written nothing on the line for a day, so that only templates may be sent.
    OutOfWindow,
    /// Another system sends on the line.
    External,
    /// The user's data was erased.
    Erased,
    /// The flow asks for no rating.
    NoRating,
    /// The idempotency key was used for another message.
    KeyTaken,
}

/// Why it is not known whether something was done.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    /// Reading failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// Recording failed.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// It was not recorded, but kept for the operators.
    #[error("what an agent did was kept instead of being recorded")]
    Kept,
}

/// What came of an agent's wish.
type Acted<T> = Result<Result<T, AgentFault>, AgentError>;

impl Sends {
    /// Lets an agent take over an open session: whoever handled it before, or only if no other agent has it.
    pub async fn assign(&self, tenant: &Tenant, session: SessionId, agent: String, only_unassigned: bool) -> Acted<()> {
        let Some(situation) = sessions::find_situation(tenant, session).await? else {
            return Ok(Err(AgentFault::NoSession));
        };
        if situation.status.is_over() {
            return Ok(Err(AgentFault::Over));
        }
        let fact = Fact::Assigned { of: session.deployment(), agent, only_unassigned };
        self.act(tenant, fact, if only_unassigned { AgentFault::Taken } else { AgentFault::Over }).await
    }

    /// Sends what an agent writes to the user.
    pub async fn write(&self, tenant: &Tenant, writing: Writing) -> Acted<MessageId> {
        let Writing { session, message, idempotency_key } = writing;
        let Some(situation) = sessions::find_situation(tenant, session).await? else {
            return Ok(Err(AgentFault::NoSession));
        };
        let id = idempotency_key.map(|key| agent_message_key(session, &key));
        // Checked first, so that a repetition gets the same answer whatever has happened to the session since.
        if let Some(id) = id
            && let Some(known) = messages::find_many(tenant, &[id]).await?.remove(&id)
        {
            return Ok(if says(&known, &message) { Ok(id) } else { Err(AgentFault::KeyTaken) });
        }
        let now = self.now();
        if let Some(fault) = forbids_writing(&situation, now) {
            return Ok(Err(fault));
        }
        let id = id.unwrap_or_else(|| new_key().into());
        let content = message.content(now);
        let fact = Fact::AgentMessage { of: session.deployment(), message: id, content };
        Ok(self.act(tenant, fact, AgentFault::NotWithAgent).await?.map(|()| id))
    }

    /// Closes an open session, or leads the user to the step that asks for a rating. A user who is asked already stays there.
    pub async fn close(&self, tenant: &Tenant, session: SessionId, rating: bool) -> Acted<()> {
        let Some(situation) = sessions::find_situation(tenant, session).await? else {
            return Ok(Err(AgentFault::NoSession));
        };
        match situation.status {
            status if status.is_over() => return Ok(Err(AgentFault::Over)),
            SessionStatus::Rating if rating => return Ok(Ok(())),
            _ => {}
        }
        if let Some(fault) = forbids_rating(&situation, self.now()).filter(|_| rating) {
            return Ok(Err(fault));
        }
        let fact = Fact::Closed { of: session.deployment(), rating };
        self.act(tenant, fact, AgentFault::Over).await
    }

    /// Records what an agent does. `late` is why it is refused, if the session has changed since it was looked at.
    async fn act(&self, tenant: &Tenant, fact: Fact, late: AgentFault) -> Acted<()> {
        match self.recorder.record(tenant.workspace(), None, vec![fact]).await?.first() {
            Some(Recorded::Merged) => Ok(Ok(())),
            Some(Recorded::Refused) => Ok(Err(late)),
            _ => Err(AgentError::Kept),
        }
    }
}

/// Why an agent may not write, if there is a reason.
fn forbids_writing(situation: &Situation, now: Timestamp) -> Option<AgentFault> {
    match situation.status {
        status if status.is_over() => Some(AgentFault::Over),
        SessionStatus::Agent => forbids_saying(situation, now),
        _ => Some(AgentFault::NotWithAgent),
    }
}

/// Why a rating may not be asked for, if there is a reason.
fn forbids_rating(situation: &Situation, now: Timestamp) -> Option<AgentFault> {
    let asks = Flow::of_published(&situation.flow).is_some_and(|flow| flow.rating.is_some());
    if asks && situation.in_flow && !situation.external {
        forbids_saying(situation, now)
    } else {
        Some(AgentFault::NoRating)
    }
}

/// Why nothing but a template may be said, if there is a reason.
fn forbids_saying(situation: &Situation, now: Timestamp) -> Option<AgentFault> {
    let open = situation.last_activity.is_some_and(|at| at >= now.minus(WINDOW));
    match situation {
        _ if situation.external => Some(AgentFault::External),
        _ if situation.erased => Some(AgentFault::Erased),
        _ if !open => Some(AgentFault::OutOfWindow),
        _ => None,
    }
}

/// Whether a stored message says the same.
fn says(known: &Message, message: &Outgoing) -> bool {
    known.kind == message.kind() && known.text == message.text() && known.payload == message.payload()
}
