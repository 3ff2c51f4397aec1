//! `bluetick migrate`.

use std::process::ExitCode;

use super::failure::Failure;
use super::note;
use crate::app;
use crate::config::Settings;

/// Brings the database's schema up to date.
pub(super) async fn run(settings: &Settings) -> Result<ExitCode, Failure> {
    app::open_database(settings).await?;
    note("The database is up to date.");
    Ok(ExitCode::SUCCESS)
}
