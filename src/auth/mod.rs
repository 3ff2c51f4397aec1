//! Who is asking: API tokens, their scopes, and the viewer that a token makes of a request.

use std::fmt;

use crate::domain::id::WorkspaceId;

/// What a token may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Read everything of the workspace.
    Read = 1,
    /// Also write.
    Write = 2,
    /// Also administer lines.
    Admin = 4,
}

/// A set of scopes. Each includes those below it: ADMIN writes, WRITE reads.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Scopes(i16);

/// Who is asking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Viewer {
    /// The workspace that the token opens.
    pub workspace: WorkspaceId,
    /// What it may do there.
    pub scopes: Scopes,
}

impl Scopes {
    /// Every scope.
    pub const ALL: [Scope; 3] = [Scope::Read, Scope::Write, Scope::Admin];

    /// The set of a stored number.
    pub const fn from_bits(bits: i16) -> Self {
        Self(bits)
    }

    /// The stored number.
    pub const fn bits(self) -> i16 {
        self.0
    }

    /// Whether the set allows what needs `scope`: a scope includes those below it.
    pub const fn allow(self, scope: Scope) -> bool {
        self.0 >= scope as i16
    }
}

impl fmt::Debug for Scopes {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_set().entries(Self::ALL.iter().filter(|&&scope| self.0 & scope as i16 != 0)).finish()
    }
}
