//! Changes of users, live.

use async_graphql::{Context, ID, Subscription};
use futures_util::{Stream, StreamExt, future};

use super::resume::{read_start, resumed_version};
use super::{find_conversation, find_version, until_error};
use crate::auth::Scope;
use crate::domain::position::LogPosition;
use crate::domain::user::Change;
use crate::graphql::context::{ContextExt, Needs};
use crate::graphql::error::Result;
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
                          If omitted, only changes from now on are sent. Changes are kept for a time that the operator \
                          sets, 30 days by default; if the next one is gone, the error's code is REVISION_TRIMMED: read \
                          the users afresh."
        )]
        after_revision: Option<Given<i32>>,
    ) -> Result<impl Stream<Item = Result<Fresh<UserChange>>>> {
        let filter = filter.map_or_else(|| Ok(ChangeFilter::everything()), UserChangeFilter::read)?;
        let conversation = find_conversation(ctx, &conversation_id).await?;
        let version = match &version {
            Some(number) => find_version(ctx, &conversation, number).await?,
            None => resumed_version(ctx, &conversation).await?.unwrap_or(conversation.current_version),
        };
        let after = read_start(ctx, version, after_revision.as_ref()).await?;
        let request = ctx.request()?;
        let changes = request.backend.hub.changes(request.subscriber(), version, after);
        let changes = until_error(changes.map(|change| Ok(change?)));
        let asked_for =
            changes.filter(move |change| future::ready(change.as_ref().map_or(true, |change| filter.matches(change))));
        let frame = move |change: Change| {
            let revision = change.revision;
            let frame = Fresh::new(&request.tenant, UserChange(change)).shared_as(version, revision);
            frame.at(LogPosition { version, revision })
        };
        Ok(asked_for.map(move |change| change.map(frame)))
    }
}
