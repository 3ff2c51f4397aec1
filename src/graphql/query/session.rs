//! Sessions.

use async_graphql::{Context, Object};

use crate::auth::Scope;
use crate::graphql::connection::{Connection, Cursor, PageInput, Size};
use crate::graphql::context::{ContextExt, Needs};
use crate::graphql::error::Result;
use crate::graphql::input::session::{SessionFilter, SessionOrder};
use crate::graphql::loaders::share_rows;
use crate::graphql::types::session::Sessions;
use crate::storage::sessions;

#[derive(Default)]
pub(crate) struct SessionQuery;

#[Object(guard = "Needs(Scope::Read)")]
impl SessionQuery {
    /// The sessions of all conversations: an agent's inbox. What waits for an agent is in AGENT, and `unassigned` until
    /// somebody takes it.
    #[expect(clippy::too_many_arguments, reason = "GraphQL arguments of a field are parameters of its function")]
    async fn sessions(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The first N nodes: 0 to 200; 50 if neither `first` nor `last` is given.")] first: Size,
        #[graphql(desc = "Only nodes after this cursor.")] after: Cursor,
        #[graphql(desc = "The last N nodes: 0 to 200. It cannot be combined with `first`.")] last: Size,
        #[graphql(desc = "Only nodes before this cursor.")] before: Cursor,
        #[graphql(desc = "Which sessions to return; all by default.")] filter: Option<SessionFilter>,
        #[graphql(desc = "The order; by default those first who have waited the longest.")] order_by: Option<
            SessionOrder,
        >,
    ) -> Result<Connection<Sessions>> {
        let asked_for = Sessions { filter: filter.unwrap_or_default().read()? };
        let descending = SessionOrder::read(order_by);
        let page = PageInput { first, after, last, before }.read(&asked_for)?;
        let slice = sessions::page(&ctx.request()?.tenant, &asked_for.filter, descending, &page).await?;
        Ok(Connection::new(asked_for, Some(share_rows(slice))))
    }
}
