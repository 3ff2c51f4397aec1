//! Tests as the runner sees them: by name, one for each database that they run on.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::Duration;

use libtest_mimic::{Completion, Failed, Trial};
use tokio::runtime::{Builder, Runtime};
use tokio::time::timeout;

use super::cluster::Cluster;
use super::database::{self, Database, Kind};

/// A test that takes longer is considered hung, unless `BLUETICK_TEST_MINUTES` allows more.
const TIMEOUT: Duration = Duration::from_mins(3);

/// What a test begins with, made on a fresh database.
pub(crate) trait Fixture: Sized + 'static {
    async fn make(database: Database) -> Self;
}

impl Fixture for Database {
    async fn make(database: Database) -> Self {
        database
    }
}

/// Lists the tests of a file: those for both databases, those for one of them, those with a server
/// of their own, and those without a database.
macro_rules! tests {
    ($($on:ident: [$($test:ident),* $(,)?]),* $(,)?) => {
        pub(crate) fn trials() -> Vec<libtest_mimic::Trial> {
            let lists: Vec<Vec<libtest_mimic::Trial>> = vec![$($($crate::support::trial::$on(
                concat!(module_path!(), "::", stringify!($test)), $test,
            )),*),*];
            lists.into_iter().flatten().collect()
        }
    };
}

pub(crate) use tests;

/// A test for each kind of database.
pub(crate) fn on_both_databases<F: Fixture>(name: &str, test: impl AsyncFn(F) + Copy + Send + 'static) -> Vec<Trial> {
    vec![on(Kind::Sqlite, name, test), on(Kind::Postgres, name, test)]
}

/// A test for PostgreSQL only.
pub(crate) fn on_postgres<F: Fixture>(name: &str, test: impl AsyncFn(F) + Copy + Send + 'static) -> Vec<Trial> {
    vec![on(Kind::Postgres, name, test)]
}

/// A test with a PostgreSQL server of its own.
pub(crate) fn on_a_server_of_its_own(name: &str, test: impl AsyncFn(Cluster) + Copy + Send + 'static) -> Vec<Trial> {
    let run = move || Ok(run(async || test(Cluster::start()).await)?);
    vec![where_possible(Kind::Postgres, name, Cluster::missing(), run)]
}

/// A test without a database.
pub(crate) fn without_database(name: &str, test: impl AsyncFn() + Copy + Send + 'static) -> Vec<Trial> {
    let run = move || run(async || test().await);
    vec![Trial::test(short(name), move || Ok(run()?))]
}

fn on<F: Fixture>(kind: Kind, name: &str, test: impl AsyncFn(F) + Copy + Send + 'static) -> Trial {
    where_possible(kind, name, kind.missing(), move || run_on(kind, test))
}

/// A test that is ignored if something is missing, or fails if that is required.
fn where_possible(
    kind: Kind,
    name: &str,
    missing: Option<&'static str>,
    run: impl FnOnce() -> Result<(), Failed> + Send + 'static,
) -> Trial {
    let trial = Trial::ignorable_test(format!("{}::{}", short(name), kind.name()), move || match missing {
        Some(reason) if kind.is_required() => Err(reason.into()),
        Some(reason) => Ok(Completion::ignored_with(reason)),
        None => run().map(|()| Completion::Completed),
    });
    // Where each test is a process of its own, one that ends well has passed: what is to be ignored must be so in the list.
    let alone = database::variable("NEXTEST").is_some();
    trial.with_ignored_flag(alone && missing.is_some() && !kind.is_required())
}

/// Runs a test on its own database, which is removed even if the test panics.
fn run_on<F: Fixture>(kind: Kind, test: impl AsyncFn(F)) -> Result<(), Failed> {
    let database = runtime()?.block_on(Database::create(kind));
    let made = database.clone();
    let outcome = catch_unwind(AssertUnwindSafe(|| run(async || test(F::make(made.clone()).await).await)));
    runtime()?.block_on(database.remove());
    Ok(outcome.unwrap_or_else(|panic| resume_unwind(panic))?)
}

/// Runs a test, and ends whatever it left running.
fn run(test: impl AsyncFnOnce()) -> std::io::Result<()> {
    let runtime = runtime()?;
    let minutes = database::variable("BLUETICK_TEST_MINUTES").and_then(|text| text.parse().ok());
    let limit = minutes.map_or(TIMEOUT, |minutes: u64| Duration::from_secs(minutes * 60));
    let in_time = async { timeout(limit, test()).await.is_ok() };
    let outcome = catch_unwind(AssertUnwindSafe(|| runtime.block_on(in_time)));
    runtime.shutdown_timeout(Duration::from_secs(5));
    assert!(outcome.unwrap_or_else(|panic| resume_unwind(panic)), "the test did not end within {limit:?}");
    Ok(())
}

fn runtime() -> std::io::Result<Runtime> {
    Builder::new_multi_thread().worker_threads(2).enable_all().build()
}

/// A name without that of the binary.
fn short(name: &str) -> &str {
    name.split_once("::").map_or(name, |(_, name)| name)
}
