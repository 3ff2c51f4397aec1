//! What can be followed: one file per noun. Every field needs a token that may read.
//!
//! A stream ends with its first error, and each of its frames is resolved with loaders of its own: what was loaded for one
//! frame is never shown in another. What a subscription follows is looked up as it begins, and an id of nothing is an error
//! then, since a stream that stays silent gives no reason.

mod conversation;
mod message;
mod metrics;
mod resume;
mod send;
mod session;
mod user;

use std::sync::Arc;
use std::time::Duration;

use async_graphql::{Context, ID, MergedSubscription};
use futures_util::{Stream, StreamExt, future, stream};

use super::context::ContextExt;
use super::error::{ApiError, Result};
use super::given::Given;
use super::input::id::read_conversation_id;
use super::lazy::Record;
use super::place::Place;
use crate::domain::conversation::Conversation;
use crate::domain::id::VersionId;

/// Everything that can be followed live, over WebSocket or server-sent events. It requires a token with the scope READ.
#[derive(Default, MergedSubscription)]
pub(crate) struct Subscription(
    metrics::MetricsSubscription,
    conversation::ConversationSubscription,
    user::UserSubscription,
    send::SendSubscription,
    message::MessageSubscription,
    session::SessionSubscription,
);

/// The interval between frames if the client does not choose one, in milliseconds.
const DEFAULT_INTERVAL_MS: i32 = 250;
/// The intervals between frames that a client may choose, in milliseconds.
const INTERVAL_MS: std::ops::RangeInclusive<i32> = 50..=60_000;

/// Reads the interval between frames.
fn read_every(every: Option<&Given<i32>>) -> Result<Duration> {
    let millis = Given::read_argument(every, "everyMs")?.unwrap_or(DEFAULT_INTERVAL_MS);
    let fault =
        || format!("is {millis}; it must be between {} and {} milliseconds", INTERVAL_MS.start(), INTERVAL_MS.end());
    let millis = u64::try_from(millis).ok().filter(|_| INTERVAL_MS.contains(&millis));
    millis.map(Duration::from_millis).ok_or_else(|| ApiError::argument("everyMs", fault()))
}

/// The conversation to follow.
async fn find_conversation(ctx: &Context<'_>, id: &ID) -> Result<Arc<Conversation>> {
    let id = read_conversation_id(id, &Place::of("conversationId"))?;
    find(ctx, id, ApiError::NotFound("conversation", "conversationId")).await
}

/// The row of an id to follow; `missing` if the workspace has none.
async fn find<T: Record>(ctx: &Context<'_>, id: Option<T::Id>, missing: ApiError) -> Result<Arc<T>> {
    let Some(id) = id else { return Err(missing) };
    T::loader(ctx.loaders()?).load(id).await?.ok_or(missing)
}

/// The version of a conversation with this number.
async fn find_version(ctx: &Context<'_>, of: &Conversation, number: &Given<i32>) -> Result<VersionId> {
    let number = number.read(&Place::of("version"))?;
    let version = ctx.loaders()?.numbered_versions().load((of.id, number)).await?;
    version.map(|version| version.id).ok_or(ApiError::NotFound("version", "version"))
}

/// The stream up to and including its first error.
fn until_error<T>(stream: impl Stream<Item = Result<T>>) -> impl Stream<Item = Result<T>> {
    until(stream, Result::is_err)
}

/// The stream up to and including the first item that is the last. It ends with that item, without waiting for another.
pub(super) fn until<T>(stream: impl Stream<Item = T>, last: impl Fn(&T) -> bool) -> impl Stream<Item = T> {
    let marked = stream.flat_map(move |item| {
        let end = last(&item).then_some(None);
        stream::iter(std::iter::once(Some(item)).chain(end))
    });
    marked.take_while(|item| future::ready(item.is_some())).filter_map(future::ready)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_stream_ends_with_its_first_error() {
        let items = stream::iter([Ok(1), Err(ApiError::broken("it broke"))]).chain(stream::pending());
        let seen: Vec<_> = until_error(items).map(Result::ok).collect().await;
        assert_eq!(seen, [Some(1), None]);
    }

    #[test]
    fn a_pause_out_of_range_names_its_argument() {
        for every in [0, 49, 60_001, -1] {
            let told = read_every(Some(&Given::new(every))).unwrap_err().to_string();
            assert_eq!(told, format!("Argument \"everyMs\" is {every}; it must be between 50 and 60000 milliseconds"));
        }
        assert_eq!(read_every(None).unwrap(), Duration::from_millis(250));
        assert_eq!(read_every(Some(&Given::new(50))).unwrap(), Duration::from_millis(50));
    }
}
