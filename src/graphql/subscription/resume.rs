//! Where a subscription of changes begins.
//!
//! A client resumes behind a revision that it names, or, over server-sent events, behind the event that it received last. A
//! revision that is still to come would be waited for in silence, so it is refused; so is one whose next change was removed
//! from the log, since it would be missed.

use async_graphql::Context;

use crate::domain::conversation::Conversation;
use crate::domain::id::VersionId;
use crate::domain::position::LogPosition;
use crate::graphql::context::ContextExt;
use crate::graphql::error::{ApiError, Result};
use crate::graphql::given::Given;
use crate::storage::changes::{self, Extent};

/// The header with which a client names the event that it received last.
const HEADER: &str = "Last-Event-ID";

/// The version of the event that the client received last; `None` if it does not resume.
pub(super) async fn resumed_version(ctx: &Context<'_>, of: &Conversation) -> Result<Option<VersionId>> {
    let Some(LogPosition { version, .. }) = ctx.request()?.following.resume else { return Ok(None) };
    let found = ctx.loaders()?.versions().load(version).await?;
    let is_of_conversation = found.is_some_and(|version| version.conversation == of.id);
    let fault = "names a version of another conversation than the one to follow";
    if is_of_conversation { Ok(Some(version)) } else { Err(ApiError::argument(HEADER, fault)) }
}

/// The revision after which to begin: that of the event that the client received last, or else the argument's.
pub(super) async fn read_start(
    ctx: &Context<'_>,
    version: VersionId,
    after_revision: Option<&Given<i32>>,
) -> Result<Option<i64>> {
    let given = Given::read_argument(after_revision, "afterRevision")?;
    let (name, after) = match (ctx.request()?.following.resume, given) {
        (Some(position), _) if position.version != version => {
            return Err(ApiError::argument(HEADER, "names another version than the one to follow"));
        }
        (Some(position), _) => (HEADER, position.revision),
        (None, Some(after)) => ("afterRevision", i64::from(after)),
        (None, None) => return Ok(None),
    };
    if after < 0 {
        return Err(ApiError::argument(name, format!("is {after}; revisions start at 0")));
    }
    let extent = changes::extent(&ctx.request()?.tenant, version).await?;
    let Extent { trimmed, revision } = extent.ok_or_else(|| ApiError::broken("a version that was found is gone"))?;
    if after > revision {
        return Err(ApiError::argument(name, format!("is {after}, but the version's current revision is {revision}")));
    }
    if after < trimmed {
        return Err(ApiError::Trimmed { after, trimmed });
    }
    Ok(Some(after))
}
