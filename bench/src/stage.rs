//! A server that sends, and the provider that it sends to: the simulator, in this process, which takes whatever comes.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bluetick::auth::{Scopes, create_token};
use bluetick::domain::clock::SystemClock;
use bluetick::storage;
use bluetick::whatsapp::simulator::{Simulator, SimulatorSettings};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use uuid::Uuid;

use crate::Result;
use crate::database::{Database, Kind};
use crate::drive::Connection;
use crate::options::Options;
use crate::process::Server;
use crate::requests;

/// The highest rate that WhatsApp grants a line.
pub(crate) const RATE: u32 = 1_000;

/// How long messages may take to leave.
const PATIENCE: Duration = Duration::from_mins(5);

/// A database that is ready, before its server starts.
pub(crate) struct Site {
    /// The database.
    pub(crate) database: Database,
    /// The one workspace in it.
    pub(crate) workspace: Uuid,
    token: String,
}

/// A server with a provider to send to.
pub(crate) struct Stage {
    /// Its database.
    pub(crate) database: Database,
    /// The server.
    pub(crate) server: Server,
    /// Where it sends.
    pub(crate) provider: Simulator,
    /// A token that may do everything.
    pub(crate) token: String,
    api: Connection,
}

impl Site {
    /// Makes an empty workspace in a database of its own.
    pub(crate) async fn make(kind: Kind) -> Result<Self> {
        let database = Database::make(kind).await?;
        let storage = storage::Database::connect(&database.url, 2).await?;
        storage.migrate().await?;
        let scopes: Scopes = "admin,personal".parse()?;
        let token = create_token(&storage, &SystemClock, "bench", scopes).await?.token.expose().to_owned();
        let workspace = storage::tokens::list(&storage).await?.pop().ok_or("no workspace")?.workspace.0;
        Ok(Self { database, workspace, token })
    }

    /// Starts the provider and the server.
    pub(crate) async fn open(self) -> Result<Stage> {
        let Self { database, token, .. } = self;
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let provider = Simulator::start(listener, SimulatorSettings::default(), Arc::new(SystemClock))?;
        let server = Server::sending(&database.url, database.name.as_deref(), &provider.base_url()).await?;
        let api = Connection::open(server.address).await?;
        Ok(Stage { database, server, provider, token, api })
    }
}

impl Stage {
    /// The data of a mutation or query.
    pub(crate) async fn ask(&mut self, document: &str, variables: &Value) -> Result<Value> {
        let answer = self.api.send(requests::graphql(&self.token, document, variables)?).await?;
        let answer: Value = serde_json::from_slice(&answer)?;
        match answer.get("errors") {
            None => Ok(answer.get("data").cloned().unwrap_or_default()),
            Some(errors) => Err(errors.to_string().into()),
        }
    }

    /// A conversation on a line of its own, which the provider knows by this id.
    pub(crate) async fn conversation(&mut self, line: &str, direction: &str, flow: Value) -> Result<String> {
        let input =
            json!({ "phone": "+12025550123", "phoneNumberId": line, "name": "Bench", "messagesPerSecond": RATE });
        let document = "mutation($input: CreateLineInput!) { createLine(input: $input) { line { id } } }";
        let made = self.ask(document, &json!({ "input": input })).await?;
        let line = made.pointer("/createLine/line/id").ok_or("no line")?;
        let input = json!({ "name": "Bench", "direction": direction, "lineId": line, "flow": flow });
        let document = "mutation($input: CreateConversationInput!) { createConversation(input: $input) \
                        { conversation { id } userErrors { message } } }";
        let made = self.ask(document, &json!({ "input": input })).await?;
        let id = made.pointer("/createConversation/conversation/id").and_then(Value::as_str);
        Ok(id.ok_or_else(|| made.to_string())?.to_owned())
    }

    /// How often the provider was called.
    pub(crate) fn calls(&self) -> u64 {
        self.provider.counters().calls
    }

    /// Waits until the provider was called so often, and tells when that was.
    pub(crate) async fn reaches(&self, calls: u64) -> Result<Instant> {
        let begin = Instant::now();
        while self.calls() < calls {
            if begin.elapsed() > PATIENCE {
                return Err(format!("the messages do not go out: {} of {calls}", self.calls()).into());
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        Ok(Instant::now())
    }

    /// Recounts everything where that is wanted, and clears up.
    pub(crate) async fn strike(self, options: &Options) -> Result<()> {
        drop(self.server);
        self.provider.shutdown().await;
        self.database.finish(options.verify).await
    }
}
