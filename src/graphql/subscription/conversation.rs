//! A list of conversations, live.

use std::collections::HashSet;
use std::sync::Arc;

use async_graphql::{Context, ID, Subscription};
use futures_util::{Stream, TryStreamExt};

use super::{DEFAULT_INTERVAL_MS, read_every, until_error};
use crate::auth::Scope;
use crate::domain::conversation::ConversationFilter;
use crate::domain::id::ConversationId;
use crate::domain::metrics::Metrics;
use crate::domain::page::Page;
use crate::graphql::context::{ContextExt, Needs, RequestContext};
use crate::graphql::error::{ApiError, Result};
use crate::graphql::fresh::Fresh;
use crate::graphql::given::Given;
use crate::graphql::input::id::read_conversation_id;
use crate::graphql::lazy::Lazy;
use crate::graphql::loaders::Loaders;
use crate::graphql::place::Place;
use crate::graphql::types::conversation::Conversation;
use crate::storage::conversations::{self, ConversationOrder};

#[derive(Default)]
pub(crate) struct ConversationSubscription;

/// The most conversations that one subscription follows: a page.
const MAX_CONVERSATIONS: usize = 200;

#[Subscription(guard = "Needs(Scope::Read)")]
impl ConversationSubscription {
    /// Conversations with their metrics, for a page that shows a list of them: each as it is now, then whenever its
    /// metrics change or another version of it is published. Changes of a conversation that follow each other faster than
    /// `everyMs` are combined.
    async fn conversations_changed(
        &self,
        ctx: &Context<'_>,
        #[graphql(
            desc = "The ids of the conversations to follow, at most 200. By default the workspace's newest 200 that are \
                          not archived when the subscription starts."
        )]
        ids: Option<Vec<ID>>,
        #[graphql(
            desc = "The minimum interval between two frames of one conversation, in milliseconds: 50 to 60,000.",
            default_with = "Some(Given::new(DEFAULT_INTERVAL_MS))"
        )]
        every_ms: Option<Given<i32>>,
    ) -> Result<impl Stream<Item = Result<Fresh<Conversation>>>> {
        let every = read_every(every_ms.as_ref())?;
        let request = ctx.request()?;
        let ids = find_conversations(ctx, ids, "ids").await?;
        let measured = request.backend.hub.conversations(request.subscriber(), ids, every).map_err(ApiError::from);
        let frames = measured.and_then(async move |(id, metrics)| Ok(frame(request, id, metrics).await));
        Ok(until_error(frames))
    }
}

/// The conversations to follow: those that an argument names, or the workspace's newest.
pub(super) async fn find_conversations(
    ctx: &Context<'_>,
    ids: Option<Vec<ID>>,
    argument: &'static str,
) -> Result<Vec<ConversationId>> {
    match ids {
        Some(ids) => find_all(ctx, &ids, argument).await,
        None => newest(ctx.request()?).await,
    }
}

/// The conversations with these ids, each once.
async fn find_all(ctx: &Context<'_>, ids: &[ID], argument: &'static str) -> Result<Vec<ConversationId>> {
    if ids.len() > MAX_CONVERSATIONS {
        let fault = format!("has {} ids; at most {MAX_CONVERSATIONS} conversations can be followed", ids.len());
        return Err(ApiError::argument(argument, fault));
    }
    let place = Place::of(argument);
    let (mut known, mut found) = (HashSet::new(), Vec::with_capacity(ids.len()));
    for (index, id) in ids.iter().enumerate() {
        let missing = ApiError::NotFound("conversation", argument);
        let id = read_conversation_id(id, &place.item(index))?.ok_or_else(|| missing.clone())?;
        if known.insert(id) {
            found.push((id, missing));
        }
    }
    let loaders = ctx.loaders()?;
    let load = async |(id, missing)| loaders.conversations().load(id).await?.map(|_| id).ok_or(missing);
    futures_util::future::try_join_all(found.into_iter().map(load)).await
}

/// The workspace's newest conversations that are not archived.
async fn newest(request: &RequestContext) -> Result<Vec<ConversationId>> {
    let filter = ConversationFilter { archived: Some(false), ..ConversationFilter::default() };
    let page = Page { size: MAX_CONVERSATIONS, backward: false, after: None, before: None };
    let slice = conversations::page(&request.tenant, &filter, ConversationOrder::Created, true, &page).await?;
    Ok(slice.rows.into_iter().map(|(_, conversation)| conversation.id).collect())
}

/// The conversation with the metrics that were read.
async fn frame(request: &RequestContext, id: ConversationId, metrics: Arc<Metrics>) -> Fresh<Conversation> {
    let loaders = Loaders::new(request.tenant.clone());
    let (version, revision) = (metrics.head().id, metrics.head().revision);
    loaders.metrics().prime(version, metrics).await;
    Fresh::with(loaders, Conversation(Lazy::Id(id))).shared_as(version, revision)
}
