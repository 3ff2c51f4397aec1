//! A server in this process, on its own port.

use std::sync::{Arc, Mutex};

use bluetick::app;
use bluetick::auth::create_token;
use bluetick::config::Settings;
use bluetick::domain::clock::SystemClock;
use reqwest::StatusCode;
use serde_json::Value;
use tokio::net::TcpListener;

use super::client::{Client, http};
use super::clock::TestClock;
use super::database::Database;
use super::trial::Fixture;
use super::webhook::{APP_SECRET, body, signature};

/// The verify token for setting up webhooks, in all tests.
pub(crate) const VERIFY_TOKEN: &str = "the verify token";

/// A running server.
pub(crate) struct Server {
    pub(crate) database: Database,
    pub(crate) clock: Arc<TestClock>,
    /// Its URL: `http://127.0.0.1:1234`.
    pub(crate) url: String,
    http: reqwest::Client,
    running: Mutex<Option<app::Server>>,
    storage: bluetick::storage::Database,
}

impl Fixture for Server {
    async fn make(database: Database) -> Self {
        Self::start(database, &[]).await
    }
}

impl Server {
    /// A server on a database, with some settings other than the defaults, by their dotted names.
    pub(crate) async fn start(database: Database, settings: &[(&str, &str)]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self::start_on(listener, database, Arc::default(), settings).await
    }

    /// The same on a listener, with a clock.
    pub(crate) async fn start_on(
        listener: TcpListener,
        database: Database,
        clock: Arc<TestClock>,
        settings: &[(&str, &str)],
    ) -> Self {
        let settings = [
            &[
                ("database.url", database.url()),
                ("whatsapp.app_secret", APP_SECRET),
                ("whatsapp.verify_token", VERIFY_TOKEN),
            ],
            settings,
        ];
        let settings = Settings::with(&settings.concat()).unwrap();
        let running = app::Server::start(listener, settings, clock.clone()).await.unwrap();
        Self {
            url: format!("http://{}", running.address),
            storage: running.database.clone(),
            running: Mutex::new(Some(running)),
            http: http(),
            database,
            clock,
        }
    }

    /// A client with a new token for a workspace, which is created if necessary.
    pub(crate) async fn client(&self, workspace: &str, scopes: &str) -> Client {
        let token = create_token(&self.storage, &SystemClock, workspace, scopes.parse().unwrap()).await.unwrap();
        Client::new(&self.url, token.token.expose())
    }

    /// Posts a webhook as the provider does.
    pub(crate) async fn post(&self, payload: &Value) -> StatusCode {
        let body = body(payload);
        let signature = signature(APP_SECRET, &body);
        self.post_signed(body, Some(&signature)).await
    }

    /// Posts any body with any signature.
    pub(crate) async fn post_signed(&self, body: Vec<u8>, signature: Option<&str>) -> StatusCode {
        let request = self.http.post(format!("{}/webhooks/whatsapp", self.url));
        let request = request.header("content-type", "application/json");
        let request = signature.into_iter().fold(request, |request, it| request.header("x-hub-signature-256", it));
        request.body(body).send().await.expect("the server answers").status()
    }

    /// How many payloads are kept for a reason.
    pub(crate) async fn kept(&self, reason: &str) -> i64 {
        self.database.count(&format!("SELECT count(*) FROM kept WHERE reason = '{reason}'")).await
    }

    /// The differences that `verify` finds.
    pub(crate) async fn differences(&self) -> Vec<bluetick::storage::verify::Difference> {
        bluetick::storage::verify::run(&self.storage, |_| {}).await.unwrap().differences
    }

    /// Ends the server, and returns when it has ended.
    pub(crate) async fn shutdown(&self) {
        let running = self.running.lock().unwrap().take().expect("a server is shut down once");
        running.shutdown().await;
    }
}
