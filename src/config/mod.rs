//! Settings: what an operator may decide, read once at the start.
//!
//! They come from the file `bluetick.toml` that is compiled in (it holds every default, and is the documentation), a file
//! of the operator's, and the environment; each takes precedence over the ones before it. Mistakes that nobody would notice are rejected:
//! an unknown key, a value of the wrong kind, a setting given twice.
//!
//! This is the only module that reads the environment.

mod duration;
mod load;
mod nearest;
mod path;
mod secret;
mod share;
mod words;

use std::collections::BTreeMap;
use std::num::{NonZeroU32, NonZeroUsize};
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

pub use load::SettingsError;
pub use secret::Secret;

/// All settings.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Address and port to listen on.
    pub listen: String,
    /// Where the embedded database lives.
    pub data_dir: PathBuf,
    /// The database.
    pub database: DatabaseSettings,
    /// The provider.
    pub whatsapp: WhatsappSettings,
    /// People who are written to.
    pub contacts: ContactSettings,
    /// Tokens that others issue.
    pub auth: AuthSettings,
    /// HTTP requests.
    pub http: HttpSettings,
    /// What GraphQL requests may ask for.
    pub graphql: GraphqlSettings,
    /// Sockets and event streams of clients that watch.
    pub websocket: WebsocketSettings,
    /// Recording facts.
    pub recorder: RecorderSettings,
    /// Watching.
    pub live: LiveSettings,
    /// Sending.
    pub dispatch: DispatchSettings,
    /// Facts that wait for what they name.
    pub parking: ParkingSettings,
    /// How long is kept what nobody needs any more.
    pub retention: RetentionSettings,
    /// Commands that call a running server.
    pub client: ClientSettings,
    /// Logs.
    pub log: LogSettings,
    /// Traces.
    pub traces: TraceSettings,
}

/// The database.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DatabaseSettings {
    /// Where it is, if not in the data directory; it may carry a password.
    #[serde(deserialize_with = "secret::unless_empty")]
    pub url: Option<Secret>,
    /// The maximum number of connections held open.
    pub connections: NonZeroU32,
}

/// The provider.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WhatsappSettings {
    /// The base URL of its API, up to and including the version.
    pub base_url: String,
    /// What authorises sending, on every line that has nothing of its own.
    #[serde(deserialize_with = "secret::unless_empty")]
    pub access_token: Option<Secret>,
    /// What it signs webhooks with.
    #[serde(deserialize_with = "secret::unless_empty")]
    pub app_secret: Option<Secret>,
    /// What it repeats when webhooks are set up.
    #[serde(deserialize_with = "secret::unless_empty")]
    pub verify_token: Option<Secret>,
    /// How long to wait for its answer.
    #[serde(rename = "timeout_seconds", deserialize_with = "duration::seconds")]
    pub timeout: Duration,
    /// What applies to single lines, by the provider's ids of them.
    #[serde(default)]
    pub lines: BTreeMap<String, LineSettings>,
}

/// A single line.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LineSettings {
    /// What authorises sending on it.
    #[serde(deserialize_with = "secret::unless_empty")]
    pub access_token: Option<Secret>,
}

/// People who are written to.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ContactSettings {
    /// The texts by which they opt out.
    #[serde(deserialize_with = "words::list")]
    pub stop_words: Vec<String>,
    /// The texts by which they opt in again.
    #[serde(deserialize_with = "words::list")]
    pub resume_words: Vec<String>,
}

/// Tokens that others issue.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuthSettings {
    /// What they are signed with, if it is a secret that both sides know.
    #[serde(deserialize_with = "secret::unless_empty")]
    pub jwt_secret: Option<Secret>,
    /// A file of the public keys that they are signed with.
    #[serde(deserialize_with = "path::unless_empty")]
    pub jwt_keys: Option<PathBuf>,
    /// Who issues them.
    pub jwt_issuer: String,
    /// For whom they are issued.
    pub jwt_audience: String,
    /// By how much clocks may differ.
    #[serde(rename = "jwt_leeway_seconds", deserialize_with = "duration::seconds")]
    pub jwt_leeway: Duration,
}

/// HTTP requests.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HttpSettings {
    /// The maximum size of a GraphQL request body, in bytes.
    pub graphql_body_bytes: NonZeroUsize,
    /// The maximum size of a webhook body, in bytes.
    pub webhook_body_bytes: NonZeroUsize,
    /// How long a query or mutation may take, and how long a body may take to arrive.
    #[serde(rename = "request_timeout_seconds", deserialize_with = "duration::seconds")]
    pub request_timeout: Duration,
    /// What takes longer is logged.
    #[serde(rename = "slow_operation_ms", deserialize_with = "duration::millis")]
    pub slow_operation: Duration,
    /// What opens the figures for operators.
    #[serde(deserialize_with = "secret::unless_empty")]
    pub metrics_token: Option<Secret>,
    /// The origins whose pages may call this server from a browser.
    #[serde(deserialize_with = "words::origins")]
    pub cors_origins: Vec<String>,
    /// How many queries and mutations are carried out at once.
    pub concurrent_operations: NonZeroUsize,
    /// How many connections are open at once.
    pub connections: NonZeroUsize,
    /// How long the head of a request may take to arrive.
    #[serde(rename = "head_seconds", deserialize_with = "duration::seconds")]
    pub head: Duration,
    /// How long a shutdown waits for running requests and open sockets.
    #[serde(rename = "shutdown_seconds", deserialize_with = "duration::seconds")]
    pub shutdown: Duration,
}

/// What GraphQL requests may ask for at most.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GraphqlSettings {
    /// The size of a document, in bytes.
    pub document_bytes: NonZeroUsize,
    /// The number of a document's tokens.
    pub tokens: NonZeroUsize,
    /// How deep fields are nested.
    pub depth: NonZeroUsize,
    /// The number of fields of the operation itself.
    pub root_fields: NonZeroUsize,
    /// The number of aliases.
    pub aliases: usize,
    /// The number of directives.
    pub directives: usize,
    /// The number of objects that are asked for.
    pub cost: NonZeroUsize,
    /// What a token may spend of that in a minute; 0 if that is not limited.
    pub cost_per_minute: u32,
    /// The size of the variables, in bytes.
    pub variables_bytes: NonZeroUsize,
    /// The size of a response, in bytes.
    pub response_bytes: NonZeroUsize,
    /// Whether the schema may be asked for.
    pub introspection: bool,
    /// Whether there is an explorer.
    pub explorer: bool,
    /// A file of documents that clients may name instead of sending them.
    #[serde(deserialize_with = "path::unless_empty")]
    pub trusted_documents: Option<PathBuf>,
    /// Whether no other documents are carried out.
    pub trusted_only: bool,
}

/// Sockets and event streams of clients that watch.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WebsocketSettings {
    /// How long a client may take to send `connection_init`.
    #[serde(rename = "init_seconds", deserialize_with = "duration::seconds")]
    pub init: Duration,
    /// The interval between two pings from the server.
    #[serde(rename = "keep_alive_seconds", deserialize_with = "duration::seconds")]
    pub keep_alive: Duration,
    /// The interval between two checks whether the client's token is still valid.
    #[serde(rename = "recheck_seconds", deserialize_with = "duration::seconds")]
    pub recheck: Duration,
    /// The maximum size of a client's message, in bytes.
    pub message_bytes: NonZeroUsize,
    /// The maximum number of operations that run at once on one socket.
    pub operations: NonZeroUsize,
    /// The maximum number of bytes that wait to be written to one socket.
    pub queued_bytes: NonZeroUsize,
    /// The maximum number of sockets that are open at once on this node.
    pub sockets: NonZeroUsize,
    /// The maximum number of sockets that are open at once on this node with one token.
    pub sockets_per_token: NonZeroUsize,
}

/// Recording facts.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecorderSettings {
    /// The maximum number of facts waiting to be recorded.
    pub queue_facts: NonZeroUsize,
    /// Roughly how many facts one transaction records.
    pub batch_facts: NonZeroUsize,
}

/// Watching.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LiveSettings {
    /// The interval between two checks for what other nodes have written.
    #[serde(rename = "poll_ms", deserialize_with = "duration::millis")]
    pub poll: Duration,
    /// How long a change stays in its version's log.
    #[serde(rename = "log_days", deserialize_with = "duration::days")]
    pub log: Duration,
}

/// Sending.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DispatchSettings {
    /// How long after a node has died another takes over its line.
    #[serde(rename = "lease_seconds", deserialize_with = "duration::seconds")]
    pub lease: Duration,
    /// How long to wait for a webhook about a message whose call was not answered.
    #[serde(rename = "unknown_grace_seconds", deserialize_with = "duration::seconds")]
    pub unknown_grace: Duration,
    /// How long after its last activity a session with an agent takes precedence over sends.
    #[serde(rename = "agent_session_hours", deserialize_with = "duration::hours")]
    pub agent_session: Duration,
    /// The most different users that a workspace reaches in any 24 hours; 0 if that is not limited.
    pub daily_contacts: u32,
}

/// Facts that wait for what they name.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ParkingSettings {
    /// How long a reply waits.
    #[serde(rename = "replies_minutes", deserialize_with = "duration::minutes")]
    pub replies: Duration,
    /// How long a status waits.
    #[serde(rename = "statuses_days", deserialize_with = "duration::days")]
    pub statuses: Duration,
}

/// How long is kept what nobody needs any more.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RetentionSettings {
    /// How long a person is known of whom nothing is heard; `None` for ever.
    #[serde(rename = "contacts_days", deserialize_with = "duration::days_unless_zero")]
    pub contacts: Option<Duration>,
    /// How long what was not understood is kept.
    #[serde(rename = "kept_days", deserialize_with = "duration::days")]
    pub kept: Duration,
    /// How long the audit log reaches back.
    #[serde(rename = "audit_days", deserialize_with = "duration::days")]
    pub audit: Duration,
}

/// Commands that call a running server.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClientSettings {
    /// The server's URL.
    pub server: String,
    /// The API token.
    #[serde(deserialize_with = "secret::unless_empty")]
    pub token: Option<Secret>,
}

/// Logs.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogSettings {
    /// How they are written.
    pub format: LogFormat,
    /// What is written: a level, or levels by part.
    pub level: String,
}

/// Traces.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TraceSettings {
    /// Where they are exported to; nowhere if it is empty.
    pub endpoint: String,
    /// The share of the requests that are traced, of those that do not come with a trace.
    #[serde(deserialize_with = "share::read")]
    pub sampled: f64,
}

/// How logs are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    Text,
    /// For programs.
    Json,
}

impl WhatsappSettings {
    /// The access tokens of the lines that have one of their own, by the provider's ids of the lines.
    pub fn line_tokens(&self) -> BTreeMap<String, Secret> {
        let token = |(id, line): (&String, &LineSettings)| Some((id.clone(), line.access_token.clone()?));
        self.lines.iter().filter_map(token).collect()
    }
}

impl Settings {
    /// Where the database is: as set, or a file in the data directory.
    pub fn database_url(&self) -> Secret {
        let embedded = || Secret::new(format!("sqlite://{}?mode=rwc", self.data_dir.join("bluetick.db").display()));
        self.database.url.clone().unwrap_or_else(embedded)
    }
}
