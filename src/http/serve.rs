//! Runs the HTTP server until it is told to end.
//!
//! Connections are counted, and one that sends no head of a request, or sends it slowly, is closed after a while: whoever opens
//! many and says nothing cannot keep others out for long.

use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1::Builder;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::sleep;
use tokio_util::task::TaskTracker;

use super::Shutdown;
use crate::config::HttpSettings;

/// How long to wait where no connection can be accepted, such as when the process has as many files open as it may.
const PAUSE: Duration = Duration::from_millis(200);

/// Serves until the shutdown begins; then takes no more connections, lets running requests finish and sockets close, and
/// returns when they have, or after the grace period.
pub async fn serve(listener: TcpListener, router: Router, shutdown: Shutdown, settings: HttpSettings) {
    let grace = settings.shutdown;
    let finished = async {
        let open = accept(listener, router, &shutdown, &settings).await;
        open.close();
        open.wait().await;
        shutdown.sockets_closed().await;
    };
    let too_late = async {
        shutdown.begun().await;
        sleep(grace).await;
    };
    tokio::select! {
        () = finished => {}
        () = too_late => {
            tracing::warn!(grace_seconds = grace.as_secs(), "the grace period ended with requests or sockets still open");
        }
    }
}

/// Accepts connections until the shutdown begins; returns those that are open.
async fn accept(listener: TcpListener, router: Router, shutdown: &Shutdown, settings: &HttpSettings) -> TaskTracker {
    let (open, room) = (TaskTracker::new(), Arc::new(Semaphore::new(settings.connections.get())));
    let mut builder = Builder::new();
    // What is idle between two requests is waited for as long.
    builder.timer(TokioTimer::new()).header_read_timeout(settings.head);
    loop {
        let (connection, place) = tokio::select! {
            () = shutdown.begun() => return open,
            next = next(&listener, &room) => next,
        };
        // A frame for a watcher is small and wanted now.
        connection.set_nodelay(true).ok();
        let service = TowerToHyperService::new(router.clone());
        let serving = builder.serve_connection(TokioIo::new(connection), service).with_upgrades();
        let shutdown = shutdown.clone();
        open.spawn(async move {
            let mut serving = pin!(serving);
            // What goes wrong with a connection is its client's affair.
            tokio::select! {
                _ = serving.as_mut() => {}
                () = shutdown.begun() => {
                    serving.as_mut().graceful_shutdown();
                    serving.await.ok();
                }
            }
            drop(place);
        });
    }
}

/// The next connection, once there is room for it.
async fn next(listener: &TcpListener, room: &Arc<Semaphore>) -> (TcpStream, Option<OwnedSemaphorePermit>) {
    // It is never closed, so there always is a place in the end.
    let place = Arc::clone(room).acquire_owned().await.ok();
    loop {
        match listener.accept().await {
            Ok((connection, _)) => return (connection, place),
            Err(error) if is_of_client(&error) => {}
            Err(error) => {
                tracing::error!(error = &error as &dyn std::error::Error, "cannot accept a connection");
                sleep(PAUSE).await;
            }
        }
    }
}

/// Whether it was the client who gave up.
fn is_of_client(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}
