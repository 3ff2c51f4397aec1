//! Users: one contact of one version, the row of the users table; and the log of their changes.

use super::clock::Timestamp;
use super::id::{UserId, VersionId};
use super::standing::Cell;

/// One individual user of one version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// Its id.
    pub id: UserId,
    /// The version it is a user of.
    pub version: VersionId,
    /// The contact's number: E.164, or the text as it was given; none only where WhatsApp hides it.
    pub phone: Option<String>,
    /// WhatsApp's id of the contact.
    pub whatsapp_id: Option<String>,
    /// The contact's profile name.
    pub name: Option<String>,
    /// How many deployments it has; the number of the latest.
    pub deployments: i32,
    /// When the latest deployment was due.
    pub deployed_at: Timestamp,
    /// Where it stands.
    pub cell: Cell,
    /// The user's own latest action.
    pub last_activity_at: Option<Timestamp>,
}

/// What the users table can be ordered by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum UserOrder {
    /// When the latest deployment was due.
    Deployed,
    /// The user's latest action; users without any come first.
    Activity,
}

/// One net change of one user by one commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Its number in the version's log.
    pub revision: i64,
    /// The user.
    pub user: UserId,
    /// When it was recorded.
    pub at: Timestamp,
    /// What changed.
    pub kinds: ChangeKinds,
    /// Where the user stood; none for a user who was new.
    pub before: Option<Cell>,
    /// Where the user stands since.
    pub after: Cell,
}

/// What a change may touch. Each is a bit of [`ChangeKinds`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangeKind {
    /// A new deployment.
    Deployed = 1,
    /// The deployment status.
    Status = 2,
    /// The stage.
    Stage = 4,
    /// The session status.
    Session = 8,
    /// The failure.
    Failure = 16,
    /// A variable.
    Variable = 32,
    /// The last activity.
    Activity = 64,
    /// A message was added.
    Message = 128,
}

/// A set of change kinds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ChangeKinds(i32);

impl ChangeKind {
    /// Every kind, in the order of the bits.
    pub const ALL: [Self; 8] = [
        Self::Deployed,
        Self::Status,
        Self::Stage,
        Self::Session,
        Self::Failure,
        Self::Variable,
        Self::Activity,
        Self::Message,
    ];
}

impl ChangeKinds {
    /// The set of a stored number.
    pub const fn from_bits(bits: i32) -> Self {
        Self(bits)
    }

    /// The stored number.
    pub const fn bits(self) -> i32 {
        self.0
    }

    /// Adds a kind.
    pub const fn add(&mut self, kind: ChangeKind) {
        self.0 |= kind as i32;
    }

    /// Whether a kind is among them.
    pub const fn has(self, kind: ChangeKind) -> bool {
        self.0 & kind as i32 != 0
    }

    /// Whether nothing changed.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Adds the kinds in which two cells differ.
    pub fn add_difference(&mut self, before: Cell, after: Cell) {
        if before.status != after.status {
            self.add(ChangeKind::Status);
        }
        if before.stage != after.stage {
            self.add(ChangeKind::Stage);
        }
        if before.session_status != after.session_status {
            self.add(ChangeKind::Session);
        }
        if before.failure_reason != after.failure_reason {
            self.add(ChangeKind::Failure);
        }
    }

    /// The kinds, in the order of the bits.
    pub fn iter(self) -> impl Iterator<Item = ChangeKind> {
        ChangeKind::ALL.into_iter().filter(move |&kind| self.has(kind))
    }
}
