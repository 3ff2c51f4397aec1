//! What operators see of the running server. Logs go to standard error and are quiet by default.
//!
//! A log line is a fixed message with dotted fields. It never holds a phone number, a message's text, a token or a
//! payload; so a panic is logged with its location alone, since its message may quote what was being processed.

mod causes;
pub mod metrics;
mod request_id;
pub mod traces;

use std::io;
use std::panic::PanicHookInfo;

use opentelemetry_otlp::ExporterBuildError;
use tracing_subscriber::filter::{FilterExt, ParseError, filter_fn};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer};

pub use causes::causes;
pub use request_id::RequestId;

use self::traces::Traces;
use crate::config::{LogFormat, LogSettings, TraceSettings};

/// Logs could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The level is not valid.
    #[error("log.level is not valid")]
    Level(#[from] ParseError),
    /// Traces cannot be exported.
    #[error("traces.endpoint is not valid")]
    Traces(#[from] ExporterBuildError),
    /// They are already set up.
    #[error("logging is already set up")]
    Twice,
}

/// Begins to log and to trace, for the whole process. Traces end when what is returned is dropped.
pub fn install(log: &LogSettings, traces: &TraceSettings) -> Result<Option<Traces>, TelemetryError> {
    let logged = EnvFilter::try_new(&log.level)?.and(filter_fn(|span| span.target() != traces::TARGET));
    let lines = tracing_subscriber::fmt::layer().with_writer(io::stderr);
    let lines = match log.format {
        LogFormat::Text => lines.with_ansi(false).boxed(),
        LogFormat::Json => lines.json().flatten_event(true).boxed(),
    };
    let traces = Traces::new(traces)?;
    let spans = traces.as_ref().map(|traces| {
        let spans = tracing_opentelemetry::layer().with_tracer(traces.tracer()).with_target(false);
        let spans = spans.with_location(false).with_threads(false).with_tracked_inactivity(false);
        spans.with_filter(filter_fn(|span| span.target() == traces::TARGET))
    });
    let subscriber = tracing_subscriber::registry().with(lines.with_filter(logged)).with(spans);
    subscriber.try_init().map_err(|_| TelemetryError::Twice)?;
    std::panic::set_hook(Box::new(log_panic));
    Ok(traces)
}

fn log_panic(panic: &PanicHookInfo<'_>) {
    let place = panic.location().map(ToString::to_string).unwrap_or_default();
    tracing::error!(panic.place = place, "panicked");
}
