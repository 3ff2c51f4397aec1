//! The audit log: who wrote what, and when.

use super::clock::Timestamp;
use super::code::coded;
use super::id::{AuditEntryId, TokenId};

coded! {
    /// What became of a write.
    AuditOutcome {
        /// It was done.
        Done = 0 / "DONE",
        /// It was rejected, and changed nothing.
        Rejected = 1 / "REJECTED",
    }
}

/// A write that somebody asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEntry {
    /// The entry's id.
    pub id: AuditEntryId,
    /// When it began.
    pub at: Timestamp,
    /// What was asked for: the name of a mutation, or what else writes.
    pub action: String,
    /// The token that asked for it; `None` for an operator's command.
    pub token: Option<TokenId>,
    /// Whom a JSON Web Token names.
    pub person: Option<String>,
    /// What identifies the request; `None` for an operator's command.
    pub request: Option<String>,
    /// What became of it; `None` while it runs, and where it failed or was interrupted.
    pub outcome: Option<AuditOutcome>,
    /// The id of what was written, as the API writes it.
    pub subject: Option<String>,
}

/// Which entries of the audit log to list; what is `None` does not matter.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct AuditFilter {
    /// What was asked for.
    pub action: Option<String>,
    /// The token that asked for it.
    pub token: Option<TokenId>,
    /// The id of what was written.
    pub subject: Option<String>,
}
