//! `bluetick demo`: a server, a simulated provider and conversations in progress, with nothing to set up.
//!
//! Everything is real but the provider and its users: the demo, and its agents, talk to its own server over HTTP, as any
//! client would.

mod agents;
mod client;
mod crowd;
mod flows;
mod story;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::net::TcpListener;

use self::client::Client;
use super::failure::Failure;
use super::serve::listen;
use super::{note, say, signal};
use crate::app::Server;
use crate::auth::{self, Scopes};
use crate::config::{Secret, Settings};
use crate::domain::clock::SystemClock;
use crate::whatsapp::simulator::{Simulator, SimulatorSettings};

/// How the demo runs.
#[derive(clap::Args)]
pub(super) struct Options {
    /// Keep the database in this file; by default it is deleted when the demo ends.
    #[arg(long, value_name = "FILE")]
    database: Option<PathBuf>,
    /// The number of users to send to.
    #[arg(long, default_value_t = 3_000, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    users: u32,
    /// End after this many seconds; by default the demo runs until it is interrupted.
    #[arg(long)]
    seconds: Option<u64>,
}

/// The demo's name of the workspace.
const WORKSPACE: &str = "demo";

/// How often the progress line is written.
const PROGRESS_INTERVAL: Duration = Duration::from_secs(2);

/// Runs the demo.
pub(super) async fn run(options: Options, settings: Settings) -> Result<ExitCode, Failure> {
    let folder = tempfile::tempdir()?;
    let listener = free_listener(&settings.listen).await?;
    let simulator = start_simulator(&listener).await?;
    let settings = demo_settings(settings, &options, folder.path(), &simulator);
    let server = Server::start(listener, settings, Arc::new(SystemClock)).await?;
    let token = auth::create_token(&server.database, &SystemClock, WORKSPACE, Scopes::ALL).await?;
    let client = Client::new(&format!("http://{}", server.address), token.token.expose())?;
    let send = story::tell(&client, options.users).await?;
    introduce(&server, token.token.expose(), &send);
    tokio::select! {
        () = signal::ended() => {}
        () = time_over(options.seconds) => {}
        failed = show_progress(&client, &send) => failed?,
        failed = agents::work(&client) => failed?,
        () = crowd::write(&simulator, story::LINE, &story::NAMES) => {}
    }
    server.shutdown().await;
    simulator.shutdown().await;
    Ok(ExitCode::SUCCESS)
}

/// The address of the settings, or any that is free: a demo must not fail for a port in use.
async fn free_listener(address: &str) -> Result<TcpListener, Failure> {
    match TcpListener::bind(address).await {
        Ok(listener) => Ok(listener),
        Err(_) => listen("127.0.0.1:0").await,
    }
}

async fn start_simulator(server: &TcpListener) -> Result<Simulator, Failure> {
    let settings = crowd::settings(format!("http://{}/webhooks/whatsapp", server.local_addr()?));
    Ok(Simulator::start(listen("127.0.0.1:0").await?, settings, Arc::new(SystemClock))?)
}

fn demo_settings(
    mut settings: Settings,
    options: &Options,
    folder: &std::path::Path,
    simulator: &Simulator,
) -> Settings {
    let file = options.database.clone().unwrap_or_else(|| folder.join("demo.db"));
    settings.database.url = Some(Secret::new(format!("sqlite://{}?mode=rwc", file.display())));
    settings.whatsapp.base_url = simulator.base_url();
    settings.whatsapp.access_token = Some(Secret::new("demo"));
    settings.whatsapp.app_secret = Some(SimulatorSettings::default().app_secret);
    settings.whatsapp.verify_token = Some(Secret::new("demo"));
    settings
}

fn introduce(server: &Server, token: &str, send: &story::Sent) {
    let address = server.address;
    say(format!(
        "\nBluetick is running on http://{address} with a simulated WhatsApp, and conversations are in progress.\n"
    ));
    say(format!("  Explorer    http://{address}/graphiql"));
    say(format!("  GraphQL     http://{address}/graphql    live: ws://{address}/graphql/ws"));
    say(format!("  Token       {token}\n"));
    say(format!("Paste the token into the explorer's headers: {{\"Authorization\": \"Bearer {token}\"}}"));
    say("Then paste these, one after the other:\n");
    for query in story::queries(send) {
        say(query);
    }
    say("Press Ctrl-C to end the demo.\n");
}

async fn time_over(seconds: Option<u64>) {
    match seconds {
        Some(seconds) => tokio::time::sleep(Duration::from_secs(seconds)).await,
        None => std::future::pending().await,
    }
}

/// Writes the metrics again and again. Only a fault ends it.
async fn show_progress(client: &Client, send: &story::Sent) -> Result<(), Failure> {
    let mut ticks = tokio::time::interval(PROGRESS_INTERVAL);
    let mut shown = String::new();
    loop {
        ticks.tick().await;
        let data = client.query(story::PROGRESS, serde_json::json!({ "id": send.conversation })).await?;
        let line = progress_line(data.pointer("/conversation/metrics").unwrap_or(&Value::Null));
        if line != shown {
            note(&line);
            shown = line;
        }
    }
}

fn progress_line(metrics: &Value) -> String {
    let figure = |name: &str| metrics.get(name).and_then(Value::as_i64).unwrap_or_default();
    let rate = metrics
        .get("responseRate")
        .and_then(Value::as_f64)
        .map_or_else(|| "–".to_owned(), |rate| format!("{rate:.1} %"));
    format!(
        "users {}  sent {}  in process {}  failed {}  read {}  responses {} ({rate})  in flow {}  finished {}",
        figure("totalUsers"),
        figure("messagesSent"),
        figure("inProcess"),
        figure("sendFailure"),
        figure("read"),
        figure("responses"),
        figure("inFlow"),
        figure("finished"),
    )
}
