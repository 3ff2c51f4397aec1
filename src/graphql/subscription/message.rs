//! Messages of a user, live.

use std::sync::Arc;

use async_graphql::{Context, ID, Subscription};
use futures_util::{Stream, TryStreamExt, future, stream};

use super::resume::read_start;
use super::{find, until_error};
use crate::auth::Scope;
use crate::domain;
use crate::domain::position::LogPosition;
use crate::domain::user::{Change, ChangeKind, User};
use crate::graphql::context::{ContextExt, Needs, RequestContext};
use crate::graphql::error::{ApiError, Result};
use crate::graphql::fresh::Fresh;
use crate::graphql::given::Given;
use crate::graphql::input::id::read_user_id;
use crate::graphql::place::Place;
use crate::graphql::types::message::Message;
use crate::storage::messages;

#[derive(Default)]
pub(crate) struct MessageSubscription;

#[Subscription(guard = "Needs(Scope::Read)")]
impl MessageSubscription {
    /// Every message that is added to a user's history, in either direction, in the order in which they were recorded. For
    /// earlier messages, see `User.history`. After a resume, messages that were recorded together may come again.
    async fn message_added(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The user's id.")] user_id: ID,
        #[graphql(desc = "Start with the messages that were added after this revision of the user's version, as for \
                          `userChanged`. If omitted, only messages from now on are sent.")]
        after_revision: Option<Given<i32>>,
    ) -> Result<impl Stream<Item = Result<Fresh<Message>>>> {
        let user = find_user(ctx, &user_id).await?;
        let (request, version) = (ctx.request()?, user.version);
        let after = read_start(ctx, version, after_revision.as_ref()).await?;
        let changes = request.backend.hub.changes(request.subscriber(), version, after).map_err(ApiError::from);
        let news = changes
            .try_filter(move |change| future::ready(change.user == user.id && change.kinds.has(ChangeKind::Message)));
        let added = news.and_then(move |change| added_by(request, change));
        let messages = added.map_ok(|added| stream::iter(added.into_iter().map(Ok))).try_flatten();
        let frame = move |(revision, message)| {
            Fresh::new(&request.tenant, Message::from(message)).at(LogPosition { version, revision })
        };
        Ok(until_error(messages.map_ok(frame)))
    }
}

async fn find_user(ctx: &Context<'_>, id: &ID) -> Result<Arc<User>> {
    find(ctx, read_user_id(id, &Place::of("userId"))?, ApiError::NotFound("user", "userId")).await
}

/// The messages that a change added, each with the revision to resume after: behind all but the last of them, the same change
/// adds more.
async fn added_by(request: &RequestContext, change: Change) -> Result<Vec<(i64, Arc<domain::message::Message>)>> {
    let added = messages::added_by(&request.tenant, change.user, &[change.revision]).await?;
    let last = added.len().saturating_sub(1);
    let behind = |index| if index == last { change.revision } else { change.revision - 1 };
    Ok(added.into_iter().enumerate().map(|(index, message)| (behind(index), Arc::new(message))).collect())
}
