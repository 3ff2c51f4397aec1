//! Filters of the users table, as predicates that the database and the tally agree on.
//!
//! Two-valued: a field that is null simply does not match, and `not` matches exactly what its operand does not. What asks
//! only for status, stage, session status and failure reason is decided by a tally's cell, so its count costs nothing.

use super::clock::Timestamp;
use super::failure::FailureReason;
use super::id::SendId;
use super::standing::{Cell, DeploymentStatus, SessionStatus, Stage};

/// Which users of a version are asked for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum UserFilter {
    /// All of these hold; with none, everybody matches.
    All(Vec<UserFilter>),
    /// One of these holds; with none, nobody matches.
    Any(Vec<UserFilter>),
    /// This does not hold.
    Not(Box<UserFilter>),
    /// The deployment status is one of these.
    Status(Vec<DeploymentStatus>),
    /// The stage is one of these, where none asks for users without one.
    Stage(Vec<Option<Stage>>),
    /// The session status is one of these, where none asks for users without one.
    Session(Vec<Option<SessionStatus>>),
    /// The failure reason is one of these.
    Failure(Vec<FailureReason>),
    /// The phone begins with this; digits match with or without the number's plus.
    Phone(String),
    /// The latest deployment was due in this range.
    Deployed(TimeRange),
    /// The last activity lies in this range; a user without any matches only a range without bounds.
    Activity(TimeRange),
    /// The latest deployment has a variable of this name, with this value where one is given.
    Variable {
        /// The name.
        name: String,
        /// The value.
        equals: Option<String>,
    },
    /// The latest deployment is of this send.
    Send(SendId),
}

/// From (included) to (excluded); an absent bound asks nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct TimeRange {
    /// The first instant that matches.
    pub from: Option<Timestamp>,
    /// The first instant that no longer matches.
    pub to: Option<Timestamp>,
}

impl UserFilter {
    /// Everybody.
    pub const fn everybody() -> Self {
        Self::All(Vec::new())
    }

    /// Whether a user who stands in `cell` matches; `None` where the cell alone does not tell.
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

/// Whether all hold, where one that is false decides and one that is not known otherwise leaves it unknown.
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
    fn what_a_cell_cannot_tell_is_unknown_unless_decided_otherwise() {
        let phone = UserFilter::Phone("57".into());
        let queued = UserFilter::Status(vec![DeploymentStatus::Queued]);
        let nobody = UserFilter::Any(vec![]);
        assert_eq!(UserFilter::All(vec![phone.clone(), queued.clone()]).matches(Cell::QUEUED), None);
        assert_eq!(UserFilter::Any(vec![phone.clone(), queued]).matches(Cell::QUEUED), Some(true));
        assert_eq!(UserFilter::All(vec![phone, nobody]).matches(Cell::QUEUED), Some(false));
    }
}
