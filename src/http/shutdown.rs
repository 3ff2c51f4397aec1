//! How a server ends: who must be told, and who must be waited for.

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

/// A server's end, as all its parts see it. Cheap to clone.
///
/// The HTTP server waits for running requests by itself, but a socket has left it once it is upgraded; so open sockets are
/// counted here.
#[derive(Debug, Clone, Default)]
pub struct Shutdown {
    begun: CancellationToken,
    sockets: TaskTracker,
}

impl Shutdown {
    /// An end that begins with this token's.
    pub fn new(begun: CancellationToken) -> Self {
        Self { begun, sockets: TaskTracker::new() }
    }

    /// Whether it has begun.
    pub fn has_begun(&self) -> bool {
        self.begun.is_cancelled()
    }

    /// Waits until it begins.
    pub async fn begun(&self) {
        self.begun.cancelled().await;
    }

    /// Counts a socket as open while the token lives.
    pub(super) fn open_socket(&self) -> TaskTrackerToken {
        self.sockets.token()
    }

    /// Waits until no socket is open.
    pub(super) async fn sockets_closed(&self) {
        self.sockets.close();
        self.sockets.wait().await;
    }
}
