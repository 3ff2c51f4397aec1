//! The client: so many connections, each of which sends its next request when the last is answered.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use http_body_util::{BodyExt, Full};
use hyper::StatusCode;
use hyper::body::Bytes;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::Result;
use crate::cpu::Cpu;
use crate::process::Server;
use crate::requests::Request;

/// What is sent: the n-th request; none where there are no more.
pub(crate) type Load = Arc<dyn Fn(u64) -> Option<Request> + Send + Sync>;

/// What came of driving a server for a while.
pub(crate) struct Slice {
    requests: u64,
    elapsed: Duration,
    cpu: Cpu,
    latencies: Histogram<u64>,
}

/// A connection to a server.
pub(crate) struct Connection {
    sender: SendRequest<Full<Bytes>>,
    /// What carries its bytes; it ends with the connection.
    _carrier: JoinSet<()>,
}

impl Connection {
    /// Connects.
    pub(crate) async fn open(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        let mut carrier = JoinSet::new();
        // Its failure is the request's.
        carrier.spawn(async move { drop(connection.await) });
        Ok(Self { sender, _carrier: carrier })
    }

    /// Sends a request and reads the whole answer, which must be a good one.
    pub(crate) async fn send(&mut self, request: Request) -> Result<Bytes> {
        self.sender.ready().await?;
        let response = self.sender.send_request(request).await?;
        let status = response.status();
        let body = response.into_body().collect().await?.to_bytes();
        if status != StatusCode::OK {
            return Err(format!("answered {status}: {}", String::from_utf8_lossy(&body)).into());
        }
        Ok(body)
    }
}

impl Slice {
    /// What was measured some other way.
    pub(crate) const fn new(requests: u64, elapsed: Duration, cpu: Cpu, latencies: Histogram<u64>) -> Self {
        Self { requests, elapsed, cpu, latencies }
    }

    /// Requests a second.
    pub(crate) fn per_second(&self) -> f64 {
        self.count() / self.elapsed.as_secs_f64()
    }

    /// CPU time of a request, in microseconds.
    pub(crate) fn cpu_micros(&self) -> f64 {
        self.each(self.cpu.total())
    }

    /// The server's part of it.
    pub(crate) fn server_micros(&self) -> f64 {
        self.each(self.cpu.server)
    }

    /// PostgreSQL's part of it.
    pub(crate) fn database_micros(&self) -> f64 {
        self.each(self.cpu.database)
    }

    /// The latency that a share of the requests keeps within, in milliseconds.
    #[expect(clippy::cast_precision_loss, reason = "no latency is that long")]
    pub(crate) fn latency_ms(&self, share: f64) -> f64 {
        self.latencies.value_at_quantile(share) as f64 / 1_000.0
    }

    fn each(&self, cpu: Duration) -> f64 {
        cpu.as_secs_f64() * 1_000_000.0 / self.count()
    }

    #[expect(clippy::cast_precision_loss, reason = "no run has that many requests")]
    fn count(&self) -> f64 {
        self.requests as f64
    }
}

/// The requests in turn, again and again.
pub(crate) fn repeated(requests: Vec<Request>) -> Load {
    let count = u64::try_from(requests.len()).unwrap_or(1).max(1);
    Arc::new(move |n| requests.get(usize::try_from(n % count).ok()?).cloned())
}

/// Drives a server for a while, and tells what came of it.
pub(crate) async fn drive(server: &Server, load: &Load, concurrency: usize, duration: Duration) -> Result<Slice> {
    let mut connections = Vec::with_capacity(concurrency);
    for _ in 0..concurrency {
        connections.push(Connection::open(server.address).await?);
    }
    let next = Arc::new(AtomicU64::new(0));
    let (cpu, start) = (server.cpu(), Instant::now());
    let mut workers = JoinSet::new();
    for connection in connections {
        workers.spawn(work(connection, Arc::clone(load), Arc::clone(&next), start + duration));
    }
    let mut latencies = histogram()?;
    while let Some(worked) = workers.join_next().await {
        latencies.add(worked??)?;
    }
    Ok(Slice::new(latencies.len(), start.elapsed(), server.cpu().since(cpu), latencies))
}

/// Microseconds, to three digits.
pub(crate) fn histogram() -> Result<Histogram<u64>> {
    Ok(Histogram::new_with_bounds(1, 120_000_000, 3)?)
}

async fn work(mut connection: Connection, load: Load, next: Arc<AtomicU64>, end: Instant) -> Result<Histogram<u64>> {
    let mut latencies = histogram()?;
    while Instant::now() < end {
        let Some(request) = load(next.fetch_add(1, Ordering::Relaxed)) else { break };
        let start = Instant::now();
        connection.send(request).await?;
        latencies.saturating_record(u64::try_from(start.elapsed().as_micros())?);
    }
    Ok(latencies)
}
