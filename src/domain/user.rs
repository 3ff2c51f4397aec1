//! Users of a version, which are the rows of the users table, and the changes in the version's log.

use super::clock::Timestamp;
use super::id::{UserId, VersionId};
use super::standing::Cell;

/// A contact to whom a version was deployed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// The user's id.
    pub id: UserId,
    /// The version that was deployed to the user.
    pub version: VersionId,
    /// The contact's number: E.164, or the text as it was given. `None` only if WhatsApp hides it.
    pub phone: Option<String>,
    /// The contact's WhatsApp id, if known.
    pub whatsapp_id: Option<String>,
    /// The contact's profile name, if known.
    pub name: Option<String>,
    /// When the contact asked not to be written to; `None` while it may be.
    pub opted_out_at: Option<Timestamp>,
    /// When the contact's data was erased, if it was.
    pub erased_at: Option<Timestamp>,
    /// How many deployments the user has, which is the number of the latest; at least 1.
    pub deployments: i32,
    /// When the latest deployment was due.
    pub deployed_at: Timestamp,
    /// The status, stage, session status and failure reason of the latest deployment.
    pub cell: Cell,
    /// The user's latest own action: a message, a button or a reaction. `None` if there was none.
    pub last_activity_at: Option<Timestamp>,
}

/// The orders of the users table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum UserOrder {
    /// When the latest deployment was due.
    Deployed,
    /// The user's latest own action; users without any sort as the earliest.
    Activity,
}

/// The net change of a user by one commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// 1, 2, 3 … within the version's log.
    pub revision: i64,
    /// The user who changed.
    pub user: UserId,
    /// When it was recorded.
    pub at: Timestamp,
    /// What changed.
    pub kinds: ChangeKinds,
    /// The cell before the change; `None` for a new user.
    pub before: Option<Cell>,
    /// The cell after the change.
    pub after: Cell,
}

/// What a change can affect. Each is a bit of [`ChangeKinds`].
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
    /// The set from its stored bits.
    pub const fn from_bits(bits: i32) -> Self {
        Self(bits)
    }

    /// The bits as they are stored.
    pub const fn bits(self) -> i32 {
        self.0
    }

    /// Adds a kind.
    pub const fn add(&mut self, kind: ChangeKind) {
        self.0 |= kind as i32;
    }

    /// Whether the set contains a kind.
    pub const fn has(self, kind: ChangeKind) -> bool {
        self.0 & kind as i32 != 0
    }

    /// Whether the set is empty.
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
