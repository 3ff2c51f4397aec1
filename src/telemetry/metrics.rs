//! Figures for operators, in Prometheus's format.
//!
//! Until somebody wants to see them, nothing is counted and nothing is kept. Whoever has something to count does it where it happens, by the functions here; so all names, units and labels are in one
//! place. What a label may say is bounded, and never a client's to choose without bound.

use std::collections::HashSet;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use metrics::{Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tokio_util::sync::CancellationToken;

const OPERATIONS: &str = "bluetick_operations_total";
const OPERATION_SECONDS: &str = "bluetick_operation_duration_seconds";
const OPERATION_COST: &str = "bluetick_operation_cost";
const LOADER_KEYS: &str = "bluetick_loader_batch_keys";
const RECORDER_FACTS: &str = "bluetick_recorder_batch_facts";
const RECORDER_QUEUED: &str = "bluetick_recorder_queued_facts";
const WEBHOOK_LAG: &str = "bluetick_webhook_lag_seconds";
const PROVIDER_CALLS: &str = "bluetick_provider_calls_total";
const SOCKETS: &str = "bluetick_sockets";
const CONNECTIONS: &str = "bluetick_database_connections";

/// The bounds of durations, in seconds.
const SECONDS: [f64; 10] = [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0];
/// The bounds of how late a webhook comes, in seconds.
const LAG_SECONDS: [f64; 8] = [1.0, 3.0, 10.0, 60.0, 600.0, 3_600.0, 86_400.0, 604_800.0];
/// The bounds of sizes and costs.
const COUNTS: [f64; 10] = [1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1_000.0, 3_000.0, 10_000.0, 30_000.0];

/// The time between two summings-up.
const UPKEEP_INTERVAL: Duration = Duration::from_secs(5);

/// The most names of operations that are told apart; the rest are one.
const MAX_NAMES: usize = 200;
/// The longest name of an operation that is told.
const MAX_NAME_BYTES: usize = 64;

/// What became of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It was answered without an error.
    Ok,
    /// It was answered with errors.
    Errors,
    /// It was refused before anything was carried out.
    Refused,
    /// It took too long.
    Timeout,
    /// It panicked.
    Panicked,
    /// There was no room for it.
    Busy,
}

/// What has been counted. Cheap to clone.
#[derive(Clone)]
pub struct Exposition(PrometheusHandle);

impl Outcome {
    /// Its name.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Errors => "errors",
            Self::Refused => "refused",
            Self::Timeout => "timeout",
            Self::Panicked => "panicked",
            Self::Busy => "busy",
        }
    }
}

/// Begins to count, for the whole process. Whoever comes later shares what the first began.
pub fn expose() -> Exposition {
    static EXPOSITION: OnceLock<PrometheusHandle> = OnceLock::new();
    Exposition(EXPOSITION.get_or_init(begin).clone())
}

fn begin() -> PrometheusHandle {
    let buckets: [(&str, &[f64]); 5] = [
        (OPERATION_SECONDS, &SECONDS),
        (OPERATION_COST, &COUNTS),
        (LOADER_KEYS, &COUNTS),
        (RECORDER_FACTS, &COUNTS),
        (WEBHOOK_LAG, &LAG_SECONDS),
    ];
    let builder = buckets.into_iter().fold(PrometheusBuilder::new(), |builder, (name, bounds)| {
        // Only an empty list of bounds would be refused.
        builder.set_buckets_for_metric(Matcher::Full(name.to_owned()), bounds).unwrap_or_default()
    });
    let recorder = builder.build_recorder();
    let handle = recorder.handle();
    if metrics::set_global_recorder(recorder).is_err() {
        tracing::warn!("something else counts in this process already");
    }
    describe();
    handle
}

fn describe() {
    describe_counter!(OPERATIONS, "Queries and mutations, by the name of the operation and what became of it");
    describe_histogram!(OPERATION_SECONDS, Unit::Seconds, "How long queries and mutations took");
    describe_histogram!(OPERATION_COST, "The cost of operations that were admitted, as extensions.cost tells it");
    describe_histogram!(LOADER_KEYS, "How many keys were loaded together");
    describe_histogram!(RECORDER_FACTS, "How many facts were recorded in one transaction");
    describe_gauge!(RECORDER_QUEUED, "How many facts wait to be recorded");
    describe_histogram!(WEBHOOK_LAG, Unit::Seconds, "How long after it happened WhatsApp reported something");
    describe_counter!(PROVIDER_CALLS, "Calls to WhatsApp, by what became of them");
    describe_gauge!(SOCKETS, "How many sockets and event streams are open");
    describe_gauge!(CONNECTIONS, "How many connections to PostgreSQL are open, by whether they are in use");
}

impl Exposition {
    /// Everything, in Prometheus's text format.
    pub fn render(&self) -> String {
        self.0.render()
    }

    /// Sums up until `shutdown` what was counted, which would otherwise pile up where nobody looks.
    pub async fn sum_up(self, shutdown: CancellationToken) {
        let mut ticks = tokio::time::interval(UPKEEP_INTERVAL);
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return,
                _ = ticks.tick() => self.0.run_upkeep(),
            }
        }
    }
}

/// An operation has ended. The name of one that was not carried out may be anything, and is not told.
pub fn operation(name: Option<&str>, outcome: Outcome, took: Duration) {
    let name = name.filter(|_| outcome != Outcome::Refused);
    counter!(OPERATIONS, "operation" => label(name), "outcome" => outcome.word()).increment(1);
    histogram!(OPERATION_SECONDS).record(took);
}

/// An operation was admitted.
pub fn cost(cost: usize) {
    histogram!(OPERATION_COST).record(count(cost));
}

/// So many keys were loaded together.
pub fn loaded(keys: usize) {
    histogram!(LOADER_KEYS).record(count(keys));
}

/// So many facts were recorded together.
pub fn recorded(facts: usize) {
    histogram!(RECORDER_FACTS).record(count(facts));
}

/// So many facts wait.
pub fn queued(facts: usize) {
    gauge!(RECORDER_QUEUED).set(count(facts));
}

/// Something was reported so long after it happened.
pub fn webhook_lag(lag: Duration) {
    histogram!(WEBHOOK_LAG).record(lag);
}

/// A call to the provider has ended.
pub fn provider_call(outcome: &'static str) {
    counter!(PROVIDER_CALLS, "outcome" => outcome).increment(1);
}

/// So many sockets and streams are open.
pub fn sockets(open: usize) {
    gauge!(SOCKETS).set(count(open));
}

/// So many connections to the database are in use, and idle.
pub fn connections(used: usize, idle: usize) {
    gauge!(CONNECTIONS, "state" => "used").set(count(used));
    gauge!(CONNECTIONS, "state" => "idle").set(count(idle));
}

/// The name of an operation as a label. Clients choose names, so only so many are told apart.
fn label(name: Option<&str>) -> String {
    static NAMES: Mutex<Option<HashSet<String>>> = Mutex::new(None);
    let Some(name) = name.filter(|name| name.len() <= MAX_NAME_BYTES) else { return "other".to_owned() };
    let mut names = NAMES.lock().unwrap_or_else(PoisonError::into_inner);
    let names = names.get_or_insert_default();
    if names.contains(name) || (names.len() < MAX_NAMES && names.insert(name.to_owned())) {
        return name.to_owned();
    }
    "other".to_owned()
}

#[expect(clippy::cast_precision_loss, reason = "figures are for graphs")]
const fn count(count: usize) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_happened_is_told_with_its_labels_and_names_are_bounded() {
        expose();
        operation(Some("Screen"), Outcome::Ok, Duration::from_millis(5));
        operation(None, Outcome::Errors, Duration::from_millis(5));
        for number in 0..1_000 {
            operation(Some(&format!("Name{number}")), Outcome::Ok, Duration::ZERO);
        }
        operation(Some("+573001234567"), Outcome::Refused, Duration::ZERO);
        let told = expose().render();
        assert!(!told.contains("573001234567"));
        assert!(told.contains("bluetick_operations_total{operation=\"Screen\",outcome=\"ok\"} 1"), "{told}");
        assert!(told.contains("bluetick_operations_total{operation=\"other\",outcome=\"errors\"}"));
        assert!(told.contains("bluetick_operation_duration_seconds_bucket{le=\"0.01\"}"));
        // What is told by no name of its own has a series for each outcome.
        assert!(told.lines().filter(|line| line.starts_with("bluetick_operations_total")).count() <= MAX_NAMES + 3);
    }
}
