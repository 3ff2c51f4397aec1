//! A swarm: thousands of sockets on one node that watch ten versions while facts arrive.
//!
//! Nine of ten sockets follow metrics, half of these every 250 ms and half every second; one of ten follows every change. Of
//! the latter some stop reading for the whole storm, and some reconnect again and again. In the end every client of metrics
//! must show what a query shows, and every client of changes must have been given every revision once and in order;
//! otherwise the benchmark fails.

mod client;
mod polling;
mod storm;

use std::sync::Arc;

use bluetick::auth::create_token;
use bluetick::domain::clock::SystemClock;
use bluetick::storage;

use self::client::Kind as Client;
use self::storm::{Outcome, Storm};
use crate::Result;
use crate::database::{Database, Kind, Pool};
use crate::options::Options;
use crate::payload::Facts;
use crate::process::Server;
use crate::report::{Aim, Table, say};
use crate::seed::{Loaded, Loader, Story};
use crate::world::PHONE_NUMBER_ID;

/// How many versions are watched.
const VERSIONS: u32 = 10;
/// How often facts are told: three sizes of the swarm, and watchers and pollers that are compared.
const STORMS: u64 = 5;

/// A node, and what is watched on it.
struct Stage {
    database: Database,
    server: Server,
    pool: Pool,
    /// Each with a token of its own, since a token may open a limited number of sockets.
    watched: Vec<Watched>,
}

/// A version that is watched.
#[derive(Clone)]
struct Watched {
    version: Loaded,
    facts: Facts,
    token: Arc<str>,
}

/// Measures the swarm on a database of its own.
pub(crate) async fn run(kind: Kind, options: &Options, table: &mut Table) -> Result<()> {
    let stage = Stage::set(kind, options).await?;
    let mut outcomes = Vec::new();
    for sockets in [10, 1_000, options.swarm_sockets] {
        let outcome = Storm::over(&stage, options, client::mixture(sockets)).await?;
        say(outcome.line(&format!("{sockets} sockets")));
        outcomes.push(outcome);
    }
    if let [few, _, all] = outcomes.as_slice() {
        report(few, all, options, table);
        compare_with_polling(&stage, few, options, table).await?;
    }
    stage.strike(options).await
}

fn report(few: &Outcome, all: &Outcome, options: &Options, table: &mut Table) {
    let sockets = options.swarm_sockets;
    table.figure(&format!("{sockets} sockets: facts a second, told meanwhile"), [all.facts_per_second], Aim::None);
    table.figure("from the record of a change to its frame: p50, in milliseconds", [all.latency_ms(0.5)], Aim::None);
    table.figure("the same: p99", [all.latency_ms(0.99)], Aim::AtMost(500.0));
    table.figure("frames a second", [all.frames_per_second()], Aim::None);
    table.figure("CPU of the server for a frame, in µs", [all.frame_micros(few)], Aim::None);
    table.figure("memory of a socket, in KB", [all.socket_kilobytes(few)], Aim::AtMost(40.0));
    let statements = all.transactions_per_second / few.transactions_per_second;
    table.ratio(&format!("transactions a second, {sockets} sockets ÷ 10"), [statements], Aim::AtMost(1.1));
}

/// As many clients that poll what the others watch, with the same facts arriving. What the facts alone cost is left out.
async fn compare_with_polling(stage: &Stage, few: &Outcome, options: &Options, table: &mut Table) -> Result<()> {
    let count = options.swarm_pollers;
    let watching = Storm::over(stage, options, vec![Client::Metrics { every_ms: 1_000 }; count]).await?;
    say(watching.line(&format!("{count} sockets of metrics, every second")));
    let polling = polling::over(stage, options, count).await?;
    say(polling.line(&format!("{count} pollers, every second")));
    let cost = |outcome: &Outcome| (outcome.cpu_share() - few.cpu_share()).max(0.001);
    table.ratio("CPU of polling ÷ of watching, as many clients", [cost(&polling) / cost(&watching)], Aim::None);
    table.figure("how old a polled figure is: p50, in milliseconds", [polling.latency_ms(0.5)], Aim::None);
    Ok(())
}

impl Stage {
    async fn set(kind: Kind, options: &Options) -> Result<Self> {
        let database = Database::make(kind).await?;
        let storage = storage::Database::connect(&database.url, 2).await?;
        storage.migrate().await?;
        let mut tokens = Vec::new();
        for _ in 0..VERSIONS {
            let new = create_token(&storage, &SystemClock, "swarm", "read".parse()?).await?;
            tokens.push(Arc::from(new.token.expose()));
        }
        let workspace = storage::tokens::list(&storage).await?.pop().ok_or("no workspace")?.workspace.0;
        let mut loader = Loader::new(&database.url).await?;
        let line = loader.line(workspace, PHONE_NUMBER_ID).await?;
        // Three facts of each user, and some to spare.
        let facts = options.swarm_facts * STORMS * (options.swarm_duration().as_secs() + 3);
        let users = facts / u64::from(VERSIONS) / 3 + 100;
        let mut watched = Vec::new();
        for token in tokens {
            let version = loader.version(workspace, line, users, Story::Accepted).await?;
            watched.push(Watched { version, facts: Facts::of(version), token });
        }
        loader.analyze().await?;
        let server = Server::bluetick(&database.url, database.name.as_deref()).await?;
        let pool = Pool::connect(&database.url, 1).await?;
        Ok(Self { database, server, pool, watched })
    }

    /// Recounts everything where that is wanted, and clears up.
    async fn strike(self, options: &Options) -> Result<()> {
        drop((self.server, self.pool));
        if options.verify {
            let storage = storage::Database::connect(&self.database.url, 2).await?;
            let found = storage::verify::run(&storage, |_| {}).await?;
            say(format!("verify: {} users recounted, {} differences", found.users, found.differences.len()));
        }
        self.database.remove().await
    }
}
