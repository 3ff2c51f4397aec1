//! A swarm: thousands of sockets on one node that watch ten versions while facts arrive.
//!
//! Nine of ten sockets follow metrics, half of these every 250 ms and half every second; one of ten follows every change. In
//! another storm some of the latter do not read while facts arrive, and some reconnect again and again. In the end every client of metrics
//! must show what a query shows, and every client of changes must have been given every revision once and in order;
//! otherwise the benchmark fails.

mod client;
mod polling;
mod storm;

use std::sync::Arc;

use bluetick::auth::create_token;
use bluetick::domain::clock::SystemClock;
use bluetick::storage;

use self::client::{Behaviour, Kind as Client};
use self::storm::{Outcome, Storm, Swarm};
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
/// How many sockets are few: ten on each version, of every kind.
const FEW: usize = 100;
/// How often facts are told: to few, to all, and to all with chaos, to watchers and pollers that are compared, and another node.
const STORMS: u64 = 6;
/// How many facts a second load nobody.
const FEW_FACTS: u64 = 100;

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
    for (sockets, chaos) in [(FEW, false), (options.swarm_sockets, false), (options.swarm_sockets, true)] {
        let outcome = Storm::over(&stage, options, stage.swarm(client::mixture(sockets, chaos), options)).await?;
        say(outcome.line(&format!("{sockets} sockets{}", if chaos { ", some stalled or reconnecting" } else { "" })));
        outcomes.push(outcome);
    }
    if let [few, all, chaos] = outcomes.as_slice() {
        report(few, all, options, table);
        table.figure("p99 of the others, where some stall or reconnect", [chaos.latency_ms(0.99)], Aim::None);
        compare_with_polling(&stage, few, options, table).await?;
        // On SQLite nobody counts the transactions, and there is one node.
        if kind == Kind::Postgres {
            let statements = all.transactions_per_second / few.transactions_per_second;
            let sockets = options.swarm_sockets;
            table.ratio(&format!("transactions a second, {sockets} sockets ÷ {FEW}"), [statements], Aim::AtMost(1.1));
            watch_from_another_node(&stage, options, table).await?;
        }
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
}

/// As many clients that poll what the others watch, with the same facts arriving.
async fn compare_with_polling(stage: &Stage, few: &Outcome, options: &Options, table: &mut Table) -> Result<()> {
    let count = options.swarm_pollers;
    let kinds = vec![Client::Metrics { every_ms: 1_000 }; count];
    let watching = Storm::over(stage, options, stage.swarm(kinds, options)).await?;
    say(watching.line(&format!("{count} sockets of metrics, every second")));
    let polling = polling::over(stage, options, count).await?;
    say(polling.line(&format!("{count} pollers, every second")));
    let ratio = polling.cpu_share() / watching.cpu_share();
    table.ratio(&format!("CPU with {count} clients that poll ÷ that watch"), [ratio], Aim::None);
    let beyond = |outcome: &Outcome| (outcome.cpu_share() - few.cpu_share()).max(0.0);
    table.figure("processors beyond those of the facts: polling", [beyond(&polling)], Aim::None);
    table.figure("the same: watching", [beyond(&watching)], Aim::None);
    table.figure("how old a polled figure is: p50, in milliseconds", [polling.latency_ms(0.5)], Aim::None);
    Ok(())
}

/// A few clients on a second node, while the first one takes little in.
async fn watch_from_another_node(stage: &Stage, options: &Options, table: &mut Table) -> Result<()> {
    let node = Server::bluetick(&stage.database.url, stage.database.name.as_deref()).await?;
    let kinds = vec![Client::Changes(Behaviour::Steady); VERSIONS as usize];
    let swarm = Swarm { kinds, node: node.address, facts_per_second: FEW_FACTS };
    let outcome = Storm::over(stage, options, swarm).await?;
    say(outcome.line("on another node, unloaded"));
    table.figure("to a frame of another node, unloaded: p50, in milliseconds", [outcome.latency_ms(0.5)], Aim::None);
    table.figure("the same: p99", [outcome.latency_ms(0.99)], Aim::AtMost(100.0));
    Ok(())
}

impl Stage {
    async fn set(kind: Kind, options: &Options) -> Result<Self> {
        let database = Database::make(kind).await?;
        let storage = storage::Database::connect(&database.url, 2).await?;
        storage.migrate().await?;
        let mut tokens = Vec::new();
        for _ in 0..VERSIONS {
            let new = create_token(&storage, &SystemClock, "swarm", "read,personal".parse()?).await?;
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

    /// A swarm on the node where the facts arrive.
    const fn swarm(&self, kinds: Vec<Client>, options: &Options) -> Swarm {
        Swarm { kinds, node: self.server.address, facts_per_second: options.swarm_facts }
    }

    /// Recounts everything where that is wanted, and clears up.
    async fn strike(self, options: &Options) -> Result<()> {
        drop((self.server, self.pool));
        self.database.finish(options.verify).await
    }
}
