//! The command line: one file per command.
//!
//! Exit status 0 where all is well, 1 where the answer is no or the work failed, 2 where the call or the settings are wrong.
//! What a command answers goes to standard output, alone, so that it can be piped; everything else goes to standard error.

mod demo;
mod failure;
mod migrate;
mod schema;
mod send;
mod serve;
mod signal;
mod simulate;
mod token;
mod verify;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use self::failure::Failure;
use crate::config::Settings;
use crate::telemetry;

/// Sends WhatsApp conversations and reports their metrics, live and exact.
#[derive(Parser)]
#[command(name = "bluetick", version)]
struct Arguments {
    /// The settings file; by default the one that `BLUETICK_CONFIG` names, if any.
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    #[command(flatten)]
    Running(Running),
    /// Prints the GraphQL schema, or the JSON Schema of flows.
    Schema(schema::Options),
}

/// Commands that run by the settings.
#[derive(Subcommand)]
enum Running {
    /// Runs the server.
    Serve,
    /// Runs a demonstration that needs no set-up: a server, a simulated provider, and a send in progress.
    Demo(demo::Options),
    /// Brings the database's schema up to date. (`serve` does this too.)
    Migrate,
    /// Creates, lists and revokes API tokens.
    #[command(subcommand)]
    Token(token::Command),
    /// Sends a conversation to the users in a file, through a running server, and follows it until it is completed. Prints
    /// the id of the send.
    Send(send::Options),
    /// Recounts every figure from the facts. If any differs, prints the differences and exits with status 1.
    Verify,
    /// Runs the simulated provider on its own.
    Simulate(simulate::Options),
}

/// Runs the command that the process was called with.
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(arguments) {
        Ok(code) => code,
        Err(failure) => failure.tell(),
    }
}

fn run(arguments: Arguments) -> Result<ExitCode, Failure> {
    match arguments.command {
        // Printing the schema must not depend on the settings.
        Command::Schema(options) => Ok(schema::run(&options)),
        Command::Running(command) => run_with_settings(command, arguments.config.as_deref()),
    }
}

fn run_with_settings(command: Running, config: Option<&Path>) -> Result<ExitCode, Failure> {
    let settings = Settings::load(config).map_err(Failure::wrong_call)?;
    let _traces = telemetry::install(&settings.log, &settings.traces).map_err(Failure::wrong_call)?;
    let runtime = tokio::runtime::Runtime::new().map_err(Failure::failed)?;
    runtime.block_on(async {
        match command {
            Running::Serve => serve::run(settings).await,
            Running::Demo(options) => demo::run(options, settings).await,
            Running::Migrate => migrate::run(&settings).await,
            Running::Token(command) => token::run(command, &settings).await,
            Running::Send(options) => send::run(options, &settings).await,
            Running::Verify => verify::run(&settings).await,
            Running::Simulate(options) => simulate::run(options).await,
        }
    })
}

/// Writes what a command answers.
fn say(line: impl std::fmt::Display) {
    // Whoever stopped reading, such as `head`, has seen enough.
    let _ = writeln!(std::io::stdout(), "{line}");
}

/// Writes what accompanies a command's work.
#[expect(clippy::print_stderr, reason = "progress belongs on standard error, apart from the answer")]
fn note(line: impl std::fmt::Display) {
    eprintln!("{line}");
}
