//! `bluetick verify`.

use std::process::ExitCode;

use super::failure::Failure;
use super::{note, say};
use crate::app;
use crate::config::Settings;
use crate::storage::verify;

/// Users recounted between two lines of progress.
const PROGRESS_INTERVAL: i64 = 100_000;

/// Recounts everything, and prints what differs.
pub(super) async fn run(settings: &Settings) -> Result<ExitCode, Failure> {
    let database = app::open_database(settings).await?;
    let progress = |users: i64| {
        if users % PROGRESS_INTERVAL == 0 {
            note(format!("{users} users recounted"));
        }
    };
    let found = verify::run(&database, progress).await?;
    for one in &found.differences {
        say(format!("{}  {}  stored {}  counted {}", one.of, one.what, one.kept, one.counted));
    }
    let (versions, users, differences) = (found.versions, found.users, found.differences.len());
    note(format!("{versions} versions and {users} users recounted, {differences} differences"));
    Ok(if differences == 0 { ExitCode::SUCCESS } else { ExitCode::from(1) })
}
