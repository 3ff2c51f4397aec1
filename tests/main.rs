//! Bluetick as its clients meet it: a real server on a port of its own, over real HTTP and WebSocket, or the very binary.
//!
//! Every test has a fresh database, and runs once on SQLite and once on PostgreSQL. The server to make databases on is named
//! by `TEST_DATABASE_URL`; without one the tests that need it are ignored, and `scripts/test` starts one. One file per
//! noun, as in the API; what they share is in `support`.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice,
    clippy::unchecked_time_subtraction,
    clippy::unwrap_used,
    reason = "a test fails by panicking, and its harness with it"
)]
#![expect(
    clippy::cast_precision_loss,
    clippy::disallowed_methods,
    clippy::duration_suboptimal_units,
    clippy::print_stderr,
    reason = "tests count little, run beside the server, and speak to whoever watches them"
)]

mod access;
mod architecture;
mod audit;
mod bad_input;
mod cli;
mod conversations;
mod crash;
mod credentials;
mod deadlines;
mod dispatch;
mod erasure;
mod events;
mod flow_chaos;
mod flows;
mod history;
mod hostile;
mod inbound;
mod limits;
mod lines;
mod live;
mod live_chaos;
mod metrics;
mod nodes;
mod operators;
mod opt_out;
mod order;
mod personal;
mod record_facts;
mod retries;
mod send_control;
mod sends;
mod sessions;
mod statements;
mod subscriptions;
mod support;
mod uploads;
mod users;
mod walk;
mod webhooks;

use std::process::ExitCode;

use libtest_mimic::Arguments;

fn main() -> ExitCode {
    let trials = [
        access::trials(),
        architecture::trials(),
        audit::trials(),
        bad_input::trials(),
        cli::trials(),
        conversations::trials(),
        crash::trials(),
        credentials::trials(),
        deadlines::trials(),
        dispatch::trials(),
        erasure::trials(),
        events::trials(),
        flow_chaos::trials(),
        flows::trials(),
        history::trials(),
        hostile::trials(),
        inbound::trials(),
        limits::trials(),
        lines::trials(),
        live::trials(),
        live_chaos::trials(),
        metrics::trials(),
        nodes::trials(),
        operators::trials(),
        opt_out::trials(),
        order::trials(),
        personal::trials(),
        record_facts::trials(),
        retries::trials(),
        send_control::trials(),
        sends::trials(),
        sessions::trials(),
        statements::trials(),
        subscriptions::trials(),
        uploads::trials(),
        users::trials(),
        walk::trials(),
        webhooks::trials(),
    ];
    libtest_mimic::run(&Arguments::from_args(), trials.into_iter().flatten().collect()).exit_code()
}
