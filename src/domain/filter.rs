//! Filters of the users table, as predicates on which the database and the tally agree.
//!
//! They are two-valued: a null field does not match, and `not` matches exactly what its operand does not. A filter on status,
//! stage, session status and failure reason alone is decided by the tally's cells, so counting its matches reads no users.

use super::clock::Timestamp;
use super::failure::FailureReason;
use super::id::SendId;
use super::standing::{Cell, DeploymentStatus, SessionStatus, Stage};

/// A condition on the users of a version.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum UserFilter {
    /// All of these hold. An empty list matches everybody.
    All(Vec<UserFilter>),
    /// At least one of these holds. An empty list matches nobody.
    Any(Vec<UserFilter>),
    /// This does not hold.
    Not(Box<UserFilter>),
    /// The deployment status is one of these.
    Status(Vec<DeploymentStatus>),
    /// The stage is one of these; `None` stands for users without a stage.
    Stage(Vec<Option<Stage>>),
    /// The session status is one of these; `None` stands for users without a session.
    Session(Vec<Option<SessionStatus>>),
    /// The failure reason is one of these.
    Failure(Vec<FailureReason>),
    /// The phone number begins with this text. If the text begins with a digit, the number's plus is ignored.
    Phone(String),
    /// The latest deployment was due in this range.
    Deployed(TimeRange),
    /// The last activity is in this range. A user without activity matches only a range without bounds.
    Activity(TimeRange),
    /// The latest deployment has this variable.
    Variable {
        /// The variable's name.
        name: String,
        /// The value that it must have; `None` accepts any.
        equals: Option<String>,
    },
    /// The latest deployment belongs to this send.
    Send(SendId),
}

/// A range of time from `from` (inclusive) to `to` (exclusive). An absent bound imposes no limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct TimeRange {
    /// The first instant that matches.
    pub from: Option<Timestamp>,
    /// The first instant after the range.
    pub to: Option<Timestamp>,
}

impl UserFilter {
    /// A filter that matches everybody.
    pub const fn everybody() -> Self {
        Self::All(Vec::new())
    }

    /// Whether it tells something personal of those who match.
    pub fn is_personal(&self) -> bool {
        match self {
            Self::All(filters) | Self::Any(filters) => filters.iter().any(Self::is_personal),
            Self::Not(filter) => filter.is_personal(),
            Self::Phone(_) | Self::Variable { .. } => true,
            Self::Status(_)
            | Self::Stage(_)
            | Self::Session(_)
            | Self::Failure(_)
            | Self::Deployed(_)
            | Self::Activity(_)
            | Self::Send(_) => false,
        }
    }

    /// Whether a user in `cell` matches; `None` if the cell alone does not decide it.
    pub fn matches(&self, cell: Cell) -> Option<bool> {
        match self {
            Self::All(filters) => every(filters.iter().map(|filter| filter.matches(cell))),
            Self::Any(filters) => {
                every(filters.iter().map(|filter| filter.matches(cell).map(|holds| !holds))).map(|none| !none)
            }
            Self::Not(filter) => filter.matches(cell).map(|holds| !holds),
            Self::Status(values) => Some(values.contains(&cell.status)),
            Self::Stage(values) => Some(values.contains(&cell.stage)),
            Self::Session(values) => Some(values.contains(&cell.session_status)),
            Self::Failure(values) => Some(cell.failure_reason.is_some_and(|reason| values.contains(&reason))),
            Self::Phone(_) | Self::Deployed(_) | Self::Activity(_) | Self::Variable { .. } | Self::Send(_) => None,
        }
    }
}

/// Three-valued AND: false if any part is false, otherwise unknown if any part is unknown.
fn every(parts: impl Iterator<Item = Option<bool>>) -> Option<bool> {
    let mut known = Some(true);
    for part in parts {
        match part {
            Some(false) => return Some(false),
            Some(true) => {}
            None => known = None,
        }
    }
    known
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_all_matches_everybody_and_an_empty_any_nobody() {
        assert_eq!(UserFilter::everybody().matches(Cell::QUEUED), Some(true));
        assert_eq!(UserFilter::Any(vec![]).matches(Cell::QUEUED), Some(false));
        assert_eq!(UserFilter::Status(vec![]).matches(Cell::QUEUED), Some(false));
    }

    #[test]
    fn a_user_without_a_stage_matches_the_negation() {
        let in_flow = UserFilter::Stage(vec![Some(Stage::InFlow)]);
        assert_eq!(in_flow.matches(Cell::QUEUED), Some(false));
        assert_eq!(UserFilter::Not(Box::new(in_flow)).matches(Cell::QUEUED), Some(true));
        assert_eq!(UserFilter::Stage(vec![None]).matches(Cell::QUEUED), Some(true));
    }

    #[test]
    fn a_filter_is_personal_wherever_it_asks_for_phones_or_variables() {
        let phone = UserFilter::Phone("57".into());
        let status = UserFilter::Status(vec![DeploymentStatus::Queued]);
        let variable = UserFilter::Variable { name: "city".into(), equals: None };
        assert!(UserFilter::Any(vec![status.clone(), UserFilter::Not(Box::new(phone))]).is_personal());
        assert!(UserFilter::All(vec![status.clone(), variable]).is_personal());
        assert!(!UserFilter::Not(Box::new(status)).is_personal());
    }

    #[test]
    fn what_a_cell_does_not_decide_is_unknown_unless_another_part_decides() {
        let phone = UserFilter::Phone("57".into());
        let queued = UserFilter::Status(vec![DeploymentStatus::Queued]);
        let nobody = UserFilter::Any(vec![]);
        assert_eq!(UserFilter::All(vec![phone.clone(), queued.clone()]).matches(Cell::QUEUED), None);
        assert_eq!(UserFilter::Any(vec![phone.clone(), queued]).matches(Cell::QUEUED), Some(true));
        assert_eq!(UserFilter::All(vec![phone, nobody]).matches(Cell::QUEUED), Some(false));
    }
}
