//! Several nodes on one database.

use std::time::Duration;

use bluetick::whatsapp::simulator::{Simulator, SimulatorSettings};
use serde_json::json;
use tokio::net::TcpListener;

use crate::support::database::Database;
use crate::support::lag::LagMeter;
use crate::support::process::{Binary, Process};
use crate::support::trial::{Fixture, tests};
use crate::support::wait::until;
use crate::support::workspace::{Workspace, flow, recipients};

tests! {
    on_postgres: [
        two_nodes_keep_the_rate_of_a_line_also_across_take_overs,
    ],
}

/// The line's rate, and to how many users it sends.
const RATE: usize = 40;
const USERS: usize = 400;

/// By how much calls may come closer together than they were made, without any second exceeding the rate.
const JITTER: Duration = Duration::from_millis(10);

/// A node that sends.
async fn node(database: &Database, provider: &Simulator) -> Binary {
    let mut node = Binary::on(database.clone()).await;
    node.set("BLUETICK_WHATSAPP_BASE_URL", provider.base_url());
    node.set("BLUETICK_WHATSAPP_ACCESS_TOKEN", "token");
    node.set("BLUETICK_DISPATCH_LEASE_SECONDS", "1");
    node.set("BLUETICK_DISPATCH_UNKNOWN_GRACE_SECONDS", "3");
    node
}

async fn called(provider: &Simulator, enough: u64) {
    until("so many are called", async || (provider.counters().calls >= enough).then_some(())).await;
}

async fn two_nodes_keep_the_rate_of_a_line_also_across_take_overs(database: Database) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let provider = Simulator::start(
        listener,
        SimulatorSettings::default(),
        std::sync::Arc::new(bluetick::domain::clock::SystemClock),
    )
    .unwrap();
    // This server has no access token, so it sends nothing itself.
    let workspace = Workspace::make(database.clone()).await;
    let line = workspace.line_at(u32::try_from(RATE).unwrap()).await;
    let nodes = [node(&database, &provider).await, node(&database, &provider).await];
    let mut running: [Process; 2] = [nodes[0].serve().await, nodes[1].serve().await];
    let conversation = workspace.conversation_on(&line, "Welcome", "OUTBOUND", flow()).await;
    let lag = LagMeter::start();
    let send = workspace.send(&conversation, recipients(0, USERS)).await;
    for (take_over, number) in [0, 1, 0, 1].into_iter().enumerate() {
        let enough = 60 * (take_over as u64 + 1);
        called(&provider, enough).await;
        // A node dies, or is suspended and comes back when another one has long taken over.
        if take_over < 2 {
            running[number].kill();
            called(&provider, enough + 30).await;
            running[number] = nodes[number].serve().await;
        } else {
            running[number].suspend(true);
            called(&provider, enough + 30).await;
            running[number].suspend(false);
        }
    }
    workspace.reaches(&send, "COMPLETED").await;
    let (seen, late) = (provider.counters(), lag.worst().saturating_sub(JITTER));
    let blurred = usize::try_from(late.as_micros()).unwrap() * RATE;
    let blurred = blurred.div_ceil(1_000_000);
    let most = seen.max_calls_per_second;
    assert!(most <= RATE + blurred, "{most} calls in a second, of which a lag of {late:?} explains {blurred}");
    assert_eq!(seen.duplicates, 0);
    // Without webhooks, calls that a kill cut off stay unknown, although the provider took some of them.
    let accepted = workspace.progress(&send).await["ACCEPTED"];
    assert!(accepted > 300 && accepted <= i64::try_from(seen.accepted).unwrap(), "{accepted}");
    let document = "query($id: ID!) { send(id: $id) { totalUsers } }";
    assert_eq!(workspace.api.ask_one(document, json!({ "id": send })).await["totalUsers"], USERS);
    assert_eq!(workspace.server.differences().await, []);
}
