//! Sending, as the provider and the figures see it.

use std::time::{Duration, Instant};

use bluetick::whatsapp::simulator::{Faults, SimulatorSettings};
use serde_json::{Value, json};

use crate::support::database::Database;
use crate::support::trial::tests;
use crate::support::wait::until;
use crate::support::webhook::{Webhook, text};
use crate::support::workspace::{CREATE_LINE, Line, Workspace, flow, id_of, recipients, wa_id};

tests! {
    on_both_databases: [
        a_line_that_the_provider_stops_rests_and_what_was_not_called_counts_as_not_called,
        a_line_keeps_its_rate_over_many_small_sends,
        what_the_provider_asks_to_send_later_is_sent_later_and_once,
    ],
}

async fn a_line_that_the_provider_stops_rests_and_what_was_not_called_counts_as_not_called(database: Database) {
    let faults = Faults { refused: 1.0, refusal_codes: vec![190], ..Faults::default() };
    let settings = SimulatorSettings { faults, ..SimulatorSettings::default() };
    let (workspace, provider) = Workspace::with_provider(database, settings).await;
    let conversation = workspace.conversation("Welcome").await;
    workspace.send(&conversation, recipients(0, 400)).await;
    until("the line was stopped", async || (provider.counters().calls > 0).then_some(())).await;
    // Nobody counts as called once the line has stopped, and it stays so.
    let fields = "phone deployments { nodes { dispatchedAt } }";
    until("nobody counts as called", async || {
        let users = workspace.users(&conversation, fields).await;
        let called = |user: &&Value| !user["deployments"]["nodes"][0]["dispatchedAt"].is_null();
        (users.iter().find(called).is_none()).then_some(())
    })
    .await;
    let calls = provider.counters().calls;
    assert!(calls <= 256, "{calls} calls: no more than are under way at once");
    let at = workspace.server.clock.seconds() + 1;
    let person = workspace.people(&conversation).await.remove(7);
    let unasked = text("wamid.unasked", &wa_id(&person.phone), "Hello?", at);
    workspace.server.post(&Webhook::of("1000").message(unasked).payload()).await;
    let metrics = workspace.metrics(&conversation).await;
    assert_eq!(metrics["byStatus"][0], json!({ "status": "QUEUED", "count": 400 }));
    assert_eq!((&metrics["messagesSent"], &metrics["responses"]), (&json!(0), &json!(0)));
    assert_eq!(provider.counters().calls, calls, "the line rests");
    assert_eq!(workspace.server.differences().await, []);
}

async fn a_line_keeps_its_rate_over_many_small_sends(database: Database) {
    let (workspace, provider) = Workspace::with_provider(database, SimulatorSettings::default()).await;
    let input = json!({ "phone": "+12025550123", "phoneNumberId": "slow", "name": "Slow", "messagesPerSecond": 2 });
    let line = id_of(&workspace.api.change(CREATE_LINE, json!({ "input": input })).await["line"]);
    let line = Line { id: line, phone_number_id: "slow".to_owned() };
    let conversation = workspace.conversation_on(&line, "Slow", "OUTBOUND", flow()).await;
    let begin = Instant::now();
    for number in 0..4 {
        workspace.send(&conversation, recipients(number, 1)).await;
    }
    workspace.accepted_people(&conversation).await;
    assert_eq!(provider.counters().calls, 4);
    // Two a second: the fourth leaves no sooner than one and a half seconds after the first.
    assert!(begin.elapsed() >= Duration::from_millis(1_500), "{:?}", begin.elapsed());
}

async fn what_the_provider_asks_to_send_later_is_sent_later_and_once(database: Database) {
    let faults = Faults { refused: 0.3, refusal_codes: vec![130_429, 131_016], ..Faults::default() };
    let settings = SimulatorSettings { faults, ..SimulatorSettings::default() };
    let (workspace, provider) = Workspace::with_provider(database, settings).await;
    let conversation = workspace.conversation("Welcome").await;
    workspace.send(&conversation, recipients(0, 30)).await;
    let people = workspace.accepted_people(&conversation).await;
    assert!(provider.counters().calls > 30, "some were refused at first");
    for person in people {
        assert!(provider.accepted_times(&person.message) <= 1, "{} was sent to twice", person.phone);
    }
    assert_eq!(workspace.server.differences().await, []);
}
