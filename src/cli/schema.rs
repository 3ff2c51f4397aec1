//! `bluetick schema`.

use std::process::ExitCode;

use super::say;
use crate::graphql;

/// Prints the GraphQL schema.
pub(super) fn run() -> ExitCode {
    say(graphql::sdl().trim_end());
    ExitCode::SUCCESS
}
