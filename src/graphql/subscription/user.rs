//! Changes of users, live.

use async_graphql::{Context, ID, Subscription};
use futures_util::{Stream, StreamExt, future};

use super::{find_conversation, find_version, until_error};
use crate::auth::Scope;
use crate::domain::id::VersionId;
use crate::graphql::context::{ContextExt, Needs};
use crate::graphql::error::{ApiError, Result};
use crate::graphql::fresh::Fresh;
use crate::graphql::given::Given;
use crate::graphql::input::user_change::{ChangeFilter, UserChangeFilter};
use crate::graphql::types::user::UserChange;

#[derive(Default)]
pub(crate) struct UserSubscription;

#[Subscription(guard = "Needs(Scope::Read)")]
impl UserSubscription {
    /// Every change of a version's users, in the order in which they were recorded, each exactly once. To miss nothing,
    /// read the users together with `metrics { revision }`, then subscribe after that revision; after a disconnection,
    /// subscribe after the last revision received.
    async fn user_changed(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The conversation's id.")] conversation_id: ID,
        #[graphql(
            desc = "The number of the version to follow; by default the one that is current when the subscription starts."
        )]
        version: Option<Given<i32>>,
        #[graphql(desc = "Which changes to receive; all by default.")] filter: Option<UserChangeFilter>,
        #[graphql(
            desc = "Start with the changes after this revision: 0 for all of them, at most the current revision. \
                          If omitted, only changes from now on are sent."
        )]
        after_revision: Option<Given<i32>>,
    ) -> Result<impl Stream<Item = Result<Fresh<UserChange>>>> {
        let filter = filter.map_or_else(|| Ok(ChangeFilter::everything()), UserChangeFilter::read)?;
        let conversation = find_conversation(ctx, &conversation_id).await?;
        let version = match &version {
            Some(number) => find_version(ctx, &conversation, number).await?,
            None => conversation.current_version,
        };
        let after = read_revision(ctx, version, after_revision.as_ref()).await?;
        let request = ctx.request()?;
        let tenant = request.tenant.clone();
        let changes = until_error(request.backend.hub.changes(tenant, version, after).map(|item| Ok(item?)));
        let asked_for =
            changes.filter(move |change| future::ready(change.as_ref().map_or(true, |change| filter.matches(change))));
        Ok(asked_for.map(|change| Ok(Fresh::new(&request.tenant, UserChange(change?)))))
    }
}

/// Reads where to begin. A revision that is still to come would be waited for in silence, so it is refused.
async fn read_revision(ctx: &Context<'_>, version: VersionId, after: Option<&Given<i32>>) -> Result<Option<i64>> {
    let Some(after) = Given::read_argument(after, "afterRevision")? else { return Ok(None) };
    if after < 0 {
        return Err(ApiError::argument("afterRevision", format!("is {after}; revisions start at 0")));
    }
    let metrics = ctx.loaders()?.metrics().load(version).await?;
    let current = metrics.map_or(0, |metrics| metrics.head().revision);
    if i64::from(after) > current {
        let fault = format!("is {after}, but the version's current revision is {current}");
        return Err(ApiError::argument("afterRevision", fault));
    }
    Ok(Some(after.into()))
}
