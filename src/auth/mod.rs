//! Authentication: API tokens, their scopes, and the viewer that a token identifies.
//!
//! A token belongs to one workspace. It is random, shown only when it is created, and stored as a hash. Or it is a JWT that
//! somebody else issues (`jwt`), and then nothing of it is stored.

mod audit;
#[cfg(test)]
pub(crate) mod fake;
mod issue;
mod jwt;
mod secret;
mod stream;
mod tokens;

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

pub use audit::Audited;
pub use issue::{NewToken, create_token, parse_token_id, revoke_token};
pub use jwt::{JwtError, Jwts};
pub use secret::STREAM as STREAM_TOKEN;
pub use stream::NewStreamToken;
pub use tokens::Tokens;

use crate::domain::clock::Timestamp;
use crate::domain::id::{TokenId, WorkspaceId};

/// A permission of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Read everything in the workspace.
    Read = 1,
    /// Also write.
    Write = 2,
    /// Also administer lines.
    Admin = 4,
    /// See personal data: phones, names, variables and messages.
    Personal = 8,
}

/// A set of scopes. Admin includes write, and write includes read; so does personal, which none of the others includes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Scopes(i16);

/// A word that is not a scope.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is not a scope; the scopes are read, write, admin and personal, separated by commas")]
pub struct UnknownScope(String);

/// The client that makes a request, as identified by its token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Viewer {
    /// The token.
    pub token: TokenId,
    /// Who bears it, if it is a JWT that says so.
    pub person: Option<Arc<str>>,
    /// The workspace to which the token gives access.
    pub workspace: WorkspaceId,
    /// What the token permits.
    pub scopes: Scopes,
    /// When it ends by itself, as a JWT does.
    pub expires: Option<Timestamp>,
}

impl Scope {
    /// All scopes, each after the ones that it includes.
    pub const ALL: [Self; 4] = [Self::Read, Self::Write, Self::Admin, Self::Personal];

    /// Its name on the command line and in lists of tokens.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Admin => "admin",
            Self::Personal => "personal",
        }
    }
}

impl Scopes {
    /// The set from its stored bits.
    pub const fn from_bits(bits: i16) -> Self {
        Self(bits)
    }

    /// The bits as they are stored.
    pub const fn bits(self) -> i16 {
        self.0
    }

    /// The set without what changes anything.
    #[must_use]
    pub const fn reading(self) -> Self {
        Self(self.0 & (Scope::Read as i16 | Scope::Personal as i16))
    }

    /// The set of all scopes.
    pub const ALL: Self = Self(15);

    /// The set of a scope and those that it includes.
    pub const fn of(scope: Scope) -> Self {
        match scope {
            Scope::Read => Self(1),
            Scope::Write => Self(3),
            Scope::Admin => Self(7),
            Scope::Personal => Self(9),
        }
    }

    /// Whether the set permits what requires `scope`.
    pub const fn allow(self, scope: Scope) -> bool {
        self.0 & scope as i16 != 0
    }

    /// The scopes in the set.
    fn iter(self) -> impl Iterator<Item = Scope> {
        Scope::ALL.into_iter().filter(move |&scope| self.allow(scope))
    }
}

impl FromStr for Scopes {
    type Err = UnknownScope;

    /// Parses a comma-separated list such as `read,write`, in any order. Included scopes need not be listed.
    fn from_str(text: &str) -> Result<Self, UnknownScope> {
        let scope = |word: &str| {
            let found = Scope::ALL.into_iter().find(|scope| scope.word() == word.trim());
            found.ok_or_else(|| UnknownScope(word.trim().to_owned()))
        };
        text.split(',').try_fold(Self(0), |Self(bits), word| Ok(Self(bits | Self::of(scope(word)?).0)))
    }
}

impl fmt::Display for Scopes {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words: Vec<_> = self.iter().map(Scope::word).collect();
        formatter.write_str(&words.join(","))
    }
}

impl fmt::Debug for Scopes {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_set().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_includes_the_lesser_ones() {
        let write: Scopes = "write".parse().unwrap();
        assert!(write.allow(Scope::Read) && write.allow(Scope::Write) && !write.allow(Scope::Admin));
        assert_eq!(write.to_string(), "read,write");
        let personal: Scopes = "personal".parse().unwrap();
        assert!(personal.allow(Scope::Read) && personal.allow(Scope::Personal) && !personal.allow(Scope::Write));
        assert!(!Scopes::of(Scope::Admin).allow(Scope::Personal));
        assert_eq!("admin,personal".parse(), Ok(Scopes::ALL));
        assert_eq!("admin".parse(), "write, read,admin".parse::<Scopes>());
        assert_eq!(Scopes::from_bits(write.bits()), write);
    }

    #[test]
    fn a_word_that_is_not_a_scope_is_refused() {
        for text in ["", "read,", "READ", "owner"] {
            assert!(text.parse::<Scopes>().is_err(), "{text}");
        }
    }
}
