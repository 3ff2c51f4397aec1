//! Messages of a user, live.

use std::sync::Arc;

use async_graphql::{Context, ID, Subscription};
use futures_util::{Stream, TryStreamExt, future, stream};

use super::{find, until_error};
use crate::auth::Scope;
use crate::domain;
use crate::domain::user::{Change, ChangeKind, User};
use crate::graphql::context::{ContextExt, Needs, RequestContext};
use crate::graphql::error::{ApiError, Result};
use crate::graphql::fresh::Fresh;
use crate::graphql::input::id::read_user_id;
use crate::graphql::place::Place;
use crate::graphql::types::message::Message;
use crate::storage::messages;

#[derive(Default)]
pub(crate) struct MessageSubscription;

#[Subscription(guard = "Needs(Scope::Read)")]
impl MessageSubscription {
    /// Every message that is added to a user's history from now on, in either direction, in the order in which they
    /// were recorded. For earlier messages, see `User.history`.
    async fn message_added(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The user's id.")] user_id: ID,
    ) -> Result<impl Stream<Item = Result<Fresh<Message>>>> {
        let user = find_user(ctx, &user_id).await?;
        let request = ctx.request()?;
        let changes = request.backend.hub.changes(request.subscriber(), user.version, None).map_err(ApiError::from);
        let news = changes
            .try_filter(move |change| future::ready(change.user == user.id && change.kinds.has(ChangeKind::Message)));
        let added = news.and_then(move |change| added_by(request, change));
        let messages = added.map_ok(|added| stream::iter(added.into_iter().map(Ok))).try_flatten();
        Ok(until_error(messages.map_ok(|message| Fresh::new(&request.tenant, Message::from(message)))))
    }
}

async fn find_user(ctx: &Context<'_>, id: &ID) -> Result<Arc<User>> {
    find(ctx, read_user_id(id, &Place::of("userId"))?, ApiError::NotFound("user", "userId")).await
}

/// The messages that a change added.
async fn added_by(request: &RequestContext, change: Change) -> Result<Vec<Arc<domain::message::Message>>> {
    let added = messages::added_by(&request.tenant, change.user, &[change.revision]).await?;
    Ok(added.into_iter().map(Arc::new).collect())
}
