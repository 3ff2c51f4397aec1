//! A simulator of the provider: a server that accepts messages like WhatsApp's Cloud API, and posts signed webhooks about what
//! happens to them.
//!
//! The product talks to it over HTTP and cannot tell the difference. It is reproducible: what happens to a message
//! depends only on the seed, its line, its recipient, the number of earlier messages to that recipient on that line,
//! and what it says, not on when or in which order calls arrive. There are two exceptions: calls are rejected while too
//! many updates are waiting, and free-form messages, which are all but templates, outside the customer service window.
//! It can also fail in all the ways in which the provider fails.
//!
//! Users answer what they are asked: they press one of the buttons, choose one of the rows, or write one of the texts
//! that the settings have for such a message.

mod agenda;
mod call;
mod chance;
mod content;
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

use self::course::Event;
use self::poster::Poster;
use self::provider::{Provider, Writer};
pub use self::record::Counters;
pub use self::settings::{Delays, Faults, Outcomes, Reply, SettingsFault, SimulatorSettings, Span, Webhooks};
use super::transport::{self, TransportError};
use crate::domain::clock::Clock;
use crate::domain::outgoing::Choice;

/// A running simulator. It stops when it is dropped; [`Simulator::shutdown`] also waits for it.
pub struct Simulator {
    address: SocketAddr,
    provider: Arc<Provider>,
    tasks: TaskTracker,
    stopping: DropGuard,
}

/// Why a simulator cannot be started.
#[derive(Debug, thiserror::Error)]
pub enum SimulatorError {
    /// A setting is out of range.
    #[error(transparent)]
    Settings(#[from] SettingsFault),
    /// The address of its listener is not available.
    #[error("cannot determine the address of the simulator's listener")]
    Listener(#[from] io::Error),
    /// The HTTP client for webhooks cannot be created.
    #[error("cannot create the simulator's HTTP client")]
    Transport(#[from] TransportError),
}

/// The capacity of the channel to the task that posts webhooks, in messages. Calls wait while it is full.
const QUEUE_SIZE: usize = 256;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// The provider gives up on a webhook after several seconds.
const POST_TIMEOUT: Duration = Duration::from_secs(20);

impl Simulator {
    /// Starts a simulator on a listener. It must be called within a Tokio runtime.
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

    /// The base URL for clients, including a version.
    pub fn base_url(&self) -> String {
        format!("http://{}/v25.0", self.address)
    }

    /// The counters so far.
    pub fn counters(&self) -> Counters {
        self.provider.record().counters
    }

    /// How often a message with this callback data was accepted, which must never be more than once.
    pub fn accepted_times(&self, callback: &str) -> u32 {
        self.provider.record().accepted_times(callback)
    }

    /// Lets a user write to a line, unprompted. `from` is the user's WhatsApp id. Returns the provider's id of the message;
    /// `None` if no webhooks are posted.
    pub async fn user_writes(&self, phone_number_id: &str, from: &str, name: &str, text: &str) -> Option<String> {
        let event = Event::Text { text: text.to_owned(), quoting: false };
        self.provider.user_does(Writer { phone_number_id, from, name }, event, None).await
    }

    /// The same, quoting the message with the provider's id `quoted`.
    pub async fn user_writes_quoting(
        &self,
        phone_number_id: &str,
        from: &str,
        name: &str,
        quoted: &str,
        text: &str,
    ) -> Option<String> {
        let event = Event::Text { text: text.to_owned(), quoting: true };
        self.provider.user_does(Writer { phone_number_id, from, name }, event, Some(quoted)).await
    }

    /// Lets a user press a reply button of our message with the provider's id `quoted`. It is up to the caller that the
    /// message has this button. Returns as `user_writes` does.
    pub async fn user_presses(
        &self,
        phone_number_id: &str,
        from: &str,
        name: &str,
        quoted: &str,
        button: &Choice,
    ) -> Option<String> {
        let event = Event::Choice { list: false, choice: button.clone() };
        self.provider.user_does(Writer { phone_number_id, from, name }, event, Some(quoted)).await
    }

    /// Lets a user write who has come from the advertisement with the provider's id `source_id`. Returns as
    /// `user_writes` does.
    pub async fn user_comes_from(
        &self,
        phone_number_id: &str,
        from: &str,
        name: &str,
        text: &str,
        source_id: &str,
    ) -> Option<String> {
        let event = Event::FromAd { text: text.to_owned(), source_id: source_id.to_owned() };
        self.provider.user_does(Writer { phone_number_id, from, name }, event, None).await
    }

    /// Changes what goes wrong with calls from now on.
    pub fn set_faults(&self, faults: Faults) -> Result<(), SettingsFault> {
        faults.check()?;
        self.provider.set_faults(faults);
        Ok(())
    }

    /// Waits until all webhooks about the messages accepted so far have been posted or given up.
    pub async fn settled(&self) {
        self.provider.settled().await;
    }

    /// Stops the simulator, and waits for its tasks to end. Webhooks that are not posted yet are dropped.
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
