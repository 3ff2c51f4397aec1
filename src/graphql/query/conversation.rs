//! Conversations.

use async_graphql::{Context, ID, Object};

use crate::auth::Scope;
use crate::graphql::connection::{Connection, Cursor, PageInput, Size};
use crate::graphql::context::{ContextExt, Needs};
use crate::graphql::error::Result;
use crate::graphql::input::conversation::{ConversationFilter, ConversationOrder};
use crate::graphql::input::id::read_conversation_id;
use crate::graphql::lazy::Lazy;
use crate::graphql::loaders::share_rows;
use crate::graphql::place::Place;
use crate::graphql::types::conversation::{Conversation, Conversations};
use crate::storage::conversations;

#[derive(Default)]
pub(crate) struct ConversationQuery;

#[Object(guard = "Needs(Scope::Read)")]
impl ConversationQuery {
    /// The conversation with this id. Null if the workspace has none. A malformed id is an error.
    async fn conversation(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The conversation's id.")] id: ID,
    ) -> Option<Result<Conversation>> {
        find(ctx, &id).await.transpose()
    }

    /// The workspace's conversations. A page of them with `metrics` takes no more database statements than one
    /// conversation with `metrics`.
    #[expect(clippy::too_many_arguments, reason = "GraphQL arguments of a field are parameters of its function")]
    async fn conversations(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The first N nodes: 0 to 200; 50 if neither `first` nor `last` is given.")] first: Size,
        #[graphql(desc = "Only nodes after this cursor.")] after: Cursor,
        #[graphql(desc = "The last N nodes: 0 to 200. It cannot be combined with `first`.")] last: Size,
        #[graphql(desc = "Only nodes before this cursor.")] before: Cursor,
        #[graphql(desc = "Which conversations to return; all by default.")] filter: Option<ConversationFilter>,
        #[graphql(desc = "The order; by default most recently created first.")] order_by: Option<ConversationOrder>,
    ) -> Result<Connection<Conversations>> {
        let filter = filter.unwrap_or_default().read()?;
        let (order, descending) = ConversationOrder::read(order_by);
        let asked_for = Conversations { filter, order };
        let page = PageInput { first, after, last, before }.read(&asked_for)?;
        let tenant = &ctx.request()?.tenant;
        let slice = conversations::page(tenant, &asked_for.filter, order, descending, &page).await?;
        Ok(Connection::new(asked_for, Some(share_rows(slice))))
    }
}

async fn find(ctx: &Context<'_>, id: &ID) -> Result<Option<Conversation>> {
    let Some(id) = read_conversation_id(id, &Place::of("id"))? else { return Ok(None) };
    let wanted = ctx.look_ahead();
    if !wanted.field("metrics").exists() && !wanted.field("users").field("totalCount").exists() {
        return Ok(Lazy::find(ctx, id).await?.map(Conversation));
    }
    // What screens ask again and again: both are summed from the tally, which one statement reads with the conversation.
    let loaders = ctx.loaders()?;
    let Some(found) = loaders.measured_conversations().load(id).await? else { return Ok(None) };
    let (conversation, metrics) = &*found;
    loaders.metrics().prime(conversation.current_version, metrics.clone()).await;
    Ok(Some(Conversation(Lazy::Loaded(conversation.clone()))))
}
