//! What can be chosen on the command line.

use std::time::Duration;

use clap::{Parser, Subcommand, ValueEnum};

use crate::database::Kind;

/// Measures Bluetick against a hand-written handler. `BENCH_DATABASE_URL` names a PostgreSQL superuser's database, beside
/// which one is made and dropped again; `postgres://root@127.0.0.1:5432/postgres` where it is not set.
#[derive(Parser)]
#[command(name = "bench")]
pub(crate) struct Options {
    /// On which database.
    #[arg(long, value_enum, default_value = "both")]
    pub(crate) database: Databases,
    /// Users of the versions to load, smallest first; the largest is what most is measured on.
    #[arg(long, value_delimiter = ',', default_value = "1000,100000,1000000")]
    pub(crate) users: Vec<u64>,
    /// Users of the version that facts are recorded of: three facts each.
    #[arg(long, default_value_t = 300_000)]
    pub(crate) ingest_users: u64,
    /// Rows of the list that is uploaded; 0 for none.
    #[arg(long, default_value_t = 1_000_000)]
    pub(crate) list_rows: u64,
    /// How long each is driven in each round.
    #[arg(long, default_value_t = 3.0)]
    pub(crate) seconds: f64,
    /// How often all that are compared take their turn.
    #[arg(long, default_value_t = 5)]
    pub(crate) rounds: usize,
    /// Requests in flight while reads are measured.
    #[arg(long, default_value_t = 16)]
    pub(crate) concurrency: usize,
    /// Subscribers of metrics.
    #[arg(long, default_value_t = 2_000)]
    pub(crate) watchers: usize,
    /// Sockets of the swarm at its largest. Each needs a file descriptor here and one in the server (`ulimit -n`).
    #[arg(long, default_value_t = 10_000)]
    pub(crate) swarm_sockets: usize,
    /// Facts a second that the swarm watches.
    #[arg(long, default_value_t = 1_000)]
    pub(crate) swarm_facts: u64,
    /// How long the swarm watches each time.
    #[arg(long, default_value_t = 20.0)]
    pub(crate) swarm_seconds: f64,
    /// Clients that poll the same figures instead, once a second.
    #[arg(long, default_value_t = 1_000)]
    pub(crate) swarm_pollers: usize,
    /// Users who are in a conversation at once, and answer once a second.
    #[arg(long, default_value_t = 5_000, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) flow_users: u64,
    /// For how many seconds they answer. Beyond some 45 the server holds replies back, as WhatsApp wants it for one user.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) flow_seconds: u64,
    /// Only these parts.
    #[arg(long, value_enum, value_delimiter = ',', default_value = "reads,watch,ingest,dispatch,flows,swarm")]
    pub(crate) only: Vec<Part>,
    /// Recount everything with Bluetick's own `verify` at the end.
    #[arg(long)]
    pub(crate) verify: bool,
    /// Run an external program while each contender is driven (for profiling): called with its name and process id.
    #[arg(long, value_name = "PROGRAM")]
    pub(crate) probe: Option<String>,
    #[command(subcommand)]
    pub(crate) role: Option<Role>,
}

/// On which database.
#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum Databases {
    /// PostgreSQL.
    Postgres,
    /// SQLite.
    Sqlite,
    /// One after the other.
    Both,
}

/// A part of the measurements.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Part {
    /// Queries.
    Reads,
    /// Subscriptions.
    Watch,
    /// Webhooks.
    Ingest,
    /// Sending.
    Dispatch,
    /// Conversations.
    Flows,
    /// Thousands of sockets that watch while facts arrive.
    Swarm,
}

/// What else the program can be.
#[derive(Subcommand)]
pub(crate) enum Role {
    /// The limit: a hand-written server on a database that was loaded before.
    #[command(hide = true)]
    Limit {
        /// The database.
        url: String,
        /// Address and port.
        listen: String,
    },
}

impl Options {
    /// Whether a part is measured.
    pub(crate) fn wants(&self, part: Part) -> bool {
        self.only.contains(&part)
    }

    /// How long the swarm watches each time.
    pub(crate) fn swarm_duration(&self) -> Duration {
        Duration::from_secs_f64(self.swarm_seconds)
    }

    /// How long each is driven in each round.
    pub(crate) fn slice(&self) -> Duration {
        Duration::from_secs_f64(self.seconds)
    }
}

impl Part {
    /// Whether it is measured against the limit, on the database that both share.
    pub(crate) const fn is_compared(self) -> bool {
        matches!(self, Self::Reads | Self::Watch | Self::Ingest)
    }
}

impl Databases {
    /// The databases in turn.
    pub(crate) fn kinds(self) -> Vec<Kind> {
        match self {
            Self::Postgres => vec![Kind::Postgres],
            Self::Sqlite => vec![Kind::Sqlite],
            Self::Both => vec![Kind::Postgres, Kind::Sqlite],
        }
    }
}
