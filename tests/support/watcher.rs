//! A client that follows a conversation through whatever happens to the nodes.

use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::sleep;

use super::client::Client;
use super::socket::{Socket, greeting};
use super::workspace::METRICS;

/// How long it waits before it connects again.
const PAUSE: Duration = Duration::from_millis(20);

/// The most that an impatient client is given before it leaves.
const MAX_PATIENCE: u32 = 4;

/// A client that reconnects, to its nodes in turn. Where it follows changes, it goes on behind the last revision that it was
/// given, and fails if it is given another one than the next.
pub(crate) struct Watcher {
    nodes: Vec<Client>,
    /// Whose.
    pub(crate) conversation: String,
    /// What it follows.
    pub(crate) follows: Follows,
    /// The last revision that it was given.
    pub(crate) revision: i64,
    /// What it was given last.
    pub(crate) seen: Value,
    impatience: Option<StdRng>,
    socket: Option<Socket>,
    /// How much it may be given on this socket.
    patience: u32,
    /// How often it connected.
    pub(crate) connections: usize,
    /// How its sockets were closed.
    pub(crate) closings: Vec<Option<u16>>,
}

/// What a watcher follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Follows {
    /// The current version's changes, from the first one on.
    Changes,
    /// The same, with what is read of the user for each.
    Users,
    /// The metrics.
    Metrics,
}

impl Watcher {
    pub(crate) fn of(conversation: &str, nodes: &[&Client], follows: Follows) -> Self {
        Self {
            nodes: nodes.iter().copied().cloned().collect(),
            conversation: conversation.to_owned(),
            follows,
            revision: 0,
            seen: Value::Null,
            impatience: None,
            socket: None,
            patience: u32::MAX,
            connections: 0,
            closings: Vec::new(),
        }
    }

    /// It also reconnects whenever it likes, without need.
    pub(crate) fn impatient(self) -> Self {
        Self { impatience: Some(StdRng::seed_from_u64(7)), ..self }
    }

    /// Follows until it has been given the last revision, once that is known.
    pub(crate) async fn follow(&mut self, mut last: watch::Receiver<Option<i64>>) {
        loop {
            let end = *last.borrow_and_update();
            if end.is_some_and(|end| self.revision >= end) {
                assert_eq!(Some(self.revision), end);
                return;
            }
            tokio::select! {
                () = self.step() => {}
                _ = last.changed() => {}
            }
        }
    }

    async fn step(&mut self) {
        let Some(socket) = &mut self.socket else {
            self.socket = self.connect().await;
            return;
        };
        match socket.hear().await {
            Ok(message) if message["type"] == "next" && message["payload"].get("errors").is_none() => {
                self.take(&message["payload"]);
            }
            // The database is away.
            Ok(message) => {
                assert!(message.to_string().contains("UNAVAILABLE"), "{message}");
                self.leave(None);
                sleep(PAUSE).await;
            }
            Err(code) => self.leave(code),
        }
    }

    fn take(&mut self, result: &Value) {
        let given = &result["data"][self.follows.field()];
        let revision = given["revision"].as_i64().unwrap_or_else(|| panic!("no revision in {result}"));
        match self.follows {
            Follows::Metrics => assert!(revision >= self.revision, "{revision} after {}", self.revision),
            _ => assert_eq!(revision, self.revision + 1, "after {} connections", self.connections),
        }
        assert!(self.follows != Follows::Users || given["user"]["phone"].is_string(), "{result}");
        (self.revision, self.seen) = (revision, given.clone());
        self.patience -= 1;
        if self.patience == 0 {
            self.leave(None);
        }
    }

    fn leave(&mut self, code: Option<u16>) {
        self.closings.push(code);
        self.socket = None;
        if self.follows == Follows::Metrics {
            // They begin with the present as the next node knows it.
            self.revision = 0;
        }
    }

    async fn connect(&mut self) -> Option<Socket> {
        let node = &self.nodes[self.connections % self.nodes.len()];
        self.connections += 1;
        self.patience = self.impatience.as_mut().map_or(u32::MAX, |chance| chance.random_range(1..=MAX_PATIENCE));
        let opened = Socket::try_open(node).await;
        if opened.is_none() {
            sleep(PAUSE).await;
        }
        let mut socket = opened?;
        let variables = json!({ "id": self.conversation, "after": self.revision });
        let payload = json!({ "query": self.follows.document(), "variables": variables });
        let said = socket.try_say(&greeting(node)).await;
        // While the database is away, tokens cannot be looked up either.
        let greeted = said && socket.hear().await == Ok(json!({ "type": "connection_ack" }));
        if greeted && socket.try_say(&json!({ "id": "1", "type": "subscribe", "payload": payload })).await {
            return Some(socket);
        }
        sleep(PAUSE).await;
        None
    }
}

impl Follows {
    const fn field(self) -> &'static str {
        match self {
            Self::Changes | Self::Users => "userChanged",
            Self::Metrics => "metricsChanged",
        }
    }

    fn document(self) -> String {
        let fields = match self {
            Self::Changes => "revision kinds deploymentStatus",
            Self::Users => "revision user { phone deploymentStatus stage }",
            Self::Metrics => {
                return format!(
                    "subscription($id: ID!) {{ metricsChanged(conversationId: $id, everyMs: 50) {{ {METRICS} }} }}"
                );
            }
        };
        format!(
            "subscription($id: ID!, $after: Int) {{
               userChanged(conversationId: $id, afterRevision: $after) {{ {fields} }} }}"
        )
    }
}

/// Lets clients follow while something happens, until each has been given the revision that `last` then tells.
pub(crate) async fn follow_through(
    watchers: &mut [Watcher],
    happens: impl Future<Output = ()>,
    last: impl AsyncFn() -> i64,
) {
    let end = watch::Sender::new(None);
    let following = futures_util::future::join_all(watchers.iter_mut().map(|watcher| watcher.follow(end.subscribe())));
    let happens = async {
        happens.await;
        end.send_replace(Some(last().await));
    };
    tokio::join!(following, happens);
}

/// The figures of metrics, as a subscription on a node shows them first.
pub(crate) async fn shown(node: &Client, conversation: &str) -> Value {
    let document = Follows::Metrics.document();
    node.subscribe(&document, json!({ "id": conversation })).await.next().await.expect("the present comes at once")
}
