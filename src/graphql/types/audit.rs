//! The audit log.

use std::sync::Arc;

use async_graphql::{Context, Description, Enum, ID, Object};

use crate::domain;
use crate::domain::audit::AuditFilter;
use crate::domain::page::Cursors;
use crate::graphql::connection::List;
use crate::graphql::context::ContextExt;
use crate::graphql::error::Result;
use crate::graphql::scalars::DateTime;
use crate::storage::audit;

/// A write that somebody asked for: a mutation, a list of users, or an operator's command.
#[derive(Description)]
pub(crate) struct AuditEntry(Arc<domain::audit::AuditEntry>);

/// The entries of the audit log that match a filter.
#[derive(Debug, Clone)]
pub(crate) struct AuditLog {
    pub(crate) filter: AuditFilter,
}

/// What became of a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "domain::audit::AuditOutcome")]
pub(crate) enum AuditOutcome {
    /// It was done.
    Done,
    /// It was rejected, as its `userErrors` told, and changed nothing.
    Rejected,
}

#[Object(use_type_description)]
impl AuditEntry {
    /// The entry's globally unique id.
    async fn id(&self) -> ID {
        ID(self.0.id.to_string())
    }

    /// When the write began.
    async fn at(&self) -> DateTime {
        self.0.at.into()
    }

    /// What was asked for: the name of a mutation, `POST /sends`, `token create` or `token revoke`.
    async fn action(&self) -> &str {
        &self.0.action
    }

    /// The id of the token that asked for it, as `bluetick token list` shows it. For a JSON Web Token it is an id that is the
    /// same for all tokens of a person. Null for an operator's command.
    async fn token_id(&self) -> Option<ID> {
        self.0.token.map(|token| ID(token.to_string()))
    }

    /// Whom a JSON Web Token names, by its claim `sub`. Null for any other token, and where it names nobody.
    async fn person(&self) -> Option<&str> {
        self.0.person.as_deref()
    }

    /// What identifies the request, as its response and the server's log do. Null for an operator's command.
    async fn request_id(&self) -> Option<&str> {
        self.0.request.as_deref()
    }

    /// What became of it. Null while it is under way, and if it failed or was interrupted, so that it may have been done or
    /// not.
    async fn outcome(&self) -> Option<AuditOutcome> {
        self.0.outcome.map(Into::into)
    }

    /// The id of what was written, such as a send. Null where nothing was, and for facts, which are many.
    async fn subject_id(&self) -> Option<ID> {
        self.0.subject.clone().map(ID)
    }
}

impl From<Arc<domain::audit::AuditEntry>> for AuditEntry {
    fn from(entry: Arc<domain::audit::AuditEntry>) -> Self {
        Self(entry)
    }
}

impl List for AuditLog {
    const CONNECTION: &'static str = "AuditConnection";
    const ABOUT_CONNECTION: &'static str = "A page of the audit log, newest first.";
    const EDGE: &'static str = "AuditEdge";
    const ABOUT_EDGE: &'static str = "An entry of the audit log and its cursor.";
    type Row = domain::audit::AuditEntry;
    type Node = AuditEntry;

    fn cursors(&self) -> Cursors {
        Cursors::of_numbers("audit")
    }

    async fn total(&self, ctx: &Context<'_>) -> Result<i64> {
        Ok(audit::count(&ctx.request()?.tenant, &self.filter).await?)
    }
}
