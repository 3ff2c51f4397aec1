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

/// The time between two posts.
const INTERVAL: Duration = Duration::from_millis(10);
const POSTS_PER_SECOND: u64 = 100;
/// How many connections take turns; the provider posts concurrently, too.
const CONNECTIONS: usize = 32;

/// Posts until it is stopped.
pub(crate) struct Posting {
    stopping: CancellationToken,
    running: JoinSet<Result<Latencies>>,
}

/// How long posts took.
pub(crate) struct Latencies {
    posts: Histogram<u64>,
    /// Statuses a second.
    pub(crate) per_second: f64,
}

impl Posting {
    /// Starts to post so many statuses a second, of these versions in turn.
    pub(crate) fn start(address: SocketAddr, facts: &[Facts], per_second: u64) -> Self {
        let stopping = CancellationToken::new();
        let each = (per_second / POSTS_PER_SECOND).max(1);
        let loads = facts.iter().map(|facts| facts.load("/webhooks/whatsapp", each)).collect();
        let mut running = JoinSet::new();
        running.spawn(run(address, loads, each, stopping.clone()));
        Self { stopping, running }
    }

    /// Stops, and tells how long the posts took.
    pub(crate) async fn stop(mut self) -> Result<Latencies> {
        self.stopping.cancel();
        self.running.join_next().await.ok_or("nothing was posted")??
    }
}

impl Latencies {
    /// What a share of the posts kept within.
    #[expect(clippy::cast_precision_loss, reason = "no latency is that long")]
    pub(crate) fn milliseconds(&self, share: f64) -> f64 {
        self.posts.value_at_quantile(share) as f64 / 1_000.0
    }
}

async fn run(address: SocketAddr, loads: Vec<Load>, each: u64, stopping: CancellationToken) -> Result<Latencies> {
    let (mut free, mut posts, begin) = (Vec::new(), histogram()?, Instant::now());
    for _ in 0..CONNECTIONS {
        free.push(Connection::open(address).await?);
    }
    let mut ticks = interval(INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let (mut pending, mut due, mut turns) = (JoinSet::new(), Vec::new(), loads.iter().cycle());
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
            let load = turns.next().ok_or("no facts")?;
            let (at, request) = (due.remove(0), load(0).ok_or("no facts")?);
            // From when it was due: a post that had to wait for a connection was late, too.
            pending.spawn(async move {
                connection.send(request).await?;
                Ok::<_, Box<dyn std::error::Error + Send + Sync>>((connection, at.elapsed()))
            });
        }
    }
    // What was posted counts, so it is waited for.
    while let Some(posted) = pending.join_next().await {
        posted??;
    }
    #[expect(clippy::cast_precision_loss, reason = "no run has that many")]
    let per_second = (posts.len() * each) as f64 / begin.elapsed().as_secs_f64();
    Ok(Latencies { posts, per_second })
}
