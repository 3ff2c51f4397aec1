//! `bluetick schema`.

use std::process::ExitCode;

use clap::Args;

use super::say;
use crate::domain::flow::Flow;
use crate::graphql;

#[derive(Args)]
pub(super) struct Options {
    /// Print the JSON Schema of flows instead.
    #[arg(long)]
    flow: bool,
}

/// Prints a schema.
pub(super) fn run(options: &Options) -> ExitCode {
    if options.flow {
        say(format!("{:#}", Flow::schema()));
    } else {
        say(graphql::sdl().trim_end());
    }
    ExitCode::SUCCESS
}
