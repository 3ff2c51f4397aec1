//! Tests as the runner sees them: by name, one for each database that they run on.

use std::panic::resume_unwind;
use std::time::Duration;

use libtest_mimic::{Completion, Failed, Trial};
use tokio::runtime::{Builder, Runtime};
use tokio::time::timeout;

use super::database::{self, Database, Kind};

/// A test that takes longer hangs.
const LONGEST: Duration = Duration::from_secs(180);

/// What a test begins with, made on a fresh database.
pub(crate) trait Fixture: Send + Sized + 'static {
    fn make(database: Database) -> impl Future<Output = Self> + Send;
}

impl Fixture for Database {
    async fn make(database: Database) -> Self {
        database
    }
}

/// Lists a file's tests: those for both databases, those for one of them, and those that need none.
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
pub(crate) fn on_both_databases<T, F, O>(name: &str, test: T) -> Vec<Trial>
where
    T: FnOnce(F) -> O + Copy + Send + 'static,
    F: Fixture,
    O: Future<Output = ()> + Send + 'static,
{
    vec![on(Kind::Sqlite, name, test), on(Kind::Postgres, name, test)]
}

/// A test of what only PostgreSQL can show.
pub(crate) fn on_postgres<T, F, O>(name: &str, test: T) -> Vec<Trial>
where
    T: FnOnce(F) -> O + Copy + Send + 'static,
    F: Fixture,
    O: Future<Output = ()> + Send + 'static,
{
    vec![on(Kind::Postgres, name, test)]
}

/// A test without a database.
pub(crate) fn without_database<T, O>(name: &str, test: T) -> Vec<Trial>
where
    T: FnOnce() -> O + Send + 'static,
    O: Future<Output = ()> + Send + 'static,
{
    vec![Trial::test(short(name), move || {
        let runtime = runtime()?;
        let outcome = runtime.block_on(runtime.spawn(in_time(async { test().await })));
        finish(outcome)
    })]
}

fn on<T, F, O>(kind: Kind, name: &str, test: T) -> Trial
where
    T: FnOnce(F) -> O + Copy + Send + 'static,
    F: Fixture,
    O: Future<Output = ()> + Send + 'static,
{
    let trial = Trial::ignorable_test(format!("{}::{}", short(name), kind.name()), move || match kind.missing() {
        Some(reason) if kind.is_required() => Err(reason.into()),
        Some(reason) => Ok(Completion::ignored_with(reason)),
        None => run(kind, test).map(|()| Completion::Completed),
    });
    // Where each test is a process of its own, one that ends well has passed: what is to be ignored must be so in the list.
    let alone = database::variable("NEXTEST").is_some();
    trial.with_ignored_flag(alone && kind.missing().is_some() && !kind.is_required())
}

/// Runs a test on a database of its own, which goes even where the test panics.
fn run<T, F, O>(kind: Kind, test: T) -> Result<(), Failed>
where
    T: FnOnce(F) -> O + Copy + Send + 'static,
    F: Fixture,
    O: Future<Output = ()> + Send + 'static,
{
    let database = runtime()?.block_on(Database::create(kind));
    let runtime = runtime()?;
    let made = database.clone();
    let outcome = runtime.block_on(runtime.spawn(in_time(async move { test(F::make(made).await).await })));
    runtime.shutdown_timeout(Duration::from_secs(5));
    self::runtime()?.block_on(database.remove());
    finish(outcome)
}

async fn in_time(test: impl Future<Output = ()>) {
    assert!(timeout(LONGEST, test).await.is_ok(), "the test did not end within {LONGEST:?}");
}

fn finish(outcome: Result<(), tokio::task::JoinError>) -> Result<(), Failed> {
    outcome.map_err(|error| match error.try_into_panic() {
        Ok(panic) => resume_unwind(panic),
        Err(error) => error.into(),
    })
}

fn runtime() -> std::io::Result<Runtime> {
    Builder::new_multi_thread().worker_threads(2).enable_all().build()
}

/// A name without that of the binary.
fn short(name: &str) -> &str {
    name.split_once("::").map_or(name, |(_, name)| name)
}
