//! Webhooks at a steady rate, beside whatever else is going on.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::Result;
use crate::drive::{Connection, Load, histogram};
use crate::payload::Facts;

/// Statuses of a post, and the time between two posts: 3,000 statuses a second.
const STATUSES: u64 = 30;
const INTERVAL: Duration = Duration::from_millis(10);
/// How many connections take turns; the provider posts concurrently, too.
const CONNECTIONS: usize = 32;

/// Posts until it is stopped.
pub(super) struct Posting {
    stopping: CancellationToken,
    running: JoinSet<Result<Latencies>>,
}

/// How long posts took.
pub(super) struct Latencies {
    posts: Histogram<u64>,
    /// Statuses a second.
    pub(super) per_second: f64,
}

impl Posting {
    /// Starts to post statuses.
    pub(super) fn start(address: SocketAddr, facts: &Facts) -> Self {
        let stopping = CancellationToken::new();
        let load = facts.load("/webhooks/whatsapp", STATUSES);
        let mut running = JoinSet::new();
        running.spawn(run(address, load, stopping.clone()));
        Self { stopping, running }
    }

    /// Stops, and tells how long the posts took.
    pub(super) async fn stop(mut self) -> Result<Latencies> {
        self.stopping.cancel();
        self.running.join_next().await.ok_or("nothing was posted")??
    }
}

impl Latencies {
    /// What a share of the posts kept within.
    #[expect(clippy::cast_precision_loss, reason = "no latency is that long")]
    pub(super) fn milliseconds(&self, share: f64) -> f64 {
        self.posts.value_at_quantile(share) as f64 / 1_000.0
    }
}

async fn run(address: SocketAddr, load: Load, stopping: CancellationToken) -> Result<Latencies> {
    let (mut free, mut posts, begin) = (Vec::new(), histogram()?, Instant::now());
    for _ in 0..CONNECTIONS {
        free.push(Connection::open(address).await?);
    }
    let mut ticks = interval(INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let (mut pending, mut due) = (JoinSet::new(), Vec::new());
    while !stopping.is_cancelled() {
        tokio::select! {
            at = ticks.tick() => due.push(at),
            Some(posted) = pending.join_next() => {
                let (connection, took): (Connection, Duration) = posted??;
                posts.saturating_record(u64::try_from(took.as_micros())?);
                free.push(connection);
            }
        }
        while let Some(mut connection) = free.pop_if(|_| !due.is_empty()) {
            let (at, request) = (due.remove(0), load(0).ok_or("no facts")?);
            // From when it was due: a post that had to wait for a connection was late, too.
            pending.spawn(async move {
                connection.send(request).await?;
                Ok::<_, Box<dyn std::error::Error + Send + Sync>>((connection, at.elapsed()))
            });
        }
    }
    #[expect(clippy::cast_precision_loss, reason = "no run has that many")]
    let per_second = (posts.len() * STATUSES) as f64 / begin.elapsed().as_secs_f64();
    Ok(Latencies { posts, per_second })
}
