//! How a server ends: who must be told, and who must be waited for.

use std::time::Duration;

use rand::RngExt;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

/// A server's end, as all its parts see it. Cheap to clone.
///
/// The HTTP server waits for running requests by itself, but a socket has left it once it is upgraded; so open sockets are
/// counted here.
#[derive(Debug, Clone)]
pub struct Shutdown {
    begun: CancellationToken,
    grace: Duration,
    sockets: TaskTracker,
}

/// How many sockets are asked to leave in a second, so that those who come back elsewhere do not come all at once.
const LEAVING_PER_SECOND: u32 = 1_000;

impl Shutdown {
    /// An end that begins with this token's. Requests and sockets may take `grace` to finish.
    pub fn new(begun: CancellationToken, grace: Duration) -> Self {
        Self { begun, grace, sockets: TaskTracker::new() }
    }

    /// Waits until it is one socket's turn to leave: at a random time after the beginning, the later the more there are,
    /// but within half of the grace period.
    pub(super) async fn turn_to_leave(self) {
        self.begun().await;
        let open = u32::try_from(self.sockets.len()).unwrap_or(u32::MAX);
        let spread = (Duration::from_secs(1) * open / LEAVING_PER_SECOND).min(self.grace / 2);
        let turn = spread.mul_f64(rand::rng().random());
        sleep(turn).await;
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
