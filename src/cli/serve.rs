//! `bluetick serve`.

use std::process::ExitCode;
use std::sync::Arc;

use tokio::net::TcpListener;

use super::failure::Failure;
use super::{note, signal};
use crate::app::Server;
use crate::config::Settings;
use crate::domain::clock::SystemClock;

/// Serves until the operator ends it.
pub(super) async fn run(settings: Settings) -> Result<ExitCode, Failure> {
    let listener = listen(&settings.listen).await?;
    let server = Server::start(listener, settings, Arc::new(SystemClock)).await?;
    note(format!("Bluetick is listening on http://{}", server.address));
    signal::ended().await;
    server.shutdown().await;
    Ok(ExitCode::SUCCESS)
}

/// Listens on an address of the settings.
pub(super) async fn listen(address: &str) -> Result<TcpListener, Failure> {
    let listener = TcpListener::bind(address).await;
    listener.map_err(|error| Failure::wrong_call(format!("cannot listen on {address}: {error}")))
}
