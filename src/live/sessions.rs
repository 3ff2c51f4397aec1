//! A subscriber to the sessions of many conversations: the changes of all their versions.
//!
//! Users who began an old version finish in it, so the newest versions of each conversation are followed, and whatever is
//! published while somebody follows.

use std::collections::HashSet;
use std::time::Duration;

use futures_util::stream::{self, BoxStream, SelectAll, Stream, StreamExt, TryStreamExt};
use tokio::time::{Instant, Interval, interval_at};

use super::{Hub, LogError, Subscriber};
use crate::domain::id::{ConversationId, VersionId};
use crate::domain::user::Change;
use crate::storage::{StorageError, changes};

/// How many versions of a conversation are followed that were published before somebody follows.
const MAX_VERSIONS: u32 = 10;

/// How often newly published versions are looked for.
const INTERVAL: Duration = Duration::from_secs(5);

/// A change, and the version in whose log it is.
type Placed = (VersionId, Change);

/// A subscriber to all changes of conversations.
struct Following {
    hub: Hub,
    subscriber: Subscriber,
    conversations: Vec<ConversationId>,
    followed: HashSet<VersionId>,
    changes: SelectAll<BoxStream<'static, Result<Placed, LogError>>>,
    looks: Interval,
}

impl Hub {
    /// Every change in the newest versions of conversations from now on: in order within a version, each once.
    pub fn changes_of(
        &self,
        subscriber: Subscriber,
        conversations: Vec<ConversationId>,
    ) -> impl Stream<Item = Result<Placed, LogError>> + Send + use<> {
        let begin = Following::begin(self.clone(), subscriber, conversations);
        let followed = async move {
            let changes = stream::try_unfold(begin.await?, |mut following| async move {
                let change = following.next().await?;
                Ok::<_, LogError>(change.map(|change| (change, following)))
            });
            Ok::<_, LogError>(changes)
        };
        stream::once(followed).try_flatten()
    }
}

impl Following {
    async fn begin(hub: Hub, subscriber: Subscriber, conversations: Vec<ConversationId>) -> Result<Self, StorageError> {
        let newest = changes::newest_versions(&subscriber.tenant, &conversations, MAX_VERSIONS).await?;
        let (followed, changes) = (HashSet::new(), SelectAll::new());
        let looks = interval_at(Instant::now() + INTERVAL, INTERVAL);
        let mut following = Self { hub, subscriber, conversations, followed, changes, looks };
        for (version, revision) in newest {
            // What is known already need not be read, by each of what may be two thousand logs.
            following.hub.watch(version).advance(revision);
            following.follow(version, revision);
        }
        Ok(following)
    }

    async fn next(&mut self) -> Result<Option<Placed>, LogError> {
        loop {
            if self.subscriber.ending.is_cancelled() {
                return self.changes.try_next().await;
            }
            tokio::select! {
                Some(change) = self.changes.next() => return change.map(Some),
                _ = self.looks.tick() => self.look().await,
                () = self.subscriber.ending.cancelled() => {}
            }
        }
    }

    /// Follows what was published meanwhile, from its beginning on.
    async fn look(&mut self) {
        match changes::newest_versions(&self.subscriber.tenant, &self.conversations, MAX_VERSIONS).await {
            Ok(newest) => newest.into_iter().for_each(|(version, _)| self.follow(version, 0)),
            // The next look finds it.
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "cannot read the versions of conversations");
            }
        }
    }

    fn follow(&mut self, version: VersionId, after: i64) {
        if self.followed.insert(version) {
            let changes = self.hub.changes(self.subscriber.clone(), version, Some(after));
            self.changes.push(changes.map_ok(move |change| (version, change)).boxed());
        }
    }
}
