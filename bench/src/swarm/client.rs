//! One client of the swarm: a socket with one subscription.

use std::net::SocketAddr;

use bluetick::domain::clock::{Clock, SystemClock};
use futures_util::{SinkExt, StreamExt};
use hdrhistogram::Histogram;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

use super::Watched;
use crate::Result;
use crate::drive::histogram;

/// The figures that are watched.
pub(super) const FIGURES: &str =
    "revision asOf totalUsers messagesSent inProcess sendFailure delivered responses responseRate";

/// What a socket buffers.
const BUFFER_BYTES: usize = 4_096;

/// After how many changes a client that reconnects does so.
const CHANGES_OF_A_CONNECTION: i64 = 100;

type Socket = WebSocketStream<TcpStream>;

/// What a client follows, and how it behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// The figures, at most so often.
    Metrics {
        /// In milliseconds.
        every_ms: u32,
    },
    /// Every change.
    Changes(Behaviour),
}

/// How a client of changes behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Behaviour {
    /// It reads what comes.
    Steady,
    /// It does not read while facts arrive.
    Stalled,
    /// It reconnects again and again, behind the last revision that it was given.
    Reconnecting,
}

/// A client with an open socket.
pub(super) struct Client {
    kind: Kind,
    address: SocketAddr,
    watched: Watched,
    socket: Socket,
    revision: i64,
    connected_at: i64,
    /// The last frame of figures.
    figures: String,
    seen: Seen,
}

/// What a client has seen.
pub(super) struct Seen {
    /// How many frames.
    pub(super) frames: u64,
    /// How old they were, in microseconds; not of those that stalled.
    pub(super) ages: Histogram<u64>,
}

/// The clients of a swarm of this size: ten in a row behave alike, one for each version. With `chaos`, a tenth of those that
/// follow changes stall, and a tenth reconnect.
pub(super) fn mixture(sockets: usize, chaos: bool) -> Vec<Kind> {
    let kind = |row: usize| match (row % 10, row / 10 % 10) {
        (9, 1) if chaos => Kind::Changes(Behaviour::Stalled),
        (9, 2) if chaos => Kind::Changes(Behaviour::Reconnecting),
        (9, _) => Kind::Changes(Behaviour::Steady),
        (digit, _) if digit % 2 == 0 => Kind::Metrics { every_ms: 250 },
        _ => Kind::Metrics { every_ms: 1_000 },
    };
    (0..sockets).map(|number| kind(number / 10)).collect()
}

impl Client {
    /// Connects, and subscribes behind this revision of the version.
    pub(super) async fn open(address: SocketAddr, watched: Watched, kind: Kind, revision: i64) -> Result<Self> {
        let mut socket = connect(address).await.map_err(|error| {
            format!("{error}; each socket needs a file descriptor here and in the server: raise `ulimit -n`")
        })?;
        let greeting = json!({"type": "connection_init", "payload": {"token": &*watched.token}});
        let subscribe = json!({"id": "1", "type": "subscribe", "payload": subscription(&watched, kind, revision)});
        for message in [greeting, subscribe] {
            socket.send(Message::text(message.to_string())).await?;
        }
        let acknowledged = socket.next().await.ok_or("closed at the greeting")??;
        if !acknowledged.to_text()?.contains("connection_ack") {
            return Err(format!("not greeted: {acknowledged}").into());
        }
        let seen = Seen { frames: 0, ages: histogram()? };
        Ok(Self { kind, address, watched, socket, revision, connected_at: revision, figures: String::new(), seen })
    }

    /// Follows until the revision that `last` tells, once it does; then what it has must be what `figures` tells.
    pub(super) async fn follow(mut self, mut last: watch::Receiver<Option<(i64, Value)>>) -> Result<Seen> {
        if self.kind == Kind::Changes(Behaviour::Stalled) {
            last.wait_for(Option::is_some).await?;
        }
        loop {
            let end = last.borrow_and_update().clone();
            if let Some((revision, figures)) = end.filter(|(revision, _)| self.revision >= *revision) {
                return self.finish(revision, &figures);
            }
            tokio::select! {
                message = self.socket.next() => {
                    let message = message.ok_or("a socket was closed")??;
                    if let Message::Text(text) = message {
                        self.take(&text)?;
                    }
                }
                _ = last.changed() => {}
            }
            let is_due = self.revision - self.connected_at >= CHANGES_OF_A_CONNECTION;
            if self.kind == Kind::Changes(Behaviour::Reconnecting) && is_due {
                let seen = self.seen;
                let again = Self::open(self.address, self.watched, self.kind, self.revision).await?;
                self = Self { seen, ..again };
            }
        }
    }

    fn take(&mut self, text: &str) -> Result<()> {
        if !text.contains("\"next\"") {
            return Err(format!("neither a frame nor silence: {text}").into());
        }
        let revision = number_behind(text, "\"revision\":").ok_or("a frame without a revision")?;
        let follows = match self.kind {
            Kind::Metrics { .. } => revision > self.revision || self.figures.is_empty(),
            Kind::Changes(_) => revision == self.revision + 1,
        };
        if !follows {
            return Err(format!("{:?}: revision {revision} came after {}", self.kind, self.revision).into());
        }
        // The first frame of figures is the present, however old that is.
        let is_news = !matches!(self.kind, Kind::Metrics { .. }) || !self.figures.is_empty();
        if is_news && self.kind != Kind::Changes(Behaviour::Stalled) {
            self.seen.ages.saturating_record(age(text).ok_or("a frame without a time")?);
        }
        self.seen.frames += 1;
        self.revision = revision;
        if matches!(self.kind, Kind::Metrics { .. }) {
            text.clone_into(&mut self.figures);
        }
        Ok(())
    }

    fn finish(self, revision: i64, figures: &Value) -> Result<Seen> {
        if self.revision != revision {
            return Err(format!("{:?} was given revision {} of {revision}", self.kind, self.revision).into());
        }
        if matches!(self.kind, Kind::Metrics { .. }) {
            let frame: Value = serde_json::from_str(&self.figures)?;
            let shown = frame.pointer("/payload/data/metricsChanged");
            if shown != Some(figures) {
                return Err(format!("a client shows {shown:?}, a query {figures}").into());
            }
        }
        Ok(self.seen)
    }
}

async fn connect(address: SocketAddr) -> Result<Socket> {
    let mut request = format!("ws://{address}/graphql/ws").into_client_request()?;
    request.headers_mut().insert("sec-websocket-protocol", "graphql-transport-ws".parse()?);
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let config = WebSocketConfig::default().read_buffer_size(BUFFER_BYTES).write_buffer_size(0);
    Ok(client_async_with_config(request, stream, Some(config)).await?.0)
}

fn subscription(watched: &Watched, kind: Kind, revision: i64) -> Value {
    let id = watched.version.conversation().to_string();
    match kind {
        Kind::Metrics { every_ms } => json!({
            "query": format!("subscription Metrics($id: ID!, $every: Int) {{ metricsChanged(conversationId: $id, everyMs: $every) {{ {FIGURES} }} }}"),
            "variables": {"id": id, "every": every_ms},
        }),
        Kind::Changes(_) => json!({
            "query": "subscription Changes($id: ID!, $after: Int) { userChanged(conversationId: $id, afterRevision: $after) { revision at kinds deploymentStatus stage } }",
            "variables": {"id": id, "after": revision},
        }),
    }
}

/// The number that follows a text.
fn number_behind(text: &str, before: &str) -> Option<i64> {
    let (_, rest) = text.split_once(before)?;
    rest.split(|character: char| !character.is_ascii_digit()).next()?.parse().ok()
}

/// How old the newest change of a frame is, in microseconds: from when it was recorded, by the clock of this machine.
pub(super) fn age(text: &str) -> Option<u64> {
    const DAY: i64 = 86_400_000_000;
    let (_, rest) = text.split_once("\"asOf\":\"").or_else(|| text.split_once("\"at\":\""))?;
    let (time, _) = rest.split_once('T')?.1.split_once('Z')?;
    let mut parts = time.splitn(3, ':');
    let (hours, minutes): (i64, i64) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    let (seconds, fraction) = parts.next().map(|rest| rest.split_once('.').unwrap_or((rest, "")))?;
    let micros: i64 = format!("{fraction:0<6}").parse().ok()?;
    let at = ((hours * 60 + minutes) * 60 + seconds.parse::<i64>().ok()?) * 1_000_000 + micros;
    u64::try_from((SystemClock.now().micros() - at).rem_euclid(DAY)).ok()
}
