//! When the operator wants the process to end.

use tokio::signal::unix::{SignalKind, signal};

/// Resolves at the first interrupt or request to terminate.
pub(super) async fn ended() {
    let (Ok(mut interrupt), Ok(mut terminate)) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        // Without signals there is nothing to wait for but the end of the process itself.
        return std::future::pending().await;
    };
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}
