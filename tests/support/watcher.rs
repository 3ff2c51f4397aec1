//! A client that follows every change of a version through whatever happens to the nodes.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::sleep;

use super::client::Client;
use super::socket::{Socket, greeting};

/// How long it waits before it connects again.
const PAUSE: Duration = Duration::from_millis(20);

/// A client that reconnects, to its nodes in turn, behind the last revision that it was given, and fails if it is given
/// another one than the next.
pub(crate) struct Watcher {
    nodes: Vec<Client>,
    conversation: String,
    /// The last revision that it was given.
    pub(crate) revision: i64,
    /// Whether it reconnects after so many changes, without need.
    patience: Option<u32>,
    socket: Option<Socket>,
    given: u32,
    /// How often it connected.
    pub(crate) connections: usize,
    /// How its sockets were closed.
    pub(crate) closings: Vec<Option<u16>>,
}

impl Watcher {
    /// A client that begins at the beginning of the current version's log.
    pub(crate) fn of(conversation: &str, nodes: &[&Client]) -> Self {
        Self {
            nodes: nodes.iter().copied().cloned().collect(),
            conversation: conversation.to_owned(),
            revision: 0,
            patience: None,
            socket: None,
            given: 0,
            connections: 0,
            closings: Vec::new(),
        }
    }

    /// It also reconnects after so many changes.
    pub(crate) fn impatient(self, patience: u32) -> Self {
        Self { patience: Some(patience), ..self }
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
            Ok(message) if message["payload"]["data"].is_object() => {
                let revision = message["payload"]["data"]["userChanged"]["revision"].as_i64();
                assert_eq!(revision, Some(self.revision + 1), "after {} connections", self.connections);
                self.revision += 1;
                self.given += 1;
                if self.patience.is_some_and(|patience| self.given >= patience) {
                    self.leave(None);
                }
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

    fn leave(&mut self, code: Option<u16>) {
        self.closings.push(code);
        (self.socket, self.given) = (None, 0);
    }

    async fn connect(&mut self) -> Option<Socket> {
        let node = &self.nodes[self.connections % self.nodes.len()];
        self.connections += 1;
        let opened = Socket::try_open(node).await;
        if opened.is_none() {
            sleep(PAUSE).await;
        }
        let mut socket = opened?;
        let document = "subscription($id: ID!, $after: Int) { userChanged(conversationId: $id, afterRevision: $after) {
            revision kinds deploymentStatus } }";
        let variables = json!({ "id": self.conversation, "after": self.revision });
        let subscribe =
            json!({ "id": "1", "type": "subscribe", "payload": { "query": document, "variables": variables } });
        let said = socket.try_say(&greeting(node)).await;
        // While the database is away, tokens cannot be looked up either.
        let greeted = said && socket.hear().await == Ok(json!({ "type": "connection_ack" }));
        if greeted && socket.try_say(&subscribe).await {
            return Some(socket);
        }
        sleep(PAUSE).await;
        None
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
pub(crate) async fn shown(node: &Client, conversation: &str, fields: &str) -> Value {
    let document = format!("subscription($id: ID!) {{ metricsChanged(conversationId: $id) {{ {fields} }} }}");
    node.subscribe(&document, json!({ "id": conversation })).await.next().await.expect("the present comes at once")
}
