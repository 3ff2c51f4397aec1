//! Sessions, live.

use std::sync::Arc;

use async_graphql::{Context, ID, Subscription};
use futures_util::{Stream, TryStreamExt, future};

use super::conversation::find_conversations;
use super::until_error;
use crate::auth::Scope;
use crate::domain::id::VersionId;
use crate::domain::session::SessionFilter as Filter;
use crate::domain::standing::SessionStatus;
use crate::domain::user::{Change, ChangeKind};
use crate::graphql::context::{ContextExt, Needs, RequestContext};
use crate::graphql::error::{ApiError, Result};
use crate::graphql::fresh::Fresh;
use crate::graphql::input::session::SessionFilter;
use crate::graphql::types::session::Session;
use crate::storage::sessions;

#[derive(Default)]
pub(crate) struct SessionSubscription;

#[Subscription(guard = "Needs(Scope::Read)")]
impl SessionSubscription {
    /// Sessions as they begin, change their status or agent, and end, and sessions in AGENT whenever a message is added to
    /// them: each as it is when the frame is delivered, from now on. It covers the ten newest versions of each conversation,
    /// since users finish in the version that they began, and those that are published later. Where the filter does not match
    /// a session as it is now, there is no frame, so a list has to drop by itself what leaves it: follow without a filter, or
    /// read `sessions` again from time to time. There is nothing to resume after: after a disconnection, subscribe, and then
    /// read `sessions` again.
    async fn session_changed(
        &self,
        ctx: &Context<'_>,
        #[graphql(
            desc = "The ids of the conversations to follow, at most 200. By default the workspace's newest 200 that are \
                          not archived when the subscription starts."
        )]
        conversation_ids: Option<Vec<ID>>,
        #[graphql(desc = "Which sessions to receive; all by default.")] filter: Option<SessionFilter>,
    ) -> Result<impl Stream<Item = Result<Fresh<Session>>>> {
        let filter = Arc::new(filter.unwrap_or_default().read()?);
        let conversations = find_conversations(ctx, conversation_ids, "conversationIds").await?;
        let request = ctx.request()?;
        let changes = request.backend.hub.changes_of(request.subscriber(), conversations).map_err(ApiError::from);
        let news = changes.try_filter(|(_, change)| future::ready(tells_of_session(change)));
        let frames = news.try_filter_map(move |placed| frame(request, placed, Arc::clone(&filter)));
        Ok(until_error(frames))
    }
}

/// Whether a change is one of a session, or adds a message to one in which an agent follows what is said.
fn tells_of_session(change: &Change) -> bool {
    let told = |kind| change.kinds.has(kind);
    match change.after.session_status {
        // A session that begins with its deployment is no change of what there was.
        Some(_) if told(ChangeKind::Session) || told(ChangeKind::Deployed) => true,
        Some(SessionStatus::Agent) => told(ChangeKind::Message),
        _ => false,
    }
}

/// The session of the user who changed, if it is asked for.
async fn frame(
    request: &RequestContext,
    (version, change): (VersionId, Change),
    filter: Arc<Filter>,
) -> Result<Option<Fresh<Session>>> {
    let found = sessions::find_latest(&request.tenant, change.user, &filter).await?;
    let session = found.map(|session| Session::from(Arc::new(session)));
    Ok(session.map(|session| Fresh::new(&request.tenant, session).shared_as(version, change.revision)))
}
