//! Subscribers of metrics, thousands of them, while the version changes four times a second.
//!
//! The changes are written by the benchmark itself, beside both servers, so that neither server's CPU time holds more than
//! the frames. A change is one that `verify` accepts: it has the next number and leaves the user where it stands.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use futures_util::{SinkExt, StreamExt};
use hdrhistogram::Histogram;
use serde_json::json;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::{WebSocketStream, client_async};

use crate::Result;
use crate::compare::costs;
use crate::database::rows;
use crate::drive::{Slice, histogram};
use crate::options::Options;
use crate::process::Server;
use crate::report::{Aim, Table, say};
use crate::requests;
use crate::seed::Loaded;
use crate::world::World;

/// How often the version changes.
const EVERY: Duration = Duration::from_millis(250);

/// How long the last frames may take.
const LAST_FRAMES: Duration = Duration::from_millis(500);

/// How long a socket may take to open and to show its first frame.
const FIRST_FRAME: Duration = Duration::from_secs(30);

/// How many sockets are opened at a time.
const AT_A_TIME: usize = 50;

type Socket = WebSocketStream<TcpStream>;

/// When each revision was written, so that a frame's age can be told.
struct Written {
    start: Instant,
    /// The revision written last.
    revision: AtomicI64,
    /// When, in microseconds after the start.
    at: AtomicI64,
}

/// Measures the frames of both servers.
pub(crate) async fn run(world: &World, options: &Options, table: &mut Table) -> Result<()> {
    let version = world.largest()?;
    let greeting = [
        json!({"type": "connection_init", "payload": {"Authorization": format!("Bearer {}", world.large.token)}}),
        json!({"id": "1", "type": "subscribe", "payload": requests::subscription(version)}),
    ];
    let greeting: Vec<String> = greeting.iter().map(ToString::to_string).collect();
    let limit = format!("/live/{}", version.conversation().0);
    let (mut ours, mut limits) = (Vec::new(), Vec::new());
    for round in 0..options.rounds {
        ours.push(slice(world, options, version, &world.bluetick, "/graphql/ws", &greeting).await?);
        limits.push(slice(world, options, version, &world.limit, &limit, &[]).await?);
        let told = [&ours, &limits].map(|slices| slices.last().map_or(0.0, Slice::cpu_micros));
        say(format!("  watchers round {round}: {:.1} µs a frame, limit {:.1}", told[0], told[1]));
    }
    let name = format!("frames to {} watchers", options.watchers);
    table.add(&name, &ours, 1.0);
    table.add(&format!("{name}: limit"), &limits, 1.0);
    table.ratio(&format!("{name}, limit's cost ÷ ours"), costs(&limits, &ours), Aim::AtLeast(0.6));
    Ok(())
}

async fn slice(
    world: &World,
    options: &Options,
    version: Loaded,
    server: &Server,
    path: &str,
    greeting: &[String],
) -> Result<Slice> {
    let mut sockets = Vec::with_capacity(options.watchers);
    while sockets.len() < options.watchers {
        let some = (sockets.len()..options.watchers).take(AT_A_TIME).map(|_| open(server.address, path, greeting));
        let opened = tokio::time::timeout(FIRST_FRAME, futures_util::future::try_join_all(some)).await;
        sockets.extend(opened.map_err(|_| format!("no first frame within {FIRST_FRAME:?}"))??);
    }
    let written =
        Arc::new(Written { start: Instant::now(), revision: AtomicI64::new(i64::MAX), at: AtomicI64::new(0) });
    let mut watchers = JoinSet::new();
    let end = Instant::now() + options.slice() + LAST_FRAMES;
    let (cpu, start) = (server.cpu(), Instant::now());
    for socket in sockets {
        watchers.spawn(watch(socket, end, Arc::clone(&written)));
    }
    change(world, version, options.slice(), &written).await?;
    let mut latencies = histogram()?;
    while let Some(watched) = watchers.join_next().await {
        latencies.add(watched??)?;
    }
    Ok(Slice::new(latencies.len(), start.elapsed(), server.cpu().since(cpu), latencies))
}

async fn open(address: SocketAddr, path: &str, greeting: &[String]) -> Result<Socket> {
    let mut request = format!("ws://{address}{path}").into_client_request()?;
    if !greeting.is_empty() {
        request.headers_mut().insert("sec-websocket-protocol", "graphql-transport-ws".parse()?);
    }
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let (mut socket, _) = client_async(request, stream).await?;
    for message in greeting {
        socket.send(Message::text(message)).await?;
    }
    // The present figures come at once; before them, the greeting is answered.
    while let Some(message) = socket.next().await {
        match message?.to_text()? {
            text if text.contains("\"next\"") => return Ok(socket),
            text if text.contains("\"error\"") => return Err(format!("a subscription was refused: {text}").into()),
            _ => {}
        }
    }
    Err("a socket was closed before its first frame".into())
}

async fn watch(mut socket: Socket, end: Instant, written: Arc<Written>) -> Result<Histogram<u64>> {
    let mut latencies = histogram()?;
    while let Ok(Some(frame)) = tokio::time::timeout_at(end.into(), socket.next()).await {
        if let Message::Text(text) = frame? {
            latencies.saturating_record(written.age(&text));
        }
    }
    Ok(latencies)
}

/// Changes the version again and again.
async fn change(world: &World, version: Loaded, duration: Duration, written: &Written) -> Result<()> {
    const SQL: &str = "UPDATE versions SET revision = revision + 1, changed_at = changed_at + 1 WHERE id = $1 \
                       RETURNING revision, changed_at";
    const LOG: &str = "INSERT INTO changes (version_id, revision, workspace_id, user_id, at, kinds, cell_before, cell) \
                       SELECT version_id, $2, workspace_id, user_id, $3, 64, cell, cell FROM changes \
                       WHERE version_id = $1 AND revision = 1 RETURNING revision";
    let (id, end) = (version.version().0, Instant::now() + duration);
    let mut ticks = tokio::time::interval(EVERY);
    while Instant::now() < end {
        ticks.tick().await;
        let now: Vec<(i64, i64)> = rows!(&world.pool, SQL, [id], SQL, [id])?;
        let (revision, at) = now.first().copied().ok_or("the version is gone")?;
        written.note(revision);
        let _: Vec<(i64,)> = rows!(&world.pool, LOG, [id, revision, at], LOG, [id, revision, at])?;
    }
    Ok(())
}

impl Written {
    fn note(&self, revision: i64) {
        self.at.store(self.now(), Ordering::SeqCst);
        self.revision.store(revision, Ordering::SeqCst);
    }

    /// How old a frame is, in microseconds. One of an earlier revision is an interval older.
    fn age(&self, frame: &str) -> u64 {
        let told = frame.split_once("\"revision\":").map_or("", |(_, rest)| rest);
        let told: i64 = told.chars().take_while(char::is_ascii_digit).collect::<String>().parse().unwrap_or_default();
        let behind = self.revision.load(Ordering::SeqCst).saturating_sub(told).max(0);
        let interval = i64::try_from(EVERY.as_micros()).unwrap_or_default();
        let age = (self.now() - self.at.load(Ordering::SeqCst)).saturating_add(behind.saturating_mul(interval));
        u64::try_from(age).unwrap_or(1).max(1)
    }

    fn now(&self) -> i64 {
        i64::try_from(self.start.elapsed().as_micros()).unwrap_or(i64::MAX)
    }
}
