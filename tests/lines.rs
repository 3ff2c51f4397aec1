//! Lines.

use std::time::Duration;

use bluetick::whatsapp::simulator::{Faults, SimulatorSettings};
use serde_json::{Value, json};

use crate::support::database::Database;
use crate::support::trial::tests;
use crate::support::wait::until;
use crate::support::webhook::{Webhook, text};
use crate::support::workspace::{
    ARCHIVE_CONVERSATION, CREATE_LINE, RESUME_LINE, UPDATE_LINE, Workspace, create_line, flow, inbound_flow,
    recipients, wa_id,
};

tests! {
    on_both_databases: [
        a_line_is_created_and_listed,
        a_providers_number_belongs_to_one_line_of_all_workspaces,
        a_line_that_cannot_be_is_refused_with_its_place,
        a_line_changes_in_what_is_given_and_nothing_else,
        a_change_that_cannot_be_is_refused_with_its_place,
        a_new_rate_holds_for_what_is_queued_already,
        a_message_of_no_conversation_begins_the_default_one,
        a_stopped_line_tells_why_and_since_when_and_resumes_on_request,
        a_stopped_line_resumes_once_a_probe_gets_through,
        a_restriction_fails_the_message_and_stops_the_line,
    ],
}

async fn a_line_is_created_and_listed(workspace: Workspace) {
    let input = json!({ "phone": "+57 (300) 111-2233", "phoneNumberId": "2000", "name": "Línea ñ" });
    let payload = workspace.api.change(CREATE_LINE, json!({ "input": input })).await;
    let line = json!({ "id": payload["line"]["id"], "phone": "+573001112233", "phoneNumberId": "2000", "name": "Línea ñ",
        "messagesPerSecond": 80, "external": false });
    assert_eq!(payload["line"], line);
    let lines = workspace.api.ask_one("{ lines { id } }", json!({})).await;
    assert_eq!(lines.as_array().unwrap().len(), 2);
    let document = "query($id: ID!) { node(id: $id) { ... on Line {
        id phone phoneNumberId name messagesPerSecond external } } }";
    assert_eq!(workspace.api.ask_one(document, json!({ "id": line["id"] })).await, line);
}

async fn a_providers_number_belongs_to_one_line_of_all_workspaces(workspace: Workspace) {
    let stranger = workspace.server.client("stranger", "admin").await;
    for client in [&workspace.api, &stranger] {
        let input =
            json!({ "phone": "+573001112233", "phoneNumberId": workspace.line.phone_number_id, "name": "Again" });
        let payload = client.ask_one(CREATE_LINE, json!({ "input": input })).await;
        assert_eq!(payload["line"], json!(null));
        assert_eq!(payload["userErrors"][0]["code"], "CONFLICT");
        assert_eq!(payload["userErrors"][0]["field"], json!(["input", "phoneNumberId"]));
    }
    create_line(&stranger, "2000", true).await;
}

async fn a_line_that_cannot_be_is_refused_with_its_place(workspace: Workspace) {
    for (field, value) in [
        ("phone", json!("")),
        ("phone", json!("call me")),
        ("phone", json!("+1")),
        ("phoneNumberId", json!("")),
        ("phoneNumberId", json!("a\0b")),
        ("name", json!(" ")),
        ("name", json!("n".repeat(1_000_000))),
        ("messagesPerSecond", json!(0)),
        ("messagesPerSecond", json!(-1)),
    ] {
        let mut input = json!({ "phone": "+573001112233", "phoneNumberId": "2000", "name": "Line" });
        input[field] = value;
        let payload = workspace.api.ask_one(CREATE_LINE, json!({ "input": input })).await;
        assert_eq!(payload["userErrors"][0]["code"], "INVALID", "{field}");
        assert_eq!(payload["userErrors"][0]["field"], json!(["input", field]));
    }
    assert_eq!(workspace.api.ask_one("{ lines { id } }", json!({})).await.as_array().unwrap().len(), 1);
}

async fn a_line_changes_in_what_is_given_and_nothing_else(workspace: Workspace) {
    let inbound = workspace.conversation_on(&workspace.line, "Service", "INBOUND", inbound_flow()).await;
    let id = &workspace.line.id;
    for (change, expected) in [
        (
            json!({ "name": "Renamed" }),
            json!({ "name": "Renamed", "messagesPerSecond": 1000, "defaultConversation": null }),
        ),
        (
            json!({ "messagesPerSecond": 7, "defaultConversationId": inbound }),
            json!({ "name": "Renamed", "messagesPerSecond": 7, "defaultConversation": { "id": inbound } }),
        ),
        (json!({}), json!({ "name": "Renamed", "messagesPerSecond": 7, "defaultConversation": { "id": inbound } })),
        (
            json!({ "defaultConversationId": null }),
            json!({ "name": "Renamed", "messagesPerSecond": 7, "defaultConversation": null }),
        ),
    ] {
        let (mut input, mut expected) = (change, expected);
        input["id"] = json!(id);
        expected["id"] = json!(id);
        assert_eq!(workspace.api.change(UPDATE_LINE, json!({ "input": input })).await["line"], expected);
    }
}

async fn a_change_that_cannot_be_is_refused_with_its_place(workspace: Workspace) {
    let outbound = workspace.conversation("Welcome").await;
    let other = workspace.another_line(false).await;
    let elsewhere = workspace.conversation_on(&other, "Elsewhere", "INBOUND", inbound_flow()).await;
    let archived = workspace.conversation_on(&workspace.line, "Archived", "INBOUND", inbound_flow()).await;
    workspace.api.change(ARCHIVE_CONVERSATION, json!({ "id": archived })).await;
    for (field, value, code) in [
        ("name", json!(""), "INVALID"),
        ("messagesPerSecond", json!(0), "INVALID"),
        ("messagesPerSecond", json!(1001), "INVALID"),
        ("defaultConversationId", json!(outbound), "INVALID"),
        ("defaultConversationId", json!(elsewhere), "INVALID"),
        ("defaultConversationId", json!(archived), "INVALID"),
        ("defaultConversationId", json!(workspace.line.id), "NOT_FOUND"),
        ("id", json!(outbound), "NOT_FOUND"),
    ] {
        let mut input = json!({ "id": workspace.line.id });
        input[field] = value;
        let payload = workspace.api.ask_one(UPDATE_LINE, json!({ "input": input })).await;
        assert_eq!(payload["userErrors"][0]["code"], code, "{payload}");
        assert_eq!(payload["userErrors"][0]["field"], json!(["input", field]));
        assert_eq!(payload["line"], Value::Null);
    }
    let found = workspace.api.ask_one("{ lines { name messagesPerSecond } }", json!({})).await;
    assert_eq!(found[0], json!({ "name": "Line 1000", "messagesPerSecond": 1000 }));
}

async fn a_new_rate_holds_for_what_is_queued_already(database: Database) {
    let (workspace, provider) = Workspace::with_provider(database, SimulatorSettings::default()).await;
    let line = workspace.line_at(1).await;
    let conversation = workspace.conversation_on(&line, "Welcome", "OUTBOUND", flow()).await;
    let send = workspace.send(&conversation, recipients(0, 300)).await;
    until("the first is called", async || (provider.counters().calls > 0).then_some(())).await;
    // At the old rate it would take five minutes.
    let input = json!({ "id": line.id, "messagesPerSecond": 200 });
    workspace.api.change(UPDATE_LINE, json!({ "input": input })).await;
    workspace.reaches(&send, "COMPLETED").await;
    assert_eq!(provider.counters().calls, 300);
}

async fn a_message_of_no_conversation_begins_the_default_one(workspace: Workspace) {
    let chosen = workspace.conversation_on(&workspace.line, "Chosen", "INBOUND", inbound_flow()).await;
    let newest = workspace.conversation_on(&workspace.line, "Newest", "INBOUND", inbound_flow()).await;
    let at = workspace.server.clock.seconds();
    let write = async |number: usize| {
        let from = wa_id(&crate::support::workspace::phone(number));
        let message = text(&format!("wamid.{number}"), &from, "Hello", at);
        workspace.server.post(&Webhook::of("1000").message(message).payload()).await;
        let users = async |conversation| workspace.metrics(conversation).await["totalUsers"].as_i64().unwrap();
        (users(&chosen).await, users(&newest).await)
    };
    assert_eq!(write(1).await, (0, 1));
    let input = json!({ "id": workspace.line.id, "defaultConversationId": chosen });
    workspace.api.change(UPDATE_LINE, json!({ "input": input })).await;
    assert_eq!(write(2).await, (1, 1));
    workspace.api.change(ARCHIVE_CONVERSATION, json!({ "id": chosen })).await;
    assert_eq!(write(3).await, (1, 2));
}

const STATE: &str = "{ lines { state stateReason stateCode stateSince } }";

/// Every call is rejected with this code.
fn rejecting(code: i32) -> Faults {
    Faults { refused: 1.0, refusal_codes: vec![code], ..Faults::default() }
}

async fn a_stopped_line_tells_why_and_since_when_and_resumes_on_request(database: Database) {
    let settings = SimulatorSettings { faults: rejecting(131_042), ..SimulatorSettings::default() };
    let (workspace, provider) = Workspace::with_provider(database, settings).await;
    let found = workspace.api.ask_one(STATE, json!({})).await;
    assert_eq!((&found[0]["state"], &found[0]["stateReason"]), (&json!("ACTIVE"), &Value::Null));
    let conversation = workspace.conversation("Welcome").await;
    let send = workspace.send(&conversation, recipients(0, 50)).await;
    let stopped = until("the line is stopped", async || {
        let found = workspace.api.ask_one(STATE, json!({})).await;
        (found[0]["state"] == "STOPPED").then(|| found[0].clone())
    })
    .await;
    assert_eq!(stopped["stateCode"], 131_042);
    assert!(!stopped["stateReason"].as_str().unwrap().is_empty());
    assert_eq!(workspace.progress(&send).await, [("QUEUED".to_owned(), 50)].into());
    provider.set_faults(Faults::default()).unwrap();
    let resumed = workspace.api.change(RESUME_LINE, json!({ "id": workspace.line.id })).await;
    assert_eq!((&resumed["line"]["state"], &resumed["line"]["stateCode"]), (&json!("ACTIVE"), &Value::Null));
    assert!(resumed["line"]["stateSince"].as_str() >= stopped["stateSince"].as_str());
    workspace.reaches(&send, "COMPLETED").await;
    assert_eq!((provider.counters().accepted, provider.counters().duplicates), (50, 0));
}

async fn a_stopped_line_resumes_once_a_probe_gets_through(database: Database) {
    let settings = SimulatorSettings { faults: rejecting(190), ..SimulatorSettings::default() };
    let (workspace, provider) = Workspace::with_provider(database, settings).await;
    let conversation = workspace.conversation("Welcome").await;
    let send = workspace.send(&conversation, recipients(0, 50)).await;
    let state = async || workspace.api.ask_one(STATE, json!({})).await[0].clone();
    until("the line is stopped", async || (state().await["state"] == "STOPPED").then_some(())).await;
    let (since, calls) = (state().await["stateSince"].clone(), provider.counters().calls);
    let probes = async || workspace.server.database.count("SELECT CAST(probes AS bigint) FROM lines").await;
    workspace.server.clock.advance(Duration::from_secs(31));
    until("it was probed", async || (probes().await == 1).then_some(())).await;
    workspace.server.clock.advance(Duration::from_secs(61));
    until("it was probed again", async || (probes().await == 2).then_some(())).await;
    assert_eq!((provider.counters().calls, &state().await["stateSince"]), (calls + 2, &since), "one message a probe");
    provider.set_faults(Faults::default()).unwrap();
    workspace.server.clock.advance(Duration::from_mins(5));
    workspace.reaches(&send, "COMPLETED").await;
    assert_eq!((state().await["state"].clone(), provider.counters().accepted), (json!("ACTIVE"), 50));
}

async fn a_restriction_fails_the_message_and_stops_the_line(database: Database) {
    let settings = SimulatorSettings { faults: rejecting(131_048), ..SimulatorSettings::default() };
    let (workspace, provider) = Workspace::with_provider(database, settings).await;
    let conversation = workspace.conversation("Welcome").await;
    let send = workspace.send(&conversation, recipients(0, 400)).await;
    let state = async || workspace.api.ask_one(STATE, json!({})).await[0]["stateCode"].clone();
    until("the line is stopped", async || (state().await == 131_048).then_some(())).await;
    until("every call is accounted for", async || {
        let progress = workspace.progress(&send).await;
        assert!(progress["QUEUED"] > 0, "{progress:?}");
        (progress.get("FAILED").copied() == i64::try_from(provider.counters().calls).ok()).then_some(())
    })
    .await;
    let metrics = workspace.metrics(&conversation).await;
    assert_eq!(metrics["byFailure"][0]["reason"], "POLICY");
}
