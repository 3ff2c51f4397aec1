//! Sending: how many messages leave a second, alone and beside webhooks, how soon the first one leaves, and what a long list
//! costs. The provider's side is the simulator, in this process, which takes whatever comes.

mod list;

use std::sync::Arc;
use std::time::{Duration, Instant};

use bluetick::auth::{Scopes, create_token};
use bluetick::domain::clock::SystemClock;
use bluetick::storage;
use bluetick::whatsapp::simulator::{Simulator, SimulatorSettings};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::Result;
use crate::database::{Database, Kind};
use crate::drive::Connection;
use crate::options::Options;
use crate::payload::Facts;
use crate::posting::Posting;
use crate::process::Server;
use crate::report::{Aim, Table, say};
use crate::requests;
use crate::seed::{Loader, Story};
use crate::world::PHONE_NUMBER_ID;

/// The highest rate that WhatsApp grants a line.
const RATE: u32 = 1_000;
/// How many lines send at once where the server is the limit.
const LINES: usize = 4;
/// Messages of one line in a round; a submission takes no more.
const MESSAGES: u64 = 10_000;
/// What webhooks tell beside it: WhatsApp's three statuses of each message.
const STATUSES_PER_SECOND: u64 = 3_000;
/// How long a round may take.
const PATIENCE: Duration = Duration::from_mins(5);

/// A server that sends, and the provider that it sends to.
struct Stage {
    database: Database,
    server: Server,
    provider: Simulator,
    api: Connection,
    token: String,
    /// What webhooks tell meanwhile.
    facts: Facts,
    /// How many phones were used so far: everybody is sent to once.
    used: u64,
}

/// What came of a round.
struct Sent {
    /// From the request to the first call.
    first: Duration,
    /// Calls a second, from the first to the last.
    per_second: f64,
}

/// Measures sending on a database of its own.
pub(crate) async fn run(kind: Kind, options: &Options, table: &mut Table) -> Result<()> {
    let mut stage = Stage::set(kind, options).await?;
    let mut conversations = Vec::new();
    for number in 0..LINES {
        conversations.push(stage.conversation(number).await?);
    }
    let one: Vec<String> = conversations.iter().take(1).cloned().collect();
    let (mut alone, mut many, mut beside, mut first) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let mut late = Vec::new();
    for round in 0..options.rounds {
        let sent = stage.send(&one).await?;
        say(format!("  one line, round {round}: {:.0} messages/s, the first after {:?}", sent.per_second, sent.first));
        alone.push(sent.per_second);
        first.push(sent.first.as_secs_f64() * 1_000.0);
        let sent = stage.send(&conversations).await?;
        say(format!("  {LINES} lines, round {round}: {:.0} messages/s", sent.per_second));
        many.push(sent.per_second);
        let posting = Posting::start(stage.server.address, std::slice::from_ref(&stage.facts), STATUSES_PER_SECOND);
        let sent = stage.send(&one).await?;
        let latencies = posting.stop().await?;
        let p99 = latencies.milliseconds(0.99);
        say(format!(
            "  beside {:.0} statuses/s, round {round}: {:.0} messages/s; posts p50 {:.0} ms, p99 {p99:.0} ms",
            latencies.per_second,
            sent.per_second,
            latencies.milliseconds(0.5)
        ));
        beside.push(sent.per_second);
        late.push(p99);
    }
    table.figure("messages a second, a line at 1,000", alone, Aim::AtLeast(950.0));
    table.figure("messages a second, four lines at 1,000 each", many, Aim::None);
    table.figure("messages a second beside 3,000 statuses a second", beside, Aim::AtLeast(950.0));
    table.figure("p99 of those webhooks, in milliseconds", late, Aim::AtMost(250.0));
    table.figure("from submission to first call, in milliseconds", first, Aim::None);
    list::run(&mut stage, &one, options, table).await?;
    stage.strike(options).await
}

impl Stage {
    async fn set(kind: Kind, options: &Options) -> Result<Self> {
        let database = Database::make(kind).await?;
        let storage = storage::Database::connect(&database.url, 2).await?;
        storage.migrate().await?;
        let scopes: Scopes = "admin,personal".parse()?;
        let token = create_token(&storage, &SystemClock, "bench", scopes).await?.token.expose().to_owned();
        let workspace = storage::tokens::list(&storage).await?.pop().ok_or("no workspace")?.workspace.0;
        let mut loader = Loader::new(&database.url).await?;
        let line = loader.line(workspace, PHONE_NUMBER_ID).await?;
        let facts = Facts::of(loader.version(workspace, line, options.ingest_users, Story::Accepted).await?);
        loader.analyze().await?;
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let provider = Simulator::start(listener, SimulatorSettings::default(), Arc::new(SystemClock))?;
        let (url, name) = (database.url.clone(), database.name.clone());
        let server = Server::sending(&url, name.as_deref(), &provider.base_url()).await?;
        let api = Connection::open(server.address).await?;
        Ok(Self { database, server, provider, api, token, facts, used: 0 })
    }

    /// The data of a mutation or query.
    async fn ask(&mut self, document: &str, variables: &Value) -> Result<Value> {
        let answer = self.api.send(requests::graphql(&self.token, document, variables)?).await?;
        let answer: Value = serde_json::from_slice(&answer)?;
        match answer.get("errors") {
            None => Ok(answer.get("data").cloned().unwrap_or_default()),
            Some(errors) => Err(errors.to_string().into()),
        }
    }

    /// A conversation on a line of its own.
    async fn conversation(&mut self, number: usize) -> Result<String> {
        let input = json!({ "phone": "+12025550123", "phoneNumberId": format!("bench{number}"), "name": "Bench",
            "messagesPerSecond": RATE });
        let document = "mutation($input: CreateLineInput!) { createLine(input: $input) { line { id } } }";
        let made = self.ask(document, &json!({ "input": input })).await?;
        let flow =
            json!({ "start": "hello", "steps": { "hello": { "template": { "name": "welcome", "language": "es" } } } });
        let line = made.pointer("/createLine/line/id").ok_or("no line")?;
        let input = json!({ "name": "Bench", "direction": "OUTBOUND", "lineId": line, "flow": flow });
        let document =
            "mutation($input: CreateConversationInput!) { createConversation(input: $input) { conversation { id } } }";
        let made = self.ask(document, &json!({ "input": input })).await?;
        let id = made.pointer("/createConversation/conversation/id").and_then(Value::as_str);
        Ok(id.ok_or("no conversation")?.to_owned())
    }

    /// A phone that was not used before.
    const fn phone(&mut self) -> u64 {
        self.used += 1;
        573_000_000_000 + self.used
    }

    /// Sends to [`MESSAGES`] users of each conversation, and waits until the provider got all.
    async fn send(&mut self, conversations: &[String]) -> Result<Sent> {
        let before = self.provider.counters().calls;
        let begin = Instant::now();
        for conversation in conversations {
            let users: Vec<_> = (0..MESSAGES).map(|_| json!({ "phone": format!("+{}", self.phone()) })).collect();
            let document =
                "mutation($input: SendConversationInput!) { sendConversation(input: $input) { send { id } } }";
            let input = json!({ "conversationId": conversation, "users": users });
            self.ask(document, &json!({ "input": input })).await?;
        }
        let first = self.reaches(before + 1).await?;
        let all = MESSAGES * u64::try_from(conversations.len())?;
        let last = self.reaches(before + all).await?;
        #[expect(clippy::cast_precision_loss, reason = "no run has that many messages")]
        let per_second = (all - 1) as f64 / (last - first).as_secs_f64();
        Ok(Sent { first: first - begin, per_second })
    }

    /// Waits until the provider was called so often, and tells when that was.
    async fn reaches(&self, calls: u64) -> Result<Instant> {
        let begin = Instant::now();
        while self.provider.counters().calls < calls {
            if begin.elapsed() > PATIENCE {
                return Err("the messages do not go out".into());
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        Ok(Instant::now())
    }

    /// Recounts everything where that is wanted, and clears up.
    async fn strike(self, options: &Options) -> Result<()> {
        drop(self.server);
        self.provider.shutdown().await;
        if options.verify {
            let storage = storage::Database::connect(&self.database.url, 2).await?;
            let found = storage::verify::run(&storage, |_| {}).await?;
            say(format!("verify: {} users recounted, {} differences", found.users, found.differences.len()));
        }
        self.database.remove().await
    }
}
