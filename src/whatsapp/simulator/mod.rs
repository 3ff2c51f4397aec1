//! A stand-in for the provider: a server that takes messages as WhatsApp's Cloud API does, and posts signed webhooks of
//! what becomes of them.
//!
//! The product talks to it over HTTP and never knows the difference. It is repeatable: what happens to a message depends
//! only on the seed, its line, its recipient and how many came before it to that recipient on that line, not on when or
//! in which order calls arrive. (One exception: a call that comes while too many updates wait is refused.) It can also
//! fail in every way in which a provider fails.

mod agenda;
mod call;
mod chance;
mod course;
mod endpoint;
mod error_answer;
mod poster;
mod provider;
mod record;
mod settings;
#[cfg(test)]
mod tests;
mod update;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use self::poster::Poster;
use self::provider::Provider;
pub use self::record::Counters;
pub use self::settings::{Delays, Faults, Outcomes, SettingsFault, SimulatorSettings, Span, Webhooks};
use super::transport::{self, TransportError};
use crate::domain::clock::Clock;

/// A running simulator. It stops when it is dropped; [`Simulator::shutdown`] also waits for it.
pub struct Simulator {
    address: SocketAddr,
    provider: Arc<Provider>,
    tasks: TaskTracker,
    stopping: DropGuard,
}

/// Why a simulator cannot start.
#[derive(Debug, thiserror::Error)]
pub enum SimulatorError {
    /// Its settings make no sense.
    #[error(transparent)]
    Settings(#[from] SettingsFault),
    /// Its listener has no address.
    #[error("the simulator's listener has no address")]
    Listener(#[from] io::Error),
    /// It cannot post webhooks.
    #[error("the simulator cannot post webhooks")]
    Transport(#[from] TransportError),
}

/// How many messages' updates may be on their way to the task that posts them; who has more waits.
const QUEUE_SIZE: usize = 256;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// The provider gives up on a webhook after some seconds.
const POST_TIMEOUT: Duration = Duration::from_secs(20);

impl Simulator {
    /// Starts a simulator on a listener.
    pub fn start(
        listener: TcpListener,
        settings: SimulatorSettings,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, SimulatorError> {
        settings.check()?;
        let address = listener.local_addr()?;
        let http = transport::client(CONNECT_TIMEOUT, POST_TIMEOUT)?;
        let (sender, receiver) = mpsc::channel(QUEUE_SIZE);
        let provider = Arc::new(Provider::new(settings, clock, sender));
        let (tasks, stopping) = (TaskTracker::new(), CancellationToken::new());
        tasks.spawn(Poster::new(provider.clone(), http, receiver).run(stopping.clone()));
        tasks.spawn(serve(listener, provider.clone(), stopping.clone()));
        tasks.close();
        Ok(Self { address, provider, tasks, stopping: stopping.drop_guard() })
    }

    /// The base URL for a client.
    pub fn base_url(&self) -> String {
        format!("http://{}/v25.0", self.address)
    }

    /// What it saw so far.
    pub fn counters(&self) -> Counters {
        self.provider.record().counters
    }

    /// How often a message with this callback text was accepted: more than once is what must never be.
    pub fn accepted_times(&self, callback: &str) -> u32 {
        self.provider.record().accepted_times(callback)
    }

    /// A user, named by digits, writes to a line of their own accord. Tells the provider's id of the message; `None`
    /// where no webhooks are posted.
    pub async fn user_writes(&self, phone_number_id: &str, from: &str, name: &str, text: &str) -> Option<String> {
        self.provider.user_writes(phone_number_id, from, name, text).await
    }

    /// Resolves once every webhook of the messages accepted so far is posted or given up.
    pub async fn settled(&self) {
        self.provider.settled().await;
    }

    /// Stops, and waits until everything has ended. Webhooks not posted yet are dropped.
    pub async fn shutdown(self) {
        let Self { tasks, stopping, .. } = self;
        drop(stopping);
        tasks.wait().await;
    }
}

async fn serve(listener: TcpListener, provider: Arc<Provider>, stopping: CancellationToken) {
    let router = endpoint::router(provider, stopping.clone());
    let server = axum::serve(listener, router).with_graceful_shutdown(stopping.cancelled_owned());
    if let Err(error) = server.await {
        tracing::error!(error = &error as &dyn std::error::Error, "the simulator stopped listening");
    }
}
