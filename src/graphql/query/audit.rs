//! The audit log.

use async_graphql::{Context, Object};

use crate::auth::Scope;
use crate::graphql::connection::{Connection, Cursor, PageInput, Size};
use crate::graphql::context::{ContextExt, Needs};
use crate::graphql::error::Result;
use crate::graphql::input::audit::AuditFilter;
use crate::graphql::loaders::share_rows;
use crate::graphql::types::audit::AuditLog;
use crate::storage::audit;

#[derive(Default)]
pub(crate) struct AuditQuery;

#[Object(guard = "Needs(Scope::Admin)")]
impl AuditQuery {
    /// Who wrote what, and when: an entry for each mutation that was carried out, each list of users, and each of the
    /// operators' commands for tokens, newest first. It requires a token with the scope ADMIN.
    #[expect(clippy::too_many_arguments, reason = "GraphQL arguments of a field are parameters of its function")]
    async fn audit_log(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The first N nodes: 0 to 200; 50 if neither `first` nor `last` is given.")] first: Size,
        #[graphql(desc = "Only nodes after this cursor.")] after: Cursor,
        #[graphql(desc = "The last N nodes: 0 to 200. It cannot be combined with `first`.")] last: Size,
        #[graphql(desc = "Only nodes before this cursor.")] before: Cursor,
        #[graphql(desc = "Which entries to return; all by default.")] filter: Option<AuditFilter>,
    ) -> Result<Connection<AuditLog>> {
        let asked_for = AuditLog { filter: filter.unwrap_or_default().read()? };
        let page = PageInput { first, after, last, before }.read(&asked_for)?;
        let slice = audit::page(&ctx.request()?.tenant, &asked_for.filter, &page).await?;
        Ok(Connection::new(asked_for, Some(share_rows(slice))))
    }
}
