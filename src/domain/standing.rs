//! Where a user stands: deployment status, stage, session status and failure reason.
//!
//! Nothing holds a state that events push around. A [`Cell`] is a pure function of the facts known of a deployment and of
//! its first message, so it cannot depend on the order in which they arrived.

use super::code::{Coded, coded};
use super::failure::FailureReason;
use super::merge::{DeploymentFacts, MessageFacts};

coded! {
    /// How far a message got.
    DeploymentStatus {
        /// Waiting to be sent.
        Queued = 0 / "QUEUED",
        /// Accepted by the provider.
        Accepted = 1 / "ACCEPTED",
        /// Held back by the provider for a quality check.
        Held = 2 / "HELD",
        /// On its way: one tick.
        Sent = 3 / "SENT",
        /// On the user's phone: two ticks.
        Delivered = 4 / "DELIVERED",
        /// Read: two blue ticks.
        Read = 5 / "READ",
        /// Failed.
        Failed = 6 / "FAILED",
    }
}

coded! {
    /// How far a user who responded came in the conversation.
    Stage {
        /// Answered, and not at the end.
        InFlow = 0 / "IN_FLOW",
        /// Answered a final step.
        Finished = 1 / "FINISHED",
    }
}

coded! {
    /// Who holds the talk with the user.
    SessionStatus {
        /// The bot.
        Bot = 0 / "BOT",
        /// A human agent.
        Agent = 1 / "AGENT",
        /// The user is asked to rate the talk.
        Rating = 2 / "RATING",
        /// Ended.
        Completed = 3 / "COMPLETED",
        /// Ended because the user fell silent.
        Expired = 4 / "EXPIRED",
    }
}

/// One combination of status, stage, session status and failure reason: where a user stands, and a cell of the tally.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cell {
    /// How far the deployment got.
    pub status: DeploymentStatus,
    /// How far the user came; none before an answer.
    pub stage: Option<Stage>,
    /// Who holds the talk; none before a session.
    pub session_status: Option<SessionStatus>,
    /// Why it failed; only while it is failed.
    pub failure_reason: Option<FailureReason>,
}

// A stored cell's number: three bits of status, two of stage, three of session status, six of failure reason, the
// optional ones counted from 1 so that 0 is "none".
const STAGE_SHIFT: u32 = 3;
const SESSION_SHIFT: u32 = 5;
const FAILURE_SHIFT: u32 = 8;

impl Cell {
    /// Where every deployment begins.
    pub const QUEUED: Self =
        Self { status: DeploymentStatus::Queued, stage: None, session_status: None, failure_reason: None };

    /// Where a deployment with these facts stands.
    pub fn of(deployment: &DeploymentFacts, first: Option<&MessageFacts>) -> Self {
        let facts = deployment.with_first(first);
        let responded = deployment.responded().is_some();
        let status = facts.status(responded);
        let failure = facts.failure().filter(|_| status == DeploymentStatus::Failed);
        let stage = match (deployment.finished, responded) {
            (Some(_), _) => Some(Stage::Finished),
            (None, true) => Some(Stage::InFlow),
            (None, false) => None,
        };
        Self {
            status,
            stage,
            session_status: deployment.session.map(|session| session.status),
            failure_reason: failure.map(|failure| failure.reason),
        }
    }

    /// The stored number.
    pub fn code(self) -> i32 {
        let part = |code: Option<i16>, shift: u32| code.map_or(0, |code| (i32::from(code) + 1) << shift);
        i32::from(self.status.code())
            | part(self.stage.map(Stage::code), STAGE_SHIFT)
            | part(self.session_status.map(SessionStatus::code), SESSION_SHIFT)
            | part(self.failure_reason.map(FailureReason::code), FAILURE_SHIFT)
    }

    /// The cell of a stored number; `None` for one that no cell has.
    pub fn from_code(code: i32) -> Option<Self> {
        let part = |shift: u32, bits: u32| i16::try_from((code >> shift) & ((1 << bits) - 1)).ok();
        let cell = Self {
            status: DeploymentStatus::from_code(part(0, STAGE_SHIFT)?)?,
            stage: optional(part(STAGE_SHIFT, 2)?),
            session_status: optional(part(SESSION_SHIFT, 3)?),
            failure_reason: optional(part(FAILURE_SHIFT, 6)?),
        };
        (cell.code() == code).then_some(cell)
    }
}

/// Reads a part that counts from 1, where 0 is none. A number that means nothing is none, too; that the cell's own number
/// differs then tells it.
fn optional<T: Coded>(part: i16) -> Option<T> {
    T::of_code(part - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cell_has_a_number_of_its_own() {
        let mut seen = std::collections::HashSet::new();
        for &status in DeploymentStatus::ALL {
            for stage in std::iter::once(None).chain(Stage::ALL.iter().copied().map(Some)) {
                for session_status in std::iter::once(None).chain(SessionStatus::ALL.iter().copied().map(Some)) {
                    for failure_reason in std::iter::once(None).chain(FailureReason::ALL.iter().copied().map(Some)) {
                        let cell = Cell { status, stage, session_status, failure_reason };
                        assert_eq!(Cell::from_code(cell.code()), Some(cell));
                        assert!(seen.insert(cell.code()));
                    }
                }
            }
        }
    }

    #[test]
    fn a_number_that_no_cell_has_is_none() {
        for code in [7, -1, i32::MAX, 3 << STAGE_SHIFT, 6 << SESSION_SHIFT, 40 << FAILURE_SHIFT] {
            assert_eq!(Cell::from_code(code), None, "{code}");
        }
    }
}
