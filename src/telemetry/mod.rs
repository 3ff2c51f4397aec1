//! What operators see of the running server. Logs go to standard error and are quiet by default.
//!
//! A log line is a fixed message with dotted fields. It never holds a phone number, a message's text, a token or a
//! payload; so a panic is logged with its location alone, since its message may quote what was being processed.

mod causes;
pub mod metrics;
mod request_id;

use std::io;
use std::panic::PanicHookInfo;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::ParseError;

pub use causes::causes;
pub use request_id::RequestId;

use crate::config::{LogFormat, LogSettings};

/// Logs could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The level is not valid.
    #[error("log.level is not valid")]
    Level(#[from] ParseError),
    /// They are already set up.
    #[error("logging is already set up")]
    Twice,
}

/// Begins to log, for the whole process.
pub fn install(settings: &LogSettings) -> Result<(), TelemetryError> {
    let filter = EnvFilter::try_new(&settings.level)?;
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
    match settings.format {
        LogFormat::Text => lines.with_ansi(false).try_init(),
        LogFormat::Json => lines.json().flatten_event(true).try_init(),
    }
    .map_err(|_| TelemetryError::Twice)?;
    std::panic::set_hook(Box::new(log_panic));
    Ok(())
}

fn log_panic(panic: &PanicHookInfo<'_>) {
    let place = panic.location().map(ToString::to_string).unwrap_or_default();
    tracing::error!(panic.place = place, "panicked");
}
