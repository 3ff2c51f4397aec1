//! Bluetick measured against the practical limit: a hand-written axum and sqlx handler that answers the same JSON.
//!
//! `cargo run --release -p bench` makes a database, loads versions of several sizes, starts Bluetick and the limit as
//! processes of their own, and drives both alternately. Absolute figures depend on the machine and on what else it does;
//! ratios of what was measured within one run hold. `--help` lists what can be chosen.
//!
//! The program plays three roles: started as `bench serve` it is the Bluetick server, the very same code as the program
//! `bluetick`; as `bench limit` it is the limit; otherwise it measures the other two.

mod compare;
mod cpu;
mod database;
mod dispatch;
mod drive;
mod figures;
mod flows;
mod ingest;
mod limit;
mod options;
mod payload;
mod posting;
mod process;
mod reads;
mod report;
mod requests;
mod seed;
mod stage;
mod swarm;
mod watch;
mod world;

use std::process::ExitCode;

use clap::Parser;

use crate::options::{Options, Role};
use crate::report::say;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// What anything here fails with: nobody tells errors of a benchmark apart.
type Result<T, E = Box<dyn std::error::Error + Send + Sync>> = std::result::Result<T, E>;

fn main() -> ExitCode {
    if std::env::args().nth(1).as_deref() == Some("serve") {
        return bluetick::cli::main();
    }
    match run(Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(format!("failed: {error}"));
            ExitCode::FAILURE
        }
    }
}

fn run(options: Options) -> Result<()> {
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(async {
        match options.role {
            Some(Role::Limit { url, listen }) => limit::serve(&url, &listen).await,
            None => measure(&options).await,
        }
    })
}

async fn measure(options: &Options) -> Result<()> {
    let mut tables = Vec::new();
    for kind in options.database.kinds() {
        let mut table = report::Table::of(kind);
        if options.only.iter().any(|part| part.is_compared()) {
            compare(kind, options, &mut table).await?;
        }
        if options.wants(options::Part::Dispatch) {
            dispatch::run(kind, options, &mut table).await?;
        }
        if options.wants(options::Part::Flows) {
            flows::run(kind, options, &mut table).await?;
        }
        if options.wants(options::Part::Swarm) {
            swarm::run(kind, options, &mut table).await?;
        }
        tables.push(table);
    }
    report::summary(&tables);
    Ok(())
}

/// Measures Bluetick and the limit by turns, on the same loaded database.
async fn compare(kind: database::Kind, options: &Options, table: &mut report::Table) -> Result<()> {
    let world = world::World::make(kind, options).await?;
    if options.wants(options::Part::Reads) {
        reads::run(&world, options, table).await?;
    }
    if options.wants(options::Part::Watch) {
        watch::run(&world, options, table).await?;
    }
    if options.wants(options::Part::Ingest) {
        ingest::run(&world, options, table).await?;
    }
    world.finish(options).await
}
