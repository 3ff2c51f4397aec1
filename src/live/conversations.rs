//! A subscriber to the metrics of many conversations.

use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{self, Stream, StreamExt, TryStreamExt};

use super::metrics::Follower;
use super::{Followed, Hub, Subscriber};
use crate::domain::id::ConversationId;
use crate::domain::metrics::Metrics;
use crate::storage::{StorageError, metrics};

/// A conversation, and the metrics of its current version.
type Measured = (ConversationId, Arc<Metrics>);

impl Hub {
    /// The present metrics of each conversation at once, which takes one statement, and then its latest after each change,
    /// at most one item of each per `interval`. Conversations that do not exist are left out.
    pub fn conversations(
        &self,
        subscriber: Subscriber,
        ids: Vec<ConversationId>,
        interval: Duration,
    ) -> impl Stream<Item = Result<Measured, StorageError>> + Send + use<> {
        let hub = self.clone();
        let begin = async move {
            let followers = hub.followers(&subscriber, &ids, interval).await?;
            let streams = followers
                .into_iter()
                .map(|(id, follower)| follower.stream().map_ok(move |metrics| (id, metrics)).boxed());
            Ok::<_, StorageError>(stream::select_all(streams))
        };
        stream::once(begin).try_flatten()
    }

    async fn followers(
        &self,
        subscriber: &Subscriber,
        ids: &[ConversationId],
        interval: Duration,
    ) -> Result<Vec<(ConversationId, Follower)>, StorageError> {
        let mut found = metrics::with_conversations(&subscriber.tenant, ids).await?;
        let mut followers = Vec::with_capacity(found.len());
        for &id in ids {
            let Some((_, metrics)) = found.remove(&id) else { continue };
            let mut follower = Follower::new(self, subscriber.clone(), Followed::Current(id), interval);
            follower.begin_with(id, metrics).await;
            followers.push((id, follower));
        }
        Ok(followers)
    }
}
