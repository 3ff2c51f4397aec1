//! `bluetick simulate`.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use super::failure::Failure;
use super::serve::listen;
use super::{note, signal};
use crate::config::Secret;
use crate::domain::clock::SystemClock;
use crate::whatsapp::simulator::{Simulator, SimulatorSettings};

/// Where a server listens by default.
const WEBHOOK_URL: &str = "http://127.0.0.1:8080/webhooks/whatsapp";

/// How the simulated provider runs.
#[derive(clap::Args)]
pub(super) struct Options {
    /// Address and port to listen on.
    #[arg(long, default_value = "127.0.0.1:9000")]
    listen: String,
    /// Where it sends webhooks; by default to a server on this machine at its default port.
    #[arg(long)]
    webhook_url: Option<String>,
    /// What it signs webhooks with, the server's `whatsapp.app_secret`; "simulator" by default.
    #[arg(long)]
    app_secret: Option<String>,
    /// The seed of its random numbers.
    #[arg(long)]
    seed: Option<u64>,
    /// How many times faster than real time everything happens.
    #[arg(long)]
    speed: Option<f64>,
    /// A TOML file with all its settings: shares of outcomes, answers, delays, duplicates, faults. The options above
    /// take precedence.
    #[arg(long, value_name = "FILE")]
    settings: Option<PathBuf>,
}

/// Simulates until the operator ends it.
pub(super) async fn run(options: Options) -> Result<ExitCode, Failure> {
    let settings = options.settings()?;
    let listener = listen(&options.listen).await?;
    let simulator = Simulator::start(listener, settings, Arc::new(SystemClock)).map_err(Failure::wrong_call)?;
    note(format!("The simulated provider is listening on {}", simulator.base_url()));
    note(format!("Start the server with BLUETICK_WHATSAPP_BASE_URL={}", simulator.base_url()));
    signal::ended().await;
    simulator.shutdown().await;
    Ok(ExitCode::SUCCESS)
}

impl Options {
    fn settings(&self) -> Result<SimulatorSettings, Failure> {
        let mut settings = match &self.settings {
            None => SimulatorSettings::default(),
            Some(path) => {
                let text = std::fs::read_to_string(path);
                let text =
                    text.map_err(|error| Failure::wrong_call(format!("cannot read {}: {error}", path.display())))?;
                toml::from_str(&text).map_err(Failure::wrong_call)?
            }
        };
        let webhook_url = self.webhook_url.clone().or(settings.webhook_url);
        settings.webhook_url = Some(webhook_url.unwrap_or_else(|| WEBHOOK_URL.to_owned()));
        settings.app_secret = self.app_secret.as_ref().map_or(settings.app_secret, Secret::new);
        settings.seed = self.seed.unwrap_or(settings.seed);
        settings.speed = self.speed.unwrap_or(settings.speed);
        Ok(settings)
    }
}
