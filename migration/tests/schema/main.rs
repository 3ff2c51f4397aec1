//! The schema, on both databases. Every test has a fresh database; those on PostgreSQL need a server that may create
//! them, named by `TEST_DATABASE_URL`, and are ignored without one.

mod constraints;
mod database;
mod entities;
mod rows;
mod steps;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Completion, Trial};
use sea_orm::{DbBackend, DbErr};
use tokio::runtime::Runtime;

use database::Database;

macro_rules! on_both_databases {
    ($($module:ident::$test:ident,)*) => {
        vec![$(
            trial(DbBackend::Sqlite, stringify!($test), $module::$test),
            trial(DbBackend::Postgres, stringify!($test), $module::$test),
        )*]
    };
}

fn main() -> ExitCode {
    let trials = on_both_databases![
        steps::up_down_and_up_again_make_the_same_schema,
        steps::a_failing_step_leaves_nothing_behind,
        steps::nodes_that_start_at_once_take_every_step_once,
        entities::entities_and_tables_have_the_same_columns,
        entities::a_row_of_every_table_comes_back_as_it_was_stored,
        constraints::attempts_are_numbered_once_within_a_user,
        constraints::a_user_has_a_failure_reason_exactly_while_failed,
        constraints::a_tally_is_never_negative,
        constraints::a_row_of_an_unknown_workspace_is_refused,
        constraints::a_contact_is_known_by_something,
        constraints::a_failure_is_known_with_its_reason_and_text_or_not_at_all,
        constraints::a_deployment_has_one_first_message_and_any_number_of_others,
        constraints::an_idempotency_key_is_used_once_and_none_any_number_of_times,
        constraints::names_are_ordered_bytewise,
    ];
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

fn trial<F>(backend: DbBackend, name: &str, test: fn(Database) -> F) -> Trial
where
    F: Future<Output = Result<(), DbErr>> + Send + 'static,
{
    let missing = Database::is_missing(backend);
    let trial = Trial::ignorable_test(format!("{name}::{}", backend.as_str()), move || {
        let runtime = Runtime::new()?;
        let Some(database) = runtime.block_on(Database::create(backend))? else {
            return Ok(Completion::ignored_with("TEST_DATABASE_URL is not set"));
        };
        // A task of its own, so that the database goes even where the test panics.
        let outcome = runtime.block_on(runtime.spawn(test(database.clone())));
        runtime.block_on(database.remove())?;
        outcome??;
        Ok(Completion::Completed)
    });
    // Where each test is a process of its own, one that ends well has passed: what is to be ignored must be so in the list.
    trial.with_ignored_flag(missing && std::env::var_os("NEXTEST").is_some())
}
