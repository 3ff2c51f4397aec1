//! A storm: facts arrive while clients watch, and then every client must have all of it.

use std::fs;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use futures_util::future::try_join_all;
use hdrhistogram::Histogram;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::client::{Client, FIGURES, Kind};
use super::{Stage, Watched};
use crate::Result;
use crate::cpu::Cpu;
use crate::database::rows;
use crate::drive::{Connection, histogram};
use crate::options::Options;
use crate::payload::Facts;
use crate::posting::Posting;
use crate::requests;

/// How many sockets are opened at a time.
const AT_A_TIME: usize = 100;

/// How long the clients have before facts arrive, in which they are given the present; and PostgreSQL's processes report
/// within a second what they have done.
const SETTLING: Duration = Duration::from_secs(2);

/// How long the last frames may take, also to clients that stalled.
const LAST_FRAMES: Duration = Duration::from_mins(2);

/// What came of a storm.
pub(super) struct Outcome {
    pub(super) clients: usize,
    pub(super) elapsed: Duration,
    pub(super) cpu: Cpu,
    pub(super) frames: u64,
    pub(super) ages: Histogram<u64>,
    pub(super) facts_per_second: f64,
    /// Of the database.
    pub(super) transactions_per_second: f64,
    /// What the server held at the end, in bytes.
    pub(super) memory: u64,
}

/// Who watches, and what.
pub(super) struct Swarm {
    pub(super) kinds: Vec<Kind>,
    /// The node on which they watch; the facts arrive at the first one.
    pub(super) node: SocketAddr,
    pub(super) facts_per_second: u64,
}

/// What is read before and after.
struct Reading {
    at: Instant,
    cpu: Cpu,
    transactions: i64,
}

/// Facts arriving.
pub(super) struct Storm {
    posting: Posting,
    begin: Reading,
}

/// What came of the facts alone.
pub(super) struct Passed {
    pub(super) elapsed: Duration,
    pub(super) cpu: Cpu,
    pub(super) facts_per_second: f64,
    pub(super) transactions_per_second: f64,
}

impl Storm {
    /// Opens the clients' sockets, lets facts arrive for a while, and waits until every client has what a query tells.
    pub(super) async fn over(stage: &Stage, options: &Options, swarm: Swarm) -> Result<Outcome> {
        let clients = open(stage, swarm.node, swarm.kinds).await?;
        let ends: Vec<_> = stage.watched.iter().map(|_| watch::Sender::new(None)).collect();
        let count = clients.len();
        let mut running = JoinSet::new();
        for (client, end) in clients.into_iter().zip(ends.iter().cycle()) {
            running.spawn(client.follow(end.subscribe()));
        }
        tokio::time::sleep(SETTLING).await;
        let storm = Self::begin(stage, swarm.facts_per_second).await?;
        tokio::time::sleep(options.swarm_duration()).await;
        let (passed, memory) = (storm.end(stage).await?, resident(stage)?);
        for (watched, end) in stage.watched.iter().zip(&ends) {
            end.send_replace(Some(figures(stage, watched).await?));
        }
        let (mut frames, mut ages) = (0, histogram()?);
        let finished = async {
            while let Some(seen) = running.join_next().await {
                let seen = seen??;
                frames += seen.frames;
                ages.add(seen.ages)?;
            }
            Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
        };
        tokio::time::timeout(LAST_FRAMES, finished).await.map_err(|_| "some clients miss the last frames")??;
        let Passed { elapsed, cpu, facts_per_second, transactions_per_second } = passed;
        Ok(Outcome { clients: count, elapsed, cpu, frames, ages, facts_per_second, transactions_per_second, memory })
    }

    /// Lets facts arrive.
    pub(super) async fn begin(stage: &Stage, facts_per_second: u64) -> Result<Self> {
        let facts: Vec<Facts> = stage.watched.iter().map(|watched| watched.facts.clone()).collect();
        let begin = Reading::now(stage).await?;
        Ok(Self { posting: Posting::start(stage.server.address, &facts, facts_per_second), begin })
    }

    /// Lets no more arrive.
    pub(super) async fn end(self, stage: &Stage) -> Result<Passed> {
        let end = Reading::now(stage).await?;
        let posted = self.posting.stop().await?;
        if stage.watched.iter().any(|watched| watched.facts.used_up()) {
            return Err("the facts were used up".into());
        }
        let elapsed = end.at - self.begin.at;
        #[expect(clippy::cast_precision_loss, reason = "no run has that many")]
        let transactions = (end.transactions - self.begin.transactions) as f64;
        Ok(Passed {
            elapsed,
            cpu: end.cpu.since(self.begin.cpu),
            facts_per_second: posted.per_second,
            transactions_per_second: transactions / elapsed.as_secs_f64(),
        })
    }
}

impl Reading {
    async fn now(stage: &Stage) -> Result<Self> {
        const SQL: &str = "SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = current_database()";
        let transactions: Vec<(i64,)> = rows!(&stage.pool, SQL, [], "SELECT 0", [])?;
        let transactions = transactions.first().map_or(0, |(count,)| *count);
        Ok(Self { at: Instant::now(), cpu: stage.server.cpu(), transactions })
    }
}

#[expect(clippy::cast_precision_loss, reason = "nothing here is that large")]
impl Outcome {
    /// The age that a share of the frames keeps within.
    pub(super) fn latency_ms(&self, share: f64) -> f64 {
        self.ages.value_at_quantile(share) as f64 / 1_000.0
    }

    pub(super) fn frames_per_second(&self) -> f64 {
        self.frames as f64 / self.elapsed.as_secs_f64()
    }

    /// How many processors the server and the database were busy with.
    pub(super) fn cpu_share(&self) -> f64 {
        self.cpu.total().as_secs_f64() / self.elapsed.as_secs_f64()
    }

    /// What the server spent for a frame beyond what it spent with few clients.
    pub(super) fn frame_micros(&self, few: &Self) -> f64 {
        let server = |outcome: &Self| outcome.cpu.server.as_secs_f64() / outcome.elapsed.as_secs_f64();
        (server(self) - server(few)) * 1_000_000.0 / (self.frames_per_second() - few.frames_per_second())
    }

    /// What a client takes of the server's memory, compared with few.
    pub(super) fn socket_kilobytes(&self, few: &Self) -> f64 {
        self.memory.saturating_sub(few.memory) as f64 / 1_000.0 / (self.clients - few.clients) as f64
    }

    /// A line of progress.
    pub(super) fn line(&self, of: &str) -> String {
        format!(
            "  {of}: {:.0} facts/s, {:.0} frames/s, age p50 {:.0} ms, p99 {:.0} ms; server {:.2} + database {:.2} processors, \
             {:.0} transactions/s, {:.0} MB",
            self.facts_per_second,
            self.frames_per_second(),
            self.latency_ms(0.5),
            self.latency_ms(0.99),
            self.cpu.server.as_secs_f64() / self.elapsed.as_secs_f64(),
            self.cpu.database.as_secs_f64() / self.elapsed.as_secs_f64(),
            self.transactions_per_second,
            self.memory as f64 / 1_000_000.0,
        )
    }
}

async fn open(stage: &Stage, node: SocketAddr, kinds: Vec<Kind>) -> Result<Vec<Client>> {
    let mut revisions = Vec::new();
    for watched in &stage.watched {
        revisions.push(figures(stage, watched).await?.0);
    }
    let mut clients = Vec::with_capacity(kinds.len());
    let versions: Vec<_> = stage.watched.iter().zip(revisions).collect();
    let mut all = kinds.into_iter().zip(versions.iter().cycle()).peekable();
    while all.peek().is_some() {
        let some = all.by_ref().take(AT_A_TIME);
        let some = some.map(|(kind, (watched, revision))| Client::open(node, (*watched).clone(), kind, *revision));
        clients.extend(try_join_all(some).await?);
    }
    Ok(clients)
}

/// A version's revision and figures, as a query tells them.
pub(super) async fn figures(stage: &Stage, watched: &Watched) -> Result<(i64, Value)> {
    let mut connection = Connection::open(stage.server.address).await?;
    let answer: Value = serde_json::from_slice(&connection.send(query(watched)?).await?)?;
    let figures = answer.pointer("/data/conversation/metrics").ok_or_else(|| format!("no figures: {answer}"))?;
    let revision = figures.get("revision").and_then(Value::as_i64).ok_or("no revision")?;
    Ok((revision, figures.clone()))
}

/// The query for a version's figures.
pub(super) fn query(watched: &Watched) -> Result<requests::Request> {
    let document = format!("query Metrics($id: ID!) {{ conversation(id: $id) {{ metrics {{ {FIGURES} }} }} }}");
    let id = watched.version.conversation().to_string();
    requests::graphql(&watched.token, &document, &json!({ "id": id }))
}

/// The memory that the server holds, in bytes.
pub(super) fn resident(stage: &Stage) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{}/status", stage.server.id()))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
    let kibibytes: u64 = line.split_whitespace().next().ok_or("no number")?.parse()?;
    Ok(kibibytes * 1_024)
}
