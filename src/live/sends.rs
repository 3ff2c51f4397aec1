//! A subscriber to the progress of a send.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use futures_util::future::try_join;
use futures_util::stream::{self, Stream, StreamExt};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};

use super::latest::Latest;
use super::{Hub, Subscriber, Watched};
use crate::domain::id::{SendId, VersionId};
use crate::domain::send::Send;
use crate::domain::tally::Tally;
use crate::storage::{StorageError, Tenant, sends};

/// The longest time between two items. They come without a change too, since the version's log shows neither that a send
/// becomes due nor that it completes by deployments that are not their users' latest.
const MAX_INTERVAL: Duration = Duration::from_secs(1);

/// The number of the next reading.
static NEXT: AtomicI64 = AtomicI64::new(0);

/// How old a reading may be that a subscriber takes over from another where nothing was announced.
const MAX_AGE: Duration = Duration::from_millis(500);

/// A send and its deployments by cell, as they were read together.
#[derive(Debug)]
pub struct Progress {
    /// Distinguishes this reading from all others of the send on this node.
    pub number: i64,
    /// The send.
    pub send: Arc<Send>,
    /// Its deployments.
    pub tally: Arc<Tally>,
}

/// A subscriber to a send.
struct SendFollower {
    subscriber: Subscriber,
    send: SendId,
    latest: Arc<Latest<Progress>>,
    /// Held so that the version stays watched.
    _watched: Arc<Watched>,
    revision: watch::Receiver<i64>,
    interval: Duration,
    last: Option<Instant>,
    ended: bool,
}

impl Hub {
    /// The send as it is, at once and then after each change of its version, and every second while nothing changes; at
    /// most one item per `interval`. All subscribers of a send share the readings. It ends if there is no such send.
    pub fn send(
        &self,
        subscriber: Subscriber,
        (send, version): (SendId, VersionId),
        interval: Duration,
    ) -> impl Stream<Item = Result<Arc<Progress>, StorageError>> + std::marker::Send + use<> {
        let watched = self.watch(version);
        let revision = watched.revision.subscribe();
        let latest = self.latest_of(send);
        let follower =
            SendFollower { subscriber, send, latest, _watched: watched, revision, interval, last: None, ended: false };
        stream::try_unfold(follower, |mut follower| async move {
            let progress = follower.next().await?;
            Ok(progress.map(|progress| (progress, follower)))
        })
        .fuse()
    }
}

impl SendFollower {
    async fn next(&mut self) -> Result<Option<Arc<Progress>>, StorageError> {
        if self.ended {
            return Ok(None);
        }
        if let Some(last) = self.last {
            let ending = self.subscriber.ending.clone();
            tokio::select! {
                () = self.pause(last) => {}
                () = ending.cancelled() => {}
            }
        }
        self.ended = self.subscriber.ending.is_cancelled();
        let Self { subscriber, send, latest, revision, .. } = self;
        let read = async |announced| Ok(read(&subscriber.tenant, *send).await?.map(|progress| (announced, progress)));
        let progress = latest.at_least(|| *revision.borrow_and_update(), MAX_AGE, read).await?;
        self.last = Some(Instant::now());
        Ok(progress)
    }

    async fn pause(&mut self, last: Instant) {
        sleep_until(last + self.interval).await;
        timeout(MAX_INTERVAL, self.revision.changed()).await.ok();
    }
}

async fn read(tenant: &Tenant, id: SendId) -> Result<Option<Progress>, StorageError> {
    let ids = [id];
    let (mut found, mut tallies) = try_join(sends::find_many(tenant, &ids), sends::tallies(tenant, &ids)).await?;
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let tally = Arc::new(tallies.remove(&id).unwrap_or_default());
    Ok(found.remove(&id).map(|send| Progress { number, send: Arc::new(send), tally }))
}
