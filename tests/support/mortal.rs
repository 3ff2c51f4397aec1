//! A workspace whose server is a process of its own, which a test may kill.

use std::sync::Arc;

use bluetick::config::Secret;
use bluetick::domain::clock::SystemClock;
use bluetick::whatsapp::simulator::{Simulator, SimulatorSettings};
use serde_json::json;
use tokio::net::TcpListener;

use super::client::Client;
use super::database::{self, Database};
use super::process::{Binary, Process};
use super::trial::Fixture;
use super::webhook::APP_SECRET;
use super::workspace::{UPDATE_LINE, Workspace};

/// A workspace whose server is a process of its own.
pub(crate) struct Mortal {
    pub(crate) binary: Binary,
    pub(crate) process: Process,
    /// Its client is that of the process.
    pub(crate) workspace: Workspace,
}

impl Fixture for Mortal {
    async fn make(database: Database) -> Self {
        let mut workspace = Workspace::make(database.clone()).await;
        workspace.server.shutdown().await;
        let binary = Binary::on(database).await;
        let process = binary.serve().await;
        workspace.api = Client::new(&binary.url(), workspace.api.token.as_deref().unwrap());
        Self { binary, process, workspace }
    }
}

impl Mortal {
    /// Starts the server again with a provider that posts its webhooks to it, and lets the line send at a rate.
    pub(crate) async fn provider(&mut self, settings: SimulatorSettings, rate: usize) -> Simulator {
        let settings = SimulatorSettings {
            app_secret: Secret::new(APP_SECRET),
            webhook_url: Some(format!("{}/webhooks/whatsapp", self.binary.url())),
            ..settings
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let provider = Simulator::start(listener, settings, Arc::new(SystemClock)).unwrap();
        self.binary.set("BLUETICK_WHATSAPP_BASE_URL", provider.base_url());
        self.binary.set("BLUETICK_WHATSAPP_ACCESS_TOKEN", "token");
        self.binary.set("BLUETICK_DISPATCH_LEASE_SECONDS", "1");
        self.binary.set("BLUETICK_DISPATCH_UNKNOWN_GRACE_SECONDS", "3");
        self.process.kill();
        self.start().await;
        let input = json!({ "id": self.workspace.line.id, "messagesPerSecond": rate.clamp(1, 1_000) });
        self.workspace.api.change(UPDATE_LINE, json!({ "input": input })).await;
        provider
    }

    /// Starts the server again after its end.
    pub(crate) async fn start(&mut self) {
        self.process = self.binary.serve().await;
        // The connections of the former client lead nowhere.
        self.workspace.api = Client::new(&self.binary.url(), self.workspace.api.token.as_deref().unwrap());
    }

    pub(crate) fn assert_verified(&self) {
        let verified = self.binary.run(&["verify"]);
        let (found, said) = (String::from_utf8_lossy(&verified.stdout), String::from_utf8_lossy(&verified.stderr));
        assert!(verified.status.success() && found.is_empty(), "{found}{said}");
    }
}

/// How large a test is: as a variable says, or as it is by default.
pub(crate) fn scale(variable: &str, default: usize) -> usize {
    database::variable(variable).map_or(default, |text| text.parse().unwrap())
}
