//! Builds everything; start and shutdown.
//!
//! A shutdown goes from the outside inwards, so that nothing acknowledged is lost: the HTTP server takes nothing new and
//! finishes what it has, dispatchers finish the calls in progress and release their leases, and the recorder commits what
//! waits. All work of the background runs on one tracker, which is what the end waits for.

mod doors;

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::doors::WebhookDoor;
use crate::auth::{JwtError, Jwts, Tokens};
use crate::config::{RetentionSettings, Settings};
use crate::dispatch::{self, DispatchSettings, Dispatcher, Preparer, Sends, Uploads, uploads};
use crate::domain::clock::Clock;
use crate::domain::preference::PreferenceWords;
use crate::graphql::{self, DocumentsError};
use crate::http::ingest::Ingest;
use crate::http::operation::Operations;
use crate::http::{self, Services, Shutdown, Sockets, Webhooks};
use crate::live::{Hub, Trimmer};
use crate::recorder::{Recorder, RecorderSettings, Retention};
use crate::storage::flows::Flows;
use crate::storage::parked::Parking;
use crate::storage::record::Rules;
use crate::storage::{Database, StorageError, statistics};
use crate::telemetry;
use crate::telemetry::metrics::Exposition;
use crate::whatsapp::client::{self, ClientError, CloudApi};

/// How often parked facts are swept.
const SWEEP_INTERVAL: Duration = Duration::from_secs(1);
/// How often lines with work and sends to prepare are looked for, besides the nudge of a send on this node.
const POLL_INTERVAL: Duration = Duration::from_millis(250);

/// Why a server does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The data directory cannot be created.
    #[error("cannot create the data directory {0}")]
    DataDirectory(String, #[source] std::io::Error),
    /// The database cannot be reached or brought up to date.
    #[error("cannot open the database")]
    Database(#[from] StorageError),
    /// The listener is broken.
    #[error("cannot listen")]
    Listener(#[source] std::io::Error),
    /// The provider's settings cannot be used.
    #[error("the settings under [whatsapp] are not usable")]
    Provider(#[from] ClientError),
    /// Tokens cannot be verified.
    #[error("the settings under [auth] are not usable")]
    Auth(#[from] JwtError),
    /// GraphQL documents cannot be read.
    #[error("the API cannot be offered")]
    Documents(#[from] DocumentsError),
}

/// A running server.
pub struct Server {
    /// The address that it listens on.
    pub address: SocketAddr,
    /// What it writes to.
    pub database: Database,
    shutdown: CancellationToken,
    serving: TaskTracker,
}

/// What the parts of a server share.
struct Parts {
    settings: Settings,
    clock: Arc<dyn Clock>,
    database: Database,
    /// All work of the background.
    tasks: TaskTracker,
    shutdown: CancellationToken,
}

/// Opens the database that the settings name, and brings its schema up to date.
pub async fn open_database(settings: &Settings) -> Result<Database, StartError> {
    if settings.database.url.is_none() {
        let made = std::fs::create_dir_all(&settings.data_dir);
        made.map_err(|error| StartError::DataDirectory(settings.data_dir.display().to_string(), error))?;
    }
    let url = settings.database_url();
    let database = Database::connect(url.expose(), settings.database.connections.get()).await?;
    database.migrate().await?;
    Ok(database)
}

impl Server {
    /// Starts a server on a listener. It can be called when this returns.
    pub async fn start(listener: TcpListener, settings: Settings, clock: Arc<dyn Clock>) -> Result<Self, StartError> {
        let address = listener.local_addr().map_err(StartError::Listener)?;
        // Bringing the schema up to date may take longer than a server's statements may.
        open_database(&settings).await?;
        let (url, connections) = (settings.database_url(), settings.database.connections.get());
        let database = Database::connect_serving(url.expose(), connections, settings.http.request_timeout).await?;
        let (tasks, serving, shutdown) = (TaskTracker::new(), TaskTracker::new(), CancellationToken::new());
        let (grace, http_settings) = (settings.http.shutdown, settings.http.clone());
        let parts = Parts { settings, clock, database: database.clone(), tasks: tasks.clone(), shutdown };
        let end = Shutdown::new(parts.shutdown.clone(), grace);
        let router = http::router(parts.services(end.clone())?);
        let shutdown = parts.shutdown.clone();
        serving.spawn(async move {
            let deadline = async {
                shutdown.cancelled().await;
                Instant::now() + grace
            };
            let ((), deadline) = tokio::join!(http::serve(listener, router, end, http_settings), deadline);
            finish(&tasks, deadline).await;
        });
        Ok(Self { address, database, shutdown: parts.shutdown, serving })
    }

    /// Ends the server, and returns when it has ended.
    pub async fn shutdown(self) {
        self.shutdown.cancel();
        self.serving.close();
        self.serving.wait().await;
    }
}

impl Parts {
    /// What the routes need; starts what runs in the background.
    fn services(&self, end: Shutdown) -> Result<Services, StartError> {
        let Self { settings, clock, database, .. } = self;
        let hub = Hub::new(database.clone());
        let nudges = dispatch::Nudges::default();
        let recorder = self.recorder(&hub, &nudges);
        self.start_dispatcher(&recorder, &nudges)?;
        self.start_chores(&recorder, &nudges);
        let uploads = self.start_uploads(&recorder, &nudges);
        self.tasks.spawn(hub.clone().poll(settings.live.poll, self.shutdown.clone()));
        self.tasks.spawn(recorder.clone().sweep(self.shutdown.clone()));
        let webhooks = Ingest::new(Arc::new(WebhookDoor::new(database.clone(), recorder.clone())), clock.clone());
        let sends = Sends::new(recorder.clone(), clock.clone(), nudges);
        let backend = graphql::Backend { database: database.clone(), recorder, sends, hub, clock: clock.clone() };
        let api = graphql::Api::new(backend, settings.graphql.clone())?;
        Ok(Services {
            operations: Operations::new(Arc::new(api), &settings.http),
            tokens: Tokens::new(database.clone(), clock.clone()).with_jwts(Jwts::new(&settings.auth)?),
            webhooks: Webhooks::new(&settings.whatsapp, webhooks),
            uploads,
            database: Arc::new(database.clone()),
            metrics: self.expose_metrics(),
            http: settings.http.clone(),
            explorer: settings.graphql.explorer,
            sockets: Sockets::new(settings.websocket.sockets.get(), settings.websocket.sockets_per_token.get()),
            websocket: settings.websocket.clone(),
            shutdown: end,
        })
    }

    /// Begins to count, if anybody may see it.
    fn expose_metrics(&self) -> Option<Exposition> {
        let exposition = self.settings.http.metrics_token.as_ref().map(|_| telemetry::metrics::expose())?;
        self.tasks.spawn(exposition.clone().sum_up(self.shutdown.clone()));
        Some(exposition)
    }

    fn recorder(&self, hub: &Hub, nudges: &dispatch::Nudges) -> Recorder {
        let Settings { recorder, parking, contacts, database, .. } = &self.settings;
        let rules = Rules {
            parking: Parking { messages: parking.replies, others: parking.statuses },
            words: Arc::new(PreferenceWords::new(&contacts.stop_words, &contacts.resume_words)),
            flows: Flows::default(),
        };
        let settings = RecorderSettings {
            queue_facts: recorder.queue_facts.get(),
            batch_facts: recorder.batch_facts.get(),
            // The others are for reading, and for sending.
            batches: database.connections.get().div_ceil(2) as usize,
            rules,
            sweep_interval: SWEEP_INTERVAL,
        };
        let (tasks, said) = (self.tasks.clone(), Arc::clone(&nudges.work));
        Recorder::new(self.database.clone(), hub.clone(), self.clock.clone(), tasks, said, settings)
    }

    /// What is to be done for all workspaces, whether or not this node sends.
    fn start_chores(&self, recorder: &Recorder, nudges: &dispatch::Nudges) {
        let deadlines = dispatch::Deadlines {
            db: self.database.clone(),
            recorder: recorder.clone(),
            clock: self.clock.clone(),
            unknown_grace: self.settings.dispatch.unknown_grace,
        };
        let cancellations = dispatch::Cancellations {
            db: self.database.clone(),
            recorder: recorder.clone(),
            canceled: Arc::clone(&nudges.canceled),
        };
        let trimmer = Trimmer { db: self.database.clone(), clock: self.clock.clone(), keep: self.settings.live.log };
        let RetentionSettings { contacts, kept, audit } = self.settings.retention;
        let retention = Retention { contacts, kept, audit };
        self.tasks.spawn(statistics::keep(self.database.clone(), self.shutdown.clone()));
        self.tasks.spawn(trimmer.run(self.shutdown.clone()));
        self.tasks.spawn(recorder.clone().retain(retention, self.shutdown.clone()));
        self.tasks.spawn(deadlines.run(self.shutdown.clone()));
        self.tasks.spawn(cancellations.run(self.shutdown.clone()));
    }

    /// Takes lists in, and starts what makes deployments of them.
    fn start_uploads(&self, recorder: &Recorder, nudges: &dispatch::Nudges) -> Uploads {
        let preparer = Preparer {
            db: self.database.clone(),
            recorder: recorder.clone(),
            clock: self.clock.clone(),
            staged: Arc::clone(&nudges.staged),
            work: Arc::clone(&nudges.work),
            poll_interval: POLL_INTERVAL,
        };
        self.tasks.spawn(preparer.run(self.shutdown.clone()));
        let uploads = Uploads::new(uploads::Parts {
            db: self.database.clone(),
            clock: self.clock.clone(),
            staged: Arc::clone(&nudges.staged),
            tasks: self.tasks.clone(),
            stall: self.settings.http.request_timeout,
        });
        self.tasks.spawn(uploads.clone().sweep(self.shutdown.clone()));
        uploads
    }

    /// Without any access token nothing can be sent; then messages wait in the outbox.
    fn start_dispatcher(&self, recorder: &Recorder, nudges: &dispatch::Nudges) -> Result<(), StartError> {
        let Settings { whatsapp, dispatch, .. } = &self.settings;
        let line_tokens = whatsapp.line_tokens();
        if whatsapp.access_token.is_none() && line_tokens.is_empty() {
            tracing::warn!(
                "no access token is set, neither whatsapp.access_token nor that of a line, so nothing is sent"
            );
            return Ok(());
        }
        let api = client::CloudApiSettings {
            line_tokens,
            call_timeout: whatsapp.timeout,
            ..client::CloudApiSettings::new(&whatsapp.base_url, whatsapp.access_token.clone())
        };
        let settings = DispatchSettings {
            lease: dispatch.lease,
            poll_interval: POLL_INTERVAL,
            agent_session: dispatch.agent_session,
            daily_contacts: NonZeroU32::new(dispatch.daily_contacts).map(NonZeroU32::get),
        };
        let dispatcher = Dispatcher::new(dispatch::Parts {
            db: self.database.clone(),
            recorder: recorder.clone(),
            api: CloudApi::new(&api)?,
            clock: self.clock.clone(),
            work: Arc::clone(&nudges.work),
            tasks: self.tasks.clone(),
            settings,
        });
        self.tasks.spawn(dispatcher.run(self.shutdown.clone()));
        Ok(())
    }
}

/// Waits for the background to finish what it has in hand.
async fn finish(tasks: &TaskTracker, deadline: Instant) {
    tasks.close();
    if tokio::time::timeout_at(deadline, tasks.wait()).await.is_err() {
        tracing::warn!("the grace period ended with work in progress; whatever was not acknowledged will be retried");
    }
}
