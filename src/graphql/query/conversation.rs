//! Conversations.

use async_graphql::{Context, ID, Object};

use super::super::connection::{Connection, Cursor, PageInput, Size};
use super::super::error::Result;
use super::super::input::conversation::{ConversationFilter, ConversationOrder};
use super::super::input::id::read_conversation_id;
use super::super::lazy::Lazy;
use super::super::loaders::share_rows;
use super::super::place::Place;
use super::super::session::{Asking, Needs};
use super::super::types::conversation::{Conversation, Conversations};
use crate::auth::Scope;
use crate::storage::conversations;

#[derive(Default)]
pub(crate) struct ConversationQuery;

#[Object(guard = "Needs(Scope::Read)")]
impl ConversationQuery {
    /// One conversation. Null where the workspace has none of this id. An id that is malformed is an error.
    async fn conversation(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The conversation's id.")] id: ID,
    ) -> Option<Result<Conversation>> {
        find(ctx, &id).await.transpose()
    }

    /// The workspace's conversations, each with its figures at hand: a page with `metrics` costs no more statements than one
    /// conversation with them.
    #[expect(clippy::too_many_arguments, reason = "GraphQL arguments of a field are parameters of its function")]
    async fn conversations(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "At most so many, from the start: 0 to 200; 50 where no size is given.")] first: Size,
        #[graphql(desc = "Only what follows this cursor.")] after: Cursor,
        #[graphql(desc = "At most so many, from the end: 0 to 200. Not together with `first`.")] last: Size,
        #[graphql(desc = "Only what precedes this cursor.")] before: Cursor,
        #[graphql(desc = "Which conversations; all where it is left out.")] filter: Option<ConversationFilter>,
        #[graphql(desc = "In which order; the latest created first where it is left out.")] order_by: Option<
            ConversationOrder,
        >,
    ) -> Result<Connection<Conversations>> {
        let filter = filter.unwrap_or_default().read()?;
        let (order, descending) = ConversationOrder::read(order_by);
        let asked_for = Conversations { filter, order };
        let page = PageInput { first, after, last, before }.read(&asked_for)?;
        let tenant = &ctx.session()?.tenant;
        let slice = conversations::page(tenant, &asked_for.filter, order, descending, &page).await?;
        Ok(Connection::new(asked_for, Some(share_rows(slice))))
    }
}

async fn find(ctx: &Context<'_>, id: &ID) -> Result<Option<Conversation>> {
    let Some(id) = read_conversation_id(id, &Place::of("id"))? else { return Ok(None) };
    Ok(Lazy::find(ctx, id).await?.map(Conversation))
}
