//! The server that tests talk to.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, pending, ready};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::toy::{Seen, Toy};
use crate::auth::Tokens;
use crate::auth::fake::FakeTokens;
use crate::config::Settings;
use crate::dispatch::{Uploads, uploads};
use crate::domain::clock::SystemClock;
use crate::domain::fact::Fact;
use crate::domain::id::{LineId, WorkspaceId, new_key};
use crate::http::ingest::{Door, Ingest, Owner};
use crate::http::operation::Operations;
use crate::http::{Probe, Services, Shutdown, Sockets, Webhooks, router, serve};
use crate::recorder::RecordError;
use crate::storage::{Database, StorageError};

/// A running server, and everything behind it. It ends when it is dropped.
pub(super) struct Server {
    pub(super) address: SocketAddr,
    pub(super) token: String,
    pub(super) tokens: FakeTokens,
    pub(super) seen: Seen,
    pub(super) behind: Arc<Behind>,
    pub(super) shutdown: CancellationToken,
    pub(super) tasks: JoinSet<()>,
    client: reqwest::Client,
}

/// What stands in for the database and the recorder.
pub(super) struct Behind {
    pub(super) away: AtomicBool,
    pub(super) silent: AtomicBool,
    pub(super) full: AtomicBool,
    pub(super) owner: Owner,
    pub(super) recorded: Mutex<Vec<Fact>>,
    pub(super) kept: Mutex<Vec<Fact>>,
}

/// The provider's id of the one line that is known.
pub(super) const KNOWN_LINE: &str = "106540352242922";

impl Server {
    /// A server with the default settings, but for these.
    pub(super) async fn start(overrides: &[(&str, &str)]) -> Self {
        Self::start_with(overrides, |_| {}).await
    }

    /// As [`Server::start`]; `change` has the last word, and may set times that are shorter than settings can tell.
    pub(super) async fn start_with(overrides: &[(&str, &str)], change: impl FnOnce(&mut Settings)) -> Self {
        // Fails where another test of this process did it before.
        rustls::crypto::ring::default_provider().install_default().ok();
        let secrets = [("whatsapp.app_secret", "app secret"), ("whatsapp.verify_token", "verify token")];
        let mut settings = Settings::with(&[&secrets, overrides].concat()).unwrap();
        change(&mut settings);
        let (tokens, seen, behind, shutdown) =
            (FakeTokens::default(), Seen::new(), Behind::new(), CancellationToken::new());
        let services = services(&settings, &tokens, &seen, &behind, &shutdown).await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let end = services.shutdown.clone();
        let mut tasks = JoinSet::new();
        tasks.spawn(serve(listener, router(services), end, settings.http.clone()));
        let token = tokens.add("read,write,admin");
        Self { address, token, tokens, seen, behind, shutdown, tasks, client: reqwest::Client::new() }
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// A request without a token.
    pub(super) fn request(&self, method: &str, path: &str) -> reqwest::RequestBuilder {
        self.client.request(method.parse().unwrap(), self.url(path))
    }

    /// A GraphQL POST with a good token.
    pub(super) fn post(&self, body: &Value) -> reqwest::RequestBuilder {
        self.request("POST", "/graphql").bearer_auth(&self.token).json(body)
    }

    /// The answer to a query; the status must be 200.
    pub(super) async fn query(&self, query: &str) -> Value {
        let response = self.post(&json!({ "query": query })).send().await.unwrap();
        assert_eq!(response.status(), 200);
        response.json().await.unwrap()
    }
}

async fn services(
    settings: &Settings,
    tokens: &FakeTokens,
    seen: &Seen,
    behind: &Arc<Behind>,
    shutdown: &CancellationToken,
) -> Services {
    let door: Arc<dyn Door> = behind.clone();
    Services {
        operations: Operations::new(Arc::new(Toy::new(seen.clone())), &settings.http),
        tokens: Tokens::cached(tokens.find(), Duration::ZERO),
        webhooks: Webhooks::new(&settings.whatsapp, Ingest::new(door, Arc::new(SystemClock))),
        uploads: uploads().await,
        database: behind.clone(),
        metrics: None,
        http: settings.http.clone(),
        explorer: settings.graphql.explorer,
        websocket: settings.websocket.clone(),
        sockets: Sockets::new(settings.websocket.sockets.get(), settings.websocket.sockets_per_token.get()),
        shutdown: Shutdown::new(shutdown.clone(), settings.http.shutdown),
    }
}

/// Lists that go nowhere: what is refused before a row is read needs no table.
async fn uploads() -> Uploads {
    Uploads::new(uploads::Parts {
        db: Database::connect("sqlite::memory:", 1).await.unwrap(),
        clock: Arc::new(SystemClock),
        staged: Arc::default(),
        tasks: TaskTracker::new(),
        stall: Duration::from_secs(1),
    })
}

impl Behind {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            away: AtomicBool::new(false),
            silent: AtomicBool::new(false),
            full: AtomicBool::new(false),
            owner: (WorkspaceId(new_key()), LineId(new_key())),
            recorded: Mutex::default(),
            kept: Mutex::default(),
        })
    }

    fn check(&self) -> Result<(), StorageError> {
        if self.away.load(Ordering::SeqCst) { Err(StorageError::Corrupt("connection")) } else { Ok(()) }
    }

    fn put(&self, place: &Mutex<Vec<Fact>>, facts: Vec<Fact>) -> BoxFuture<'_, Result<(), RecordError>> {
        if self.full.load(Ordering::SeqCst) {
            return ready(Err(RecordError::Full)).boxed();
        }
        place.lock().unwrap_or_else(PoisonError::into_inner).extend(facts);
        ready(Ok(())).boxed()
    }
}

impl Probe for Behind {
    fn ping(&self) -> BoxFuture<'_, Result<(), StorageError>> {
        if self.silent.load(Ordering::SeqCst) { pending().boxed() } else { ready(self.check()).boxed() }
    }
}

impl Door for Behind {
    fn lines(&self, ids: Vec<String>) -> BoxFuture<'_, Result<HashMap<String, Owner>, StorageError>> {
        let known = ids.into_iter().filter(|id| id == KNOWN_LINE).map(|id| (id, self.owner)).collect();
        ready(self.check().map(|()| known)).boxed()
    }

    fn record(&self, line: Owner, facts: Vec<Fact>) -> BoxFuture<'_, Result<(), RecordError>> {
        assert_eq!(line, self.owner);
        self.put(&self.recorded, facts)
    }

    fn keep(&self, facts: Vec<Fact>) -> BoxFuture<'_, Result<(), RecordError>> {
        self.put(&self.kept, facts)
    }
}
