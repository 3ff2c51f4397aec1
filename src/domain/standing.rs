//! A user's standing: deployment status, stage, session status and failure reason.
//!
//! No state is stored and advanced by events. A [`Cell`] is a pure function of the facts of a deployment and of its first
//! message, so it cannot depend on the order in which they arrived.

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
    /// How far a user who answered got in the conversation.
    Stage {
        /// Answered, but no final step yet.
        InFlow = 0 / "IN_FLOW",
        /// Answered a final step.
        Finished = 1 / "FINISHED",
    }
}

coded! {
    /// Who is handling the conversation with the user, or how the session ended.
    SessionStatus {
        /// The bot.
        Bot = 0 / "BOT",
        /// A human agent.
        Agent = 1 / "AGENT",
        /// The user is being asked for a rating.
        Rating = 2 / "RATING",
        /// The session ended.
        Completed = 3 / "COMPLETED",
        /// The session ended because the user stopped answering.
        Expired = 4 / "EXPIRED",
    }
}

impl SessionStatus {
    /// Whether the session has ended.
    pub const fn is_over(self) -> bool {
        matches!(self, Self::Completed | Self::Expired)
    }
}

/// A combination of status, stage, session status and failure reason: a user's standing, and a cell of the tally.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cell {
    /// How far the deployment got.
    pub status: DeploymentStatus,
    /// How far the user got; `None` before the first answer.
    pub stage: Option<Stage>,
    /// The session status; `None` before the first session.
    pub session_status: Option<SessionStatus>,
    /// Why it failed; `None` unless the status is `Failed`.
    pub failure_reason: Option<FailureReason>,
}

// The stored code of a cell has three bits for the status, two for the stage, three for the session status and six for the
// failure reason. The optional parts count from 1, and 0 means that there is none.
const STAGE_SHIFT: u32 = 3;
const SESSION_SHIFT: u32 = 5;
const FAILURE_SHIFT: u32 = 8;

impl Cell {
    /// The cell in which every deployment begins.
    pub const QUEUED: Self =
        Self { status: DeploymentStatus::Queued, stage: None, session_status: None, failure_reason: None };

    /// The cell of a deployment with these facts.
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

    /// The stored code.
    pub fn code(self) -> i32 {
        let part = |code: Option<i16>, shift: u32| code.map_or(0, |code| (i32::from(code) + 1) << shift);
        i32::from(self.status.code())
            | part(self.stage.map(Stage::code), STAGE_SHIFT)
            | part(self.session_status.map(SessionStatus::code), SESSION_SHIFT)
            | part(self.failure_reason.map(FailureReason::code), FAILURE_SHIFT)
    }

    /// The cell of a stored code; `None` if no cell has it.
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

/// Reads an optional part. An invalid number gives `None`, too, which [`Cell::from_code`] detects by encoding the cell again.
fn optional<T: Coded>(part: i16) -> Option<T> {
    T::from_code(part - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cell_has_a_distinct_code() {
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
    fn an_invalid_code_is_not_a_cell() {
        for code in [7, -1, i32::MAX, 3 << STAGE_SHIFT, 6 << SESSION_SHIFT, 40 << FAILURE_SHIFT] {
            assert_eq!(Cell::from_code(code), None, "{code}");
        }
    }
}
