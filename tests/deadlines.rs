//! What did not happen in time: deliveries, and answers to calls.

use std::time::Duration;

use bluetick::whatsapp::simulator::{Faults, Outcomes, SimulatorSettings};
use serde_json::{Value, json};

use crate::support::database::Database;
use crate::support::trial::tests;
use crate::support::wait::until;
use crate::support::webhook::{Webhook, status};
use crate::support::workspace::{SEND_CONVERSATION, Workspace, recipients};

tests! {
    on_both_databases: [
        an_undelivered_message_expires_and_a_late_delivery_still_wins,
        the_category_of_the_template_decides_unless_the_send_does,
        an_unanswered_call_is_never_repeated_and_evidence_settles_it,
    ],
}

/// Every phone is off.
fn nobody_is_reached() -> SimulatorSettings {
    let outcomes = Outcomes { undeliverable: 0.0, withheld: 0.0, failed: 0.0, unreachable: 1.0, ..Outcomes::default() };
    SimulatorSettings {
        webhook_url: Some(String::new()),
        app_secret: secret(),
        outcomes,
        ..SimulatorSettings::default()
    }
}

fn secret() -> bluetick::config::Secret {
    bluetick::config::Secret::new(crate::support::webhook::APP_SECRET)
}

async fn an_undelivered_message_expires_and_a_late_delivery_still_wins(database: Database) {
    let (workspace, _provider) = Workspace::with_provider(database, nobody_is_reached()).await;
    let conversation = workspace.conversation("Welcome").await;
    let input = json!({ "conversationId": conversation, "users": recipients(0, 2), "timeToLiveSeconds": 30 });
    workspace.api.change(SEND_CONVERSATION, json!({ "input": input })).await;
    statuses(&workspace, &conversation, &["SENT", "SENT"]).await;
    let sent_at = workspace.server.clock.seconds();
    workspace.server.clock.advance(Duration::from_mins(2));
    statuses(&workspace, &conversation, &["FAILED", "FAILED"]).await;
    let fields =
        "failure { reason code retryable retryAfter message at } deployments { nodes { acceptedAt failedAt } }";
    let user = workspace.users(&conversation, fields).await.remove(0);
    assert_eq!(user["failure"]["reason"], "EXPIRED");
    assert_eq!((&user["failure"]["code"], &user["failure"]["retryable"]), (&Value::Null, &json!(true)));
    assert_eq!(user["failure"]["at"], user["deployments"]["nodes"][0]["failedAt"]);
    let person = workspace.people(&conversation).await.remove(0);
    let delivered = status(&person.wamid, Some(&person.message), "delivered", sent_at + 20);
    workspace.server.post(&Webhook::of("1000").status(delivered).payload()).await;
    statuses(&workspace, &conversation, &["DELIVERED", "FAILED"]).await;
    assert_eq!(workspace.server.differences().await, []);
}

async fn the_category_of_the_template_decides_unless_the_send_does(database: Database) {
    let (workspace, _provider) = Workspace::with_provider(database, nobody_is_reached()).await;
    let template = |category: &str| {
        json!({ "start": "hello", "steps": { "hello": { "template":
        { "name": "welcome", "language": "es", "category": category } } } })
    };
    let line = workspace.line.clone();
    let marketing = workspace.conversation_on(&line, "Offer", "OUTBOUND", template("MARKETING")).await;
    let password = workspace.conversation_on(&line, "Password", "OUTBOUND", template("AUTHENTICATION")).await;
    workspace.send(&marketing, recipients(0, 1)).await;
    workspace.send(&password, recipients(0, 1)).await;
    statuses(&workspace, &marketing, &["SENT"]).await;
    statuses(&workspace, &password, &["SENT"]).await;
    workspace.server.clock.advance(Duration::from_mins(15));
    statuses(&workspace, &password, &["FAILED"]).await;
    statuses(&workspace, &marketing, &["SENT"]).await;
    workspace.server.clock.advance(Duration::from_hours(31 * 24));
    statuses(&workspace, &marketing, &["FAILED"]).await;
}

async fn an_unanswered_call_is_never_repeated_and_evidence_settles_it(database: Database) {
    let faults = Faults { silent: 1.0, accepted_anyway: 0.0, ..Faults::default() };
    let settings = SimulatorSettings { faults, ..SimulatorSettings::default() };
    let (workspace, provider) = Workspace::with_provider_and(
        database,
        settings,
        &[("whatsapp.access_token", "token"), ("whatsapp.timeout_seconds", "1")],
    )
    .await;
    let conversation = workspace.conversation("Welcome").await;
    let send = workspace.send(&conversation, recipients(0, 2)).await;
    until("both were called", async || (provider.counters().calls == 2).then_some(())).await;
    let person = workspace.people(&conversation).await.remove(0);
    let evidence = status("wamid.evidence", Some(&person.message), "sent", workspace.server.clock.seconds());
    workspace.server.post(&Webhook::of("1000").status(evidence).payload()).await;
    statuses(&workspace, &conversation, &["QUEUED", "SENT"]).await;
    workspace.server.clock.advance(Duration::from_mins(16));
    statuses(&workspace, &conversation, &["FAILED", "SENT"]).await;
    workspace.reaches(&send, "COMPLETED").await;
    let metrics = workspace.metrics(&conversation).await;
    assert_eq!(metrics["byFailure"], json!([{ "reason": "OUTCOME_UNKNOWN", "count": 1 }]));
    assert_eq!(provider.counters().calls, 2);
    // The other one was sent as well, as turns out late.
    let person = workspace.people(&conversation).await.remove(1);
    let late = status("wamid.late", Some(&person.message), "sent", workspace.server.clock.seconds() - 900);
    workspace.server.post(&Webhook::of("1000").status(late).payload()).await;
    statuses(&workspace, &conversation, &["SENT", "SENT"]).await;
    assert_eq!(workspace.server.database.count("SELECT count(*) FROM outbox").await, 0);
    assert_eq!(workspace.server.differences().await, []);
}

/// Waits until the users of a conversation have these statuses, in alphabetical order.
async fn statuses(workspace: &Workspace, conversation: &str, expected: &[&str]) {
    until(&format!("the statuses are {expected:?}"), async || {
        let users = workspace.users(conversation, "deploymentStatus").await;
        let mut found: Vec<_> = users.iter().map(|user| user["deploymentStatus"].as_str().unwrap()).collect();
        found.sort_unstable();
        (found == expected).then_some(())
    })
    .await;
}
