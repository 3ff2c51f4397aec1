//! Retrying the failed users of a send.

use std::time::Duration;

use bluetick::whatsapp::simulator::{Faults, SimulatorSettings};
use serde_json::{Value, json};

use crate::support::database::Database;
use crate::support::trial::tests;
use crate::support::wait::until;
use crate::support::webhook::{Webhook, failed, status};
use crate::support::workspace::{ARCHIVE_CONVERSATION, Person, RETRY_SEND, Workspace, id_of, recipients};

tests! {
    on_both_databases: [
        the_retryable_are_sent_to_again_and_the_others_are_told_apart,
        a_dry_run_tells_what_a_retry_does,
        reasons_that_are_named_are_retried_whatever_they_are,
        a_retry_that_is_repeated_retries_nobody_twice,
        a_retry_waits_as_long_as_the_provider_wants,
        a_queued_retry_is_canceled_when_the_failed_deployment_turns_out_to_be_delivered,
        a_retry_that_cannot_be_is_refused,
    ],
}

/// A send to four users: one was withheld, one is not on WhatsApp, one was not reached in time, and one read it.
struct Failed {
    workspace: Workspace,
    conversation: String,
    send: String,
    people: Vec<Person>,
}

impl crate::support::trial::Fixture for Failed {
    async fn make(database: Database) -> Self {
        let workspace = Workspace::make(database).await;
        let conversation = workspace.conversation("Welcome").await;
        let send = workspace.send(&conversation, recipients(0, 4)).await;
        let people = workspace.people(&conversation).await;
        let at = workspace.server.clock.seconds();
        let webhook = Webhook::of("1000")
            .status(failed(&people[0].wamid, Some(&people[0].message), 131_049, at))
            .status(failed(&people[1].wamid, Some(&people[1].message), 131_026, at))
            .status(failed(&people[2].wamid, Some(&people[2].message), 131_000, at))
            .status(status(&people[3].wamid, Some(&people[3].message), "read", at));
        workspace.server.post(&webhook.payload()).await;
        Self { workspace, conversation, send, people }
    }
}

impl Failed {
    async fn retry(&self, more: Value) -> Value {
        let mut variables = more;
        variables["id"] = json!(self.send);
        self.workspace.api.change(RETRY_SEND, variables).await
    }

    /// The users of the conversation, by the order of their phones.
    async fn statuses(&self) -> Vec<String> {
        let mut users = self.workspace.users(&self.conversation, "phone deploymentStatus").await;
        users.sort_by_key(|user| user["phone"].to_string());
        users.iter().map(|user| user["deploymentStatus"].as_str().unwrap().to_owned()).collect()
    }

    /// Makes a retry, and waits until its deployments are there.
    async fn retried(&self, more: Value) -> String {
        let send = id_of(&self.retry(more).await["send"]);
        until("the retry is prepared", async || (self.workspace.state(&send).await != "PREPARING").then_some(())).await;
        send
    }
}

fn group(reason: &str, outcome: &str, count: i64) -> Value {
    json!({ "reason": reason, "outcome": outcome, "count": count })
}

async fn the_retryable_are_sent_to_again_and_the_others_are_told_apart(made: Failed) {
    let payload = made.retry(json!({})).await;
    let groups = json!([
        group("UNDELIVERABLE", "NOT_RETRYABLE", 1),
        group("WITHHELD", "RETRIED", 1),
        group("PROVIDER_ERROR", "RETRIED", 1),
    ]);
    assert_eq!(payload["retries"], groups);
    let retry = id_of(&payload["send"]);
    until("both are queued", async || (made.workspace.progress(&retry).await.get("QUEUED") == Some(&2)).then_some(()))
        .await;
    assert_eq!(made.statuses().await, ["QUEUED", "FAILED", "QUEUED", "READ"]);
    let document = "query($id: ID!) { send(id: $id) { totalUsers state retryOf { id } version { number } } }";
    let found = made.workspace.api.ask_one(document, json!({ "id": retry })).await;
    let expected =
        json!({ "totalUsers": 2, "state": "SENDING", "retryOf": { "id": made.send }, "version": { "number": 1 } });
    assert_eq!(found, expected);
    let metrics = made.workspace.metrics(&made.conversation).await;
    assert_eq!((&metrics["totalUsers"], &metrics["totalDeployments"]), (&json!(4), &json!(6)));
    assert_eq!(made.workspace.server.differences().await, []);
}

async fn a_dry_run_tells_what_a_retry_does(made: Failed) {
    let dry = made.retry(json!({ "dryRun": true })).await;
    assert_eq!(dry["send"], Value::Null);
    assert_eq!(made.workspace.metrics(&made.conversation).await["totalDeployments"], 4);
    let wet = made.retry(json!({})).await;
    assert_eq!((&dry["retries"], &dry["conversation"]), (&wet["retries"], &wet["conversation"]));
    assert!(wet["send"].is_object());
}

async fn reasons_that_are_named_are_retried_whatever_they_are(made: Failed) {
    let payload = made.retry(json!({ "reasons": ["UNDELIVERABLE"] })).await;
    let groups = json!([
        group("UNDELIVERABLE", "RETRIED", 1),
        group("WITHHELD", "NOT_NAMED", 1),
        group("PROVIDER_ERROR", "NOT_NAMED", 1),
    ]);
    assert_eq!(payload["retries"], groups);
    until("it is queued", async || (made.statuses().await == ["FAILED", "QUEUED", "FAILED", "READ"]).then_some(()))
        .await;
}

async fn a_retry_that_is_repeated_retries_nobody_twice(made: Failed) {
    let payload = made.retry(json!({ "idempotencyKey": "once" })).await;
    let first = id_of(&payload["send"]);
    // Not even at once, before its deployments are made.
    assert_eq!(made.retry(json!({})).await["send"], Value::Null);
    assert_eq!(made.retried(json!({ "idempotencyKey": "once" })).await, first);
    let again = made.retry(json!({})).await;
    assert_eq!(again["send"], Value::Null);
    let groups = json!([
        group("UNDELIVERABLE", "NOT_RETRYABLE", 1),
        group("WITHHELD", "SENT_AGAIN", 1),
        group("PROVIDER_ERROR", "SENT_AGAIN", 1),
    ]);
    assert_eq!(again["retries"], groups);
    assert_eq!(made.workspace.metrics(&made.conversation).await["totalDeployments"], 6);
    let other = json!({ "id": made.send, "reasons": ["UNDELIVERABLE"], "idempotencyKey": "once" });
    let refused = made.workspace.api.ask_one(RETRY_SEND, other).await;
    assert_eq!(refused["userErrors"][0]["code"], "CONFLICT");
    assert_eq!(refused["userErrors"][0]["field"], json!(["idempotencyKey"]));
}

async fn a_retry_waits_as_long_as_the_provider_wants(database: Database) {
    let faults = Faults { refused: 1.0, refusal_codes: vec![131_049], ..Faults::default() };
    let settings = SimulatorSettings { faults, ..SimulatorSettings::default() };
    let (workspace, provider) = Workspace::with_provider(database, settings).await;
    let conversation = workspace.conversation("Welcome").await;
    let send = workspace.send(&conversation, recipients(0, 1)).await;
    workspace.reaches(&send, "COMPLETED").await;
    provider.set_faults(Faults::default()).unwrap();
    let payload = workspace.api.change(RETRY_SEND, json!({ "id": send })).await;
    let retry = id_of(&payload["send"]);
    until("it is queued", async || (workspace.progress(&retry).await.get("QUEUED") == Some(&1)).then_some(())).await;
    let fields = "deployments { nodes { queuedAt failedAt failure { retryAfter } } }";
    let user = workspace.user(&conversation, fields).await;
    let deployments = &user["deployments"]["nodes"];
    assert_eq!(deployments[0]["queuedAt"], deployments[1]["failure"]["retryAfter"]);
    // Something else that is sent meanwhile shows that the line would send.
    let other = workspace.conversation("Other").await;
    workspace.send(&other, recipients(1, 1)).await;
    workspace.accepted_people(&other).await;
    assert_eq!(provider.counters().calls, 2);
    workspace.server.clock.advance(Duration::from_hours(25));
    workspace.reaches(&retry, "COMPLETED").await;
    assert_eq!(provider.counters().calls, 3);
}

async fn a_queued_retry_is_canceled_when_the_failed_deployment_turns_out_to_be_delivered(made: Failed) {
    let retry = made.retried(json!({})).await;
    let person = &made.people[0];
    let at = made.workspace.server.clock.seconds();
    let delivered = status(&person.wamid, Some(&person.message), "delivered", at);
    made.workspace.server.post(&Webhook::of("1000").status(delivered).payload()).await;
    let users =
        made.workspace.users(&made.conversation, "phone failure { reason } deployments { nodes { status } }").await;
    let user = users.iter().find(|user| user["phone"] == json!(person.phone)).unwrap();
    assert_eq!(user["failure"]["reason"], "CANCELED");
    assert_eq!(user["deployments"]["nodes"], json!([{ "status": "FAILED" }, { "status": "DELIVERED" }]));
    let expected = [("FAILED", 1), ("QUEUED", 1)].map(|(name, count)| (name.to_owned(), count));
    assert_eq!(made.workspace.progress(&retry).await, expected.into());
    assert_eq!(made.workspace.server.database.count("SELECT count(*) FROM outbox").await, 1);
    assert_eq!(made.workspace.server.differences().await, []);
}

async fn a_retry_that_cannot_be_is_refused(made: Failed) {
    let refusal = async |variables: Value| {
        let payload = made.workspace.api.ask_one(RETRY_SEND, variables).await;
        assert_eq!((&payload["send"], &payload["retries"]), (&Value::Null, &Value::Null));
        let error = &payload["userErrors"][0];
        (error["code"].as_str().unwrap().to_owned(), error["field"][0].as_str().unwrap().to_owned())
    };
    let expected = |code: &str, field: &str| (code.to_owned(), field.to_owned());
    assert_eq!(refusal(json!({ "id": made.conversation })).await, expected("NOT_FOUND", "id"));
    assert_eq!(refusal(json!({ "id": made.send, "reasons": [] })).await, expected("INVALID", "reasons"));
    let key = "k".repeat(1_000);
    let long = json!({ "id": made.send, "idempotencyKey": key });
    assert_eq!(refusal(long).await, expected("INVALID", "idempotencyKey"));
    made.workspace.api.change(ARCHIVE_CONVERSATION, json!({ "id": made.conversation })).await;
    assert_eq!(refusal(json!({ "id": made.send })).await, expected("CONFLICT", "id"));
}
