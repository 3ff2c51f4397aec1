//! The command line: one file per command.
//!
//! Exit status 0 where all is well, 1 where the answer is no or the work failed, 2 where the call or the settings are wrong.
//! What a command answers goes to standard output, alone, so that it can be piped; everything else goes to standard error.

mod demo;
mod failure;
mod migrate;
mod schema;
mod serve;
mod signal;
mod simulate;
mod token;
mod verify;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use self::failure::Failure;
use crate::config::Settings;
use crate::telemetry;

/// Sends `WhatsApp` conversations and reports their metrics, live and exact.
#[derive(Parser)]
#[command(name = "bluetick", version)]
struct Arguments {
    /// The settings file. Without it, `BLUETICK_CONFIG` may name one; otherwise the defaults apply.
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Runs the server.
    Serve,
    /// Runs a demonstration that needs no set-up: a server, a simulated provider, and a send in progress.
    Demo(demo::Options),
    /// Brings the database's schema up to date. (`serve` does this too.)
    Migrate,
    /// Prints the GraphQL schema.
    Schema,
    /// Creates, lists and revokes API tokens.
    #[command(subcommand)]
    Token(token::Command),
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
    if matches!(arguments.command, Command::Schema) {
        return Ok(schema::run());
    }
    let settings = Settings::load(arguments.config.as_deref()).map_err(Failure::wrong_call)?;
    telemetry::install(&settings.log).map_err(Failure::wrong_call)?;
    let runtime = tokio::runtime::Runtime::new().map_err(Failure::failed)?;
    runtime.block_on(async {
        match arguments.command {
            Command::Serve => serve::run(settings).await,
            Command::Demo(options) => demo::run(options, settings).await,
            Command::Migrate => migrate::run(&settings).await,
            Command::Schema => Ok(schema::run()),
            Command::Token(command) => token::run(command, &settings).await,
            Command::Verify => verify::run(&settings).await,
            Command::Simulate(options) => simulate::run(options).await,
        }
    })
}

/// Writes what a command answers.
#[expect(clippy::print_stdout, reason = "the answer of a command belongs on standard output")]
fn say(line: impl std::fmt::Display) {
    println!("{line}");
}

/// Writes what accompanies a command's work.
#[expect(clippy::print_stderr, reason = "progress belongs on standard error, apart from the answer")]
fn note(line: impl std::fmt::Display) {
    eprintln!("{line}");
}
