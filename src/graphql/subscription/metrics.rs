//! The figures of a version, live.

use std::sync::Arc;

use async_graphql::{Context, ID, Subscription};
use futures_util::{Stream, StreamExt};

use super::{DEFAULT_INTERVAL_MS, find_conversation, find_version, read_every, until_error};
use crate::auth::Scope;
use crate::domain;
use crate::graphql::context::{ContextExt, Needs};
use crate::graphql::error::{ApiError, Result};
use crate::graphql::fresh::Fresh;
use crate::graphql::given::Given;
use crate::graphql::types::metrics::Metrics;
use crate::live::Followed;

#[derive(Default)]
pub(crate) struct MetricsSubscription;

#[Subscription(guard = "Needs(Scope::Read)")]
impl MetricsSubscription {
    /// A conversation's metrics: the current ones immediately, then the latest whenever they change. Changes that
    /// follow each other faster than `everyMs` are combined, so a slow reader gets fewer frames, but never an outdated
    /// one.
    async fn metrics_changed(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The conversation's id.")] conversation_id: ID,
        #[graphql(
            desc = "The number of the version to follow. If omitted, the current version is followed, and then \
                          the next one once it is published."
        )]
        version: Option<Given<i32>>,
        #[graphql(
            desc = "The minimum interval between two frames, in milliseconds: 50 to 60,000.",
            default_with = "Some(Given::new(DEFAULT_INTERVAL_MS))"
        )]
        every_ms: Option<Given<i32>>,
    ) -> Result<impl Stream<Item = Result<Fresh<Metrics>>>> {
        let every = read_every(every_ms.as_ref())?;
        let conversation = find_conversation(ctx, &conversation_id).await?;
        let followed = match &version {
            Some(number) => Followed::Version(find_version(ctx, &conversation, number).await?),
            None => Followed::Current(conversation.id),
        };
        let request = ctx.request()?;
        let frames = request.backend.hub.metrics(request.subscriber(), followed, every);
        let frame = move |metrics: Arc<domain::metrics::Metrics>| {
            let (version, revision) = (metrics.head().id, metrics.head().revision);
            Fresh::new(&request.tenant, Metrics(metrics)).shared_as(version, revision)
        };
        Ok(until_error(frames.map(move |metrics| metrics.map(frame).map_err(ApiError::from))))
    }
}
