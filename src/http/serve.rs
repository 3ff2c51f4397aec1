//! Runs the HTTP server until it is told to end.

use std::io;
use std::time::Duration;

use axum::Router;
use axum::serve::ListenerExt;
use tokio::net::TcpListener;
use tokio::time::sleep;

use super::Shutdown;

/// Serves until the shutdown begins; then takes no more connections, lets running requests finish and sockets close, and
/// returns when they have, or after `grace`.
pub async fn serve(listener: TcpListener, router: Router, shutdown: Shutdown, grace: Duration) -> io::Result<()> {
    // A frame for a watcher is small and wanted now.
    let listener = listener.tap_io(|connection| drop(connection.set_nodelay(true)));
    let begun = {
        let shutdown = shutdown.clone();
        async move { shutdown.begun().await }
    };
    let finished = async {
        axum::serve(listener, router).with_graceful_shutdown(begun).await?;
        shutdown.sockets_closed().await;
        Ok(())
    };
    let too_late = async {
        shutdown.begun().await;
        sleep(grace).await;
    };
    tokio::select! {
        finished = finished => finished,
        () = too_late => {
            tracing::warn!(grace_seconds = grace.as_secs(), "the grace period ended with requests or sockets still open");
            Ok(())
        }
    }
}
