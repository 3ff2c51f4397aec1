//! Tests of the reads, and of the simple writes, on a database of each kind: rows go in as entities and come out through
//! the functions that the layers above call.

mod changes;
mod conversations;
mod database;
mod erasure;
mod filters;
mod histories;
mod lines;
mod metrics;
mod pages;
mod plans;
mod seed;
mod statistics;
mod tokens;
mod users;
mod writing;

/// Makes two tests of each function: on SQLite, and on PostgreSQL where there is a server.
macro_rules! on_both_databases {
    ($($test:ident),+ $(,)?) => {
        $(
            mod $test {
                use crate::storage::tests::database::{run_on_postgres, run_on_sqlite};

                #[test]
                fn on_sqlite() {
                    run_on_sqlite(super::$test);
                }

                #[test]
                #[ignore = "needs PostgreSQL: set TEST_DATABASE_URL"]
                fn on_postgres() {
                    run_on_postgres(super::$test);
                }
            }
        )+
    };
}

use on_both_databases;
