//! Sends: submissions of users, and what becomes of them before anybody is called.

use std::time::Duration;

use bluetick::whatsapp::simulator::SimulatorSettings;
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::database::Database;
use crate::support::pages;
use crate::support::trial::tests;
use crate::support::wait::until;
use crate::support::webhook::{Webhook, failed, status};
use crate::support::workspace::{
    ARCHIVE_CONVERSATION, SEND_CONVERSATION, Workspace, flow_with, id_of, inbound_flow, phone, recipients,
};

tests! {
    on_both_databases: [
        a_send_queues_a_deployment_for_each_user,
        ten_thousand_users_are_taken_at_once_and_not_one_more,
        a_phone_given_twice_is_one_user,
        a_number_that_is_none_is_a_failed_user_who_shows_it_as_given,
        a_phone_without_digits_names_its_place_and_nothing_is_stored,
        whatever_is_wrong_with_a_submission_names_its_place,
        a_repeated_key_returns_the_first_send,
        a_key_holds_under_concurrent_calls,
        a_key_is_the_workspaces_own,
        a_repeated_key_answers_alike_whatever_became_of_the_conversation,
        every_fault_of_a_submission_is_told_at_once,
        a_national_number_is_one_of_the_lines_country,
        an_inbound_conversation_cannot_be_sent,
        a_missing_template_parameter_fails_before_any_call,
        a_template_is_filled_from_the_users_variables,
        a_second_send_to_a_user_is_another_deployment,
        facts_of_an_older_deployment_change_neither_the_user_nor_the_figures,
        a_scheduled_send_waits_for_its_time,
        what_is_archived_before_it_leaves_the_queue_is_not_sent,
        an_external_line_waits_for_facts,
        sends_are_paged_the_newest_first,
        sends_to_the_same_users_at_once_lose_nothing,
    ],
}

const SEND: &str = "query($id: ID!) { send(id: $id) { id state totalUsers createdAt scheduledAt completedAt
    conversation { id } version { number } progress { status count } } }";

async fn a_send_queues_a_deployment_for_each_user(workspace: Workspace) {
    let conversation = workspace.conversation("Welcome").await;
    let send = workspace.send(&conversation, recipients(0, 3)).await;
    let found = workspace.api.ask_one(SEND, json!({ "id": send })).await;
    let expected = json!({
        "id": send, "state": "SENDING", "totalUsers": 3, "createdAt": found["createdAt"], "scheduledAt": null,
        "completedAt": null, "conversation": { "id": conversation }, "version": { "number": 1 },
        "progress": progress(&[("QUEUED", 3)]),
    });
    assert_eq!(found, expected);
    let fields =
        "phone whatsappId name deployedAt deploymentStatus failure { reason } stage sessionStatus lastActivityAt
        variables { name } deployments { totalCount nodes { send { id } queuedAt dispatchedAt acceptedAt sentAt } }
        history { nodes { sender kind text payload status providerMessageId at } }";
    for (user, number) in workspace.users(&conversation, fields).await.iter().zip(0..) {
        let at = &found["createdAt"];
        let deployment = json!({ "send": { "id": send }, "queuedAt": at, "dispatchedAt": null, "acceptedAt": null,
            "sentAt": null });
        let template = json!({ "name": "welcome", "language": "es", "parameters": [] });
        let message = json!({ "sender": "COMPANY", "kind": "TEMPLATE", "text": null, "payload": template,
            "status": "QUEUED", "providerMessageId": null, "at": at });
        let expected = json!({
            "phone": phone(number), "whatsappId": null, "name": null, "deployedAt": at, "deploymentStatus": "QUEUED",
            "failure": null, "stage": null, "sessionStatus": null, "lastActivityAt": null, "variables": [],
            "deployments": { "totalCount": 1, "nodes": [deployment] }, "history": { "nodes": [message] },
        });
        assert_eq!(*user, expected);
    }
}

async fn ten_thousand_users_are_taken_at_once_and_not_one_more(workspace: Workspace) {
    let conversation = workspace.conversation("Welcome").await;
    let input = json!({ "conversationId": conversation, "users": recipients(0, 10_001) });
    let payload = workspace.try_send(input).await;
    assert_eq!(payload["userErrors"][0]["code"], "TOO_MANY");
    assert_eq!(payload["userErrors"][0]["field"], json!(["input", "users"]));
    assert_eq!(workspace.metrics(&conversation).await["totalUsers"], 0);
    workspace.send(&conversation, recipients(0, 10_000)).await;
    let metrics = workspace.metrics(&conversation).await;
    assert_eq!((&metrics["totalUsers"], &metrics["inProcess"]), (&json!(10_000), &json!(10_000)));
    assert_eq!(metrics["revision"], 10_000);
    assert_eq!(workspace.server.differences().await, []);
}

async fn a_phone_given_twice_is_one_user(workspace: Workspace) {
    let conversation = workspace.conversation("Welcome").await;
    let spellings = ["+57 300 123 4567", "573001234567", "0057-300-1234567", "+573001234567"];
    let user = |(place, phone): (usize, &str)| json!({ "phone": phone, "variables": [{ "name": "place", "value": place.to_string() }] });
    let users: Value = spellings.into_iter().enumerate().map(user).collect();
    let send = workspace.send(&conversation, users).await;
    let user = workspace.user(&conversation, "phone variable(name: \"place\")").await;
    assert_eq!(user, json!({ "phone": "+573001234567", "variable": "0" }));
    assert_eq!(workspace.api.ask_one(SEND, json!({ "id": send })).await["totalUsers"], 1);
}

async fn a_number_that_is_none_is_a_failed_user_who_shows_it_as_given(workspace: Workspace) {
    let conversation = workspace.conversation("Welcome").await;
    let users = json!([{ "phone": "+57 12" }, { "phone": phone(0) }, { "phone": "call 1-800-FLOWERS now" }]);
    let send = workspace.send(&conversation, users).await;
    let fields = "phone deploymentStatus failure { reason code message retryable retryAfter }
        deployments { nodes { failedAt status } }";
    let users = workspace.users(&conversation, fields).await;
    for given in ["+57 12", "call 1-800-FLOWERS now"] {
        let user = users.iter().find(|user| user["phone"] == given).unwrap_or_else(|| panic!("{given} is not shown"));
        assert_eq!(user["deploymentStatus"], "FAILED");
        assert_eq!(user["failure"]["reason"], "INVALID_PHONE");
        assert_eq!((&user["failure"]["code"], &user["failure"]["retryable"]), (&Value::Null, &json!(false)));
        assert!(user["deployments"]["nodes"][0]["failedAt"].is_string());
    }
    let found = workspace.api.ask_one(SEND, json!({ "id": send })).await;
    assert_eq!(found["progress"], progress(&[("QUEUED", 1), ("FAILED", 2)]));
    let metrics = workspace.metrics(&conversation).await;
    assert_eq!(metrics["byFailure"], json!([{ "reason": "INVALID_PHONE", "count": 2 }]));
    assert_eq!((&metrics["sendFailure"], &metrics["inProcess"]), (&json!(2), &json!(1)));
}

async fn a_phone_without_digits_names_its_place_and_nothing_is_stored(workspace: Workspace) {
    let conversation = workspace.conversation("Welcome").await;
    let users = json!([{ "phone": phone(0) }, { "phone": "nobody" }, { "phone": phone(1) }, { "phone": "" }]);
    let payload = workspace.try_send(json!({ "conversationId": conversation, "users": users })).await;
    assert_eq!(payload["send"], Value::Null);
    let errors = payload["userErrors"].as_array().unwrap();
    let places: Vec<_> = errors.iter().map(|error| (error["code"].clone(), error["field"].clone())).collect();
    let place = |index: &str| (json!("INVALID"), json!(["input", "users", index, "phone"]));
    assert_eq!(places, [place("1"), place("3")]);
    assert_eq!(workspace.metrics(&conversation).await["totalUsers"], 0);
    for table in ["sends", "users", "deployments", "messages", "outbox"] {
        assert_eq!(workspace.server.database.count(&format!("SELECT count(*) FROM {table}")).await, 0, "{table}");
    }
}

async fn whatever_is_wrong_with_a_submission_names_its_place(workspace: Workspace) {
    let conversation = workspace.conversation("Welcome").await;
    let user = |variables: Value| json!([{ "phone": phone(0), "variables": variables }]);
    let many: Value = (0..101).map(|number| json!({ "name": format!("v{number}"), "value": "" })).collect();
    for (users, key, field) in [
        (json!([]), None, json!(["input", "users"])),
        (user(json!([{ "name": "", "value": "a" }])), None, json!(["input", "users", "0", "variables", "0"])),
        (user(json!([{ "name": "a\0", "value": "a" }])), None, json!(["input", "users", "0", "variables", "0"])),
        (user(json!([{ "name": "a", "value": "a\0" }])), None, json!(["input", "users", "0", "variables", "0"])),
        (
            user(json!([{ "name": "a", "value": "v".repeat(1_000_000) }])),
            None,
            json!(["input", "users", "0", "variables", "0"]),
        ),
        (user(many), None, json!(["input", "users", "0", "variables"])),
        (json!([{ "phone": "1\0" }]), None, json!(["input", "users", "0", "phone"])),
        (json!([{ "phone": "1".repeat(1_000_000) }]), None, json!(["input", "users", "0", "phone"])),
        (recipients(0, 1), Some(String::new()), json!(["input", "idempotencyKey"])),
        (recipients(0, 1), Some("k".repeat(1_000_000)), json!(["input", "idempotencyKey"])),
        (recipients(0, 1), Some("k\0".to_owned()), json!(["input", "idempotencyKey"])),
    ] {
        let payload =
            workspace.try_send(json!({ "conversationId": conversation, "users": users, "idempotencyKey": key })).await;
        let errors = payload["userErrors"].as_array().unwrap();
        assert!(!errors.is_empty(), "{field}");
        assert!(starts_with(&errors[0]["field"], &field), "{field}: {errors:?}");
    }
    assert_eq!(workspace.metrics(&conversation).await["totalUsers"], 0);
}

async fn a_repeated_key_returns_the_first_send(workspace: Workspace) {
    let conversation = workspace.conversation("Welcome").await;
    let input = json!({ "conversationId": conversation, "users": recipients(0, 2), "idempotencyKey": "monday" });
    let first = workspace.try_send(input.clone()).await;
    let again = workspace.try_send(input.clone()).await;
    assert_eq!(id_of(&again["send"]), id_of(&first["send"]));
    let mut other = input;
    other["users"] = recipients(0, 3);
    let payload = workspace.try_send(other).await;
    assert_eq!(payload["send"], Value::Null);
    assert_eq!(payload["userErrors"][0]["code"], "CONFLICT");
    assert_eq!(payload["userErrors"][0]["field"], json!(["input", "idempotencyKey"]));
    let metrics = workspace.metrics(&conversation).await;
    assert_eq!((&metrics["totalUsers"], &metrics["totalDeployments"]), (&json!(2), &json!(2)));
}

async fn a_key_holds_under_concurrent_calls(workspace: Workspace) {
    let conversation = workspace.conversation("Welcome").await;
    for round in 0..5 {
        let input = json!({ "conversationId": conversation, "users": recipients(0, 20),
            "idempotencyKey": format!("round {round}") });
        let payloads = join_all((0..8).map(|_| workspace.try_send(input.clone()))).await;
        let first = id_of(&payloads[0]["send"]);
        for payload in &payloads {
            assert_eq!(payload["userErrors"], json!([]));
            assert_eq!(id_of(&payload["send"]), first);
        }
    }
    let metrics = workspace.metrics(&conversation).await;
    assert_eq!((&metrics["totalUsers"], &metrics["totalDeployments"]), (&json!(20), &json!(100)));
    assert_eq!(workspace.server.differences().await, []);
}

async fn a_key_is_the_workspaces_own(workspace: Workspace) {
    let conversation = workspace.conversation("Welcome").await;
    let input = |conversation: &str| json!({ "conversationId": conversation, "users": recipients(0, 1), "idempotencyKey": "monday" });
    let ours = workspace.try_send(input(&conversation)).await;
    let stranger = workspace.server.client("stranger", "admin").await;
    crate::support::workspace::create_line(&stranger, "9000", false).await;
    let new = json!({ "name": "Theirs", "direction": "OUTBOUND", "flow": flow_with(&json!([])) });
    let created = stranger.change(crate::support::workspace::CREATE_CONVERSATION, json!({ "input": new })).await;
    let theirs = input(&id_of(&created["conversation"]));
    let theirs = stranger.change(SEND_CONVERSATION, json!({ "input": theirs })).await;
    assert_ne!(id_of(&theirs["send"]), id_of(&ours["send"]));
}

async fn a_repeated_key_answers_alike_whatever_became_of_the_conversation(workspace: Workspace) {
    let conversation = workspace.conversation("Welcome").await;
    let input = json!({ "conversationId": conversation, "users": recipients(0, 2), "idempotencyKey": "monday" });
    let send = workspace.try_send(input.clone()).await;
    workspace.api.change(ARCHIVE_CONVERSATION, json!({ "id": conversation })).await;
    assert_eq!(workspace.try_send(input).await, send);
    let other = json!({ "conversationId": conversation, "users": recipients(0, 3), "idempotencyKey": "monday" });
    assert_eq!(workspace.try_send(other).await["userErrors"][0]["field"], json!(["input", "idempotencyKey"]));
}

async fn every_fault_of_a_submission_is_told_at_once(workspace: Workspace) {
    let conversation = workspace.conversation("Welcome").await;
    let users = json!([
        { "phone": phone(0), "variables": [{ "name": "a\0", "value": "" }] },
        { "phone": "nobody" },
        { "phone": "also nobody", "variables": [{ "name": "", "value": "" }] },
    ]);
    let payload = workspace.try_send(json!({ "conversationId": conversation, "users": users })).await;
    let places: Vec<_> = payload["userErrors"].as_array().unwrap().iter().map(|error| error["field"].clone()).collect();
    for place in [
        json!(["input", "users", "0", "variables", "0"]),
        json!(["input", "users", "1", "phone"]),
        json!(["input", "users", "2", "phone"]),
        json!(["input", "users", "2", "variables", "0"]),
    ] {
        assert!(places.iter().any(|one| starts_with(one, &place)), "{place} in {places:?}");
    }
    assert_eq!(places.len(), 4);
}

async fn a_national_number_is_one_of_the_lines_country(workspace: Workspace) {
    let input = json!({ "phone": "+551130039999", "phoneNumberId": "brazil", "name": "Brazil" });
    let line = workspace.api.change(crate::support::workspace::CREATE_LINE, json!({ "input": input })).await;
    let input = json!({ "name": "Olá", "direction": "OUTBOUND", "flow": flow_with(&json!([])),
        "lineId": line["line"]["id"] });
    let created = workspace.api.change(crate::support::workspace::CREATE_CONVERSATION, json!({ "input": input })).await;
    let conversation = id_of(&created["conversation"]);
    workspace.send(&conversation, json!([{ "phone": "51 98765-4321" }, { "phone": "573001234567" }])).await;
    let mut phones = workspace.user_fields(&conversation, "phone").await;
    phones.sort_by_key(Value::to_string);
    assert_eq!(phones, ["+5551987654321", "+573001234567"]);
}

async fn an_inbound_conversation_cannot_be_sent(workspace: Workspace) {
    let conversation = workspace.conversation_on(&workspace.line, "In", "INBOUND", inbound_flow()).await;
    let payload = workspace.try_send(json!({ "conversationId": conversation, "users": recipients(0, 1) })).await;
    assert_eq!(payload["userErrors"][0]["field"], json!(["input", "conversationId"]));
    assert_eq!(workspace.metrics(&conversation).await["totalUsers"], 0);
}

async fn a_missing_template_parameter_fails_before_any_call(database: Database) {
    let (workspace, provider) = Workspace::with_provider(database, SimulatorSettings::default()).await;
    let flow = flow_with(&json!(["Hi {{first_name}}"]));
    let conversation = workspace.conversation_on(&workspace.line, "Named", "OUTBOUND", flow).await;
    let named = json!([{ "name": "first_name", "value": "Ana" }]);
    let send =
        workspace.send(&conversation, json!([{ "phone": phone(0), "variables": named }, { "phone": phone(1) }])).await;
    let found = until("both have left the queue", async || {
        let found = workspace.api.ask_one(SEND, json!({ "id": send })).await;
        (found["state"] == "COMPLETED").then_some(found)
    })
    .await;
    assert_eq!(found["progress"], progress(&[("ACCEPTED", 1), ("FAILED", 1)]));
    let metrics = workspace.metrics(&conversation).await;
    assert_eq!(metrics["byFailure"], json!([{ "reason": "TEMPLATE_PARAMETERS", "count": 1 }]));
    assert_eq!(provider.counters().calls, 1);
}

async fn a_template_is_filled_from_the_users_variables(workspace: Workspace) {
    let flow = flow_with(&json!(["{{first_name}}", "{{first_name}} of {{city}}, {{ city }}", "as it is"]));
    let conversation = workspace.conversation_on(&workspace.line, "Named", "OUTBOUND", flow).await;
    let variables = json!([
        { "name": "first_name", "value": "Zoë {{city}}" }, { "name": "city", "value": "Bogotá" },
        { "name": "unused", "value": "" },
    ]);
    workspace.send(&conversation, json!([{ "phone": phone(0), "variables": variables }])).await;
    let user = workspace.user(&conversation, "variables { name value } history { nodes { payload } }").await;
    let parameters = &user["history"]["nodes"][0]["payload"]["parameters"];
    assert_eq!(*parameters, json!(["Zoë {{city}}", "Zoë {{city}} of Bogotá, Bogotá", "as it is"]));
    let by_name = json!([{ "name": "city", "value": "Bogotá" }, { "name": "first_name", "value": "Zoë {{city}}" },
        { "name": "unused", "value": "" }]);
    assert_eq!(user["variables"], by_name);
    let document = "query($id: ID!) { conversation(id: $id) { currentVersion { variableNames } } }";
    let found = workspace.api.ask_one(document, json!({ "id": conversation })).await;
    assert_eq!(found["currentVersion"]["variableNames"], json!(["city", "first_name", "unused"]));
}

async fn a_second_send_to_a_user_is_another_deployment(workspace: Workspace) {
    let conversation = workspace.conversation("Welcome").await;
    let first = workspace.send(&conversation, recipients(0, 2)).await;
    let second = workspace.send(&conversation, recipients(1, 2)).await;
    let metrics = workspace.metrics(&conversation).await;
    assert_eq!((&metrics["totalUsers"], &metrics["totalDeployments"]), (&json!(3), &json!(4)));
    let fields = "phone deployments { totalCount nodes { send { id } } } history { totalCount }";
    let users = workspace.users(&conversation, fields).await;
    let twice = users.iter().find(|user| user["phone"] == phone(1)).unwrap();
    let deployments = json!([{ "send": { "id": second } }, { "send": { "id": first } }]);
    assert_eq!(twice["deployments"], json!({ "totalCount": 2, "nodes": deployments }));
    assert_eq!(twice["history"]["totalCount"], 2);
    let document = "query($id: ID!, $send: ID!) { conversation(id: $id) { users(filter: { sendId: $send }) {
        totalCount nodes { phone } } } }";
    let found = workspace.api.ask_one(document, json!({ "id": conversation, "send": first })).await;
    assert_eq!(found["users"], json!({ "totalCount": 1, "nodes": [{ "phone": phone(0) }] }));
}

async fn facts_of_an_older_deployment_change_neither_the_user_nor_the_figures(workspace: Workspace) {
    let conversation = workspace.conversation("Welcome").await;
    let older = workspace.send_to(&conversation, 0, 1).await.remove(0);
    let first_send = workspace.api.ask_one(SENDS, json!({ "id": conversation })).await["sends"]["nodes"][0].clone();
    workspace.send(&conversation, recipients(0, 1)).await;
    let before = workspace.metrics(&conversation).await;
    let at = workspace.server.clock.seconds();
    let read = status(&older.wamid, Some(&older.message), "read", at);
    workspace.server.post(&Webhook::of("1000").status(read).payload()).await;
    let user = workspace.user(&conversation, "deploymentStatus deployments { nodes { status } }").await;
    assert_eq!(user["deploymentStatus"], "QUEUED");
    assert_eq!(user["deployments"]["nodes"], json!([{ "status": "QUEUED" }, { "status": "READ" }]));
    assert_eq!(workspace.metrics(&conversation).await["byStatus"], before["byStatus"]);
    let found = workspace.api.ask_one(SEND, json!({ "id": id_of(&first_send) })).await;
    assert_eq!(found["progress"], progress(&[("READ", 1)]));
    assert_eq!(workspace.server.differences().await, []);
}

async fn a_scheduled_send_waits_for_its_time(database: Database) {
    let (workspace, provider) = Workspace::with_provider(database, SimulatorSettings::default()).await;
    let conversation = workspace.conversation("Welcome").await;
    let due =
        bluetick::domain::clock::Clock::now(&*workspace.server.clock).plus(Duration::from_secs(3_600)).to_string();
    let input = json!({ "conversationId": conversation, "users": recipients(0, 2), "scheduledAt": due });
    let send = id_of(&workspace.try_send(input).await["send"]);
    let found = workspace.api.ask_one(SEND, json!({ "id": send })).await;
    assert_eq!((&found["state"], &found["scheduledAt"]), (&json!("SCHEDULED"), &json!(due)));
    assert_eq!(workspace.user_fields(&conversation, "deployedAt").await, [json!(due), json!(due)]);
    // Another one, due at once, shows that the dispatcher is at work and leaves the first alone.
    let other = workspace.conversation("Now").await;
    workspace.send(&other, recipients(0, 1)).await;
    workspace.accepted_people(&other).await;
    assert_eq!(provider.counters().calls, 1);
    workspace.server.clock.advance(Duration::from_secs(3_600));
    workspace.accepted_people(&conversation).await;
    assert_eq!(provider.counters().calls, 3);
    assert_eq!(workspace.api.ask_one(SEND, json!({ "id": send })).await["state"], "COMPLETED");
}

async fn what_is_archived_before_it_leaves_the_queue_is_not_sent(database: Database) {
    let (workspace, provider) = Workspace::with_provider(database, SimulatorSettings::default()).await;
    let conversation = workspace.conversation("Welcome").await;
    let due = bluetick::domain::clock::Clock::now(&*workspace.server.clock).plus(Duration::from_secs(60)).to_string();
    let input = json!({ "conversationId": conversation, "users": recipients(0, 2), "scheduledAt": due });
    let send = id_of(&workspace.try_send(input).await["send"]);
    workspace.api.change(ARCHIVE_CONVERSATION, json!({ "id": conversation })).await;
    workspace.server.clock.advance(Duration::from_secs(60));
    let found = until("the send is over", async || {
        let found = workspace.api.ask_one(SEND, json!({ "id": send })).await;
        (found["state"] == "COMPLETED").then_some(found)
    })
    .await;
    assert_eq!(found["progress"], progress(&[("FAILED", 2)]));
    let reasons = json!([{ "reason": "CONVERSATION_INACTIVE", "count": 2 }]);
    assert_eq!(workspace.metrics(&conversation).await["byFailure"], reasons);
    assert_eq!(provider.counters().calls, 0);
}

async fn an_external_line_waits_for_facts(database: Database) {
    let (workspace, provider) = Workspace::with_provider(database, SimulatorSettings::default()).await;
    let line = workspace.another_line(true).await;
    let flow = flow_with(&json!([]));
    let conversation = workspace.conversation_on(&line, "External", "OUTBOUND", flow).await;
    let people = workspace.send_to(&conversation, 0, 2).await;
    let other = workspace.conversation("Ours").await;
    workspace.send(&other, recipients(0, 1)).await;
    workspace.accepted_people(&other).await;
    assert_eq!(provider.counters().calls, 1);
    let read = json!({ "deploymentId": people[0].deployment, "status": "READ", "at": "2026-01-01T00:00:00Z" });
    workspace.record(json!([{ "status": read }])).await;
    let metrics = workspace.metrics(&conversation).await;
    assert_eq!((&metrics["read"], &metrics["inProcess"]), (&json!(1), &json!(1)));
    let first = workspace.users(&conversation, "phone history { totalCount }").await;
    assert!(first.iter().all(|user| user["history"]["totalCount"] == 0), "another system writes the history");
}

async fn sends_are_paged_the_newest_first(workspace: Workspace) {
    let conversation = workspace.conversation("Welcome").await;
    let mut sends = Vec::new();
    for number in 0..5 {
        sends.push(workspace.send(&conversation, recipients(number, 1)).await);
    }
    sends.reverse();
    let document = |arguments: &str| {
        format!(
            "query($cursor: String) {{ conversation(id: \"{conversation}\") {{ sends({arguments}) {{ totalCount
               edges {{ cursor node {{ id }} }} pageInfo {{ startCursor endCursor hasNextPage hasPreviousPage }} }} }} }}"
        )
    };
    assert_eq!(pages::read(&workspace.api, &document("first: 2, after: $cursor")).await, sends);
    assert_eq!(pages::read(&workspace.api, &document("last: 2, before: $cursor")).await, sends);
}

async fn sends_to_the_same_users_at_once_lose_nothing(workspace: Workspace) {
    let one = workspace.conversation("One").await;
    let other = workspace.conversation("Other").await;
    let sends = (0..6).map(|number| {
        let conversation = if number % 2 == 0 { &one } else { &other };
        let workspace = &workspace;
        async move {
            let people = workspace.send_to(conversation, number, 50).await;
            let at = workspace.server.clock.seconds();
            let webhook = people.iter().fold(Webhook::of("1000"), |webhook, person| {
                webhook.status(failed(&person.wamid, Some(&person.message), 131_026, at))
            });
            workspace.server.post(&webhook.payload()).await;
        }
    });
    join_all(sends).await;
    for conversation in [&one, &other] {
        let metrics = workspace.metrics(conversation).await;
        assert_eq!((&metrics["totalUsers"], &metrics["totalDeployments"]), (&json!(54), &json!(150)));
    }
    assert_eq!(workspace.server.differences().await, []);
}

const SENDS: &str = "query($id: ID!) { conversation(id: $id) { sends { nodes { id } } } }";

impl Workspace {
    /// One field of everybody in a conversation.
    async fn user_fields(&self, conversation: &str, field: &str) -> Vec<Value> {
        let users = self.users(conversation, field).await;
        users.into_iter().map(|user| user[field].clone()).collect()
    }
}

/// Every status with its count, 0 where none is given.
fn progress(counts: &[(&str, i64)]) -> Value {
    let statuses = ["QUEUED", "ACCEPTED", "HELD", "SENT", "DELIVERED", "READ", "FAILED"];
    let count = |status: &str| counts.iter().find(|(name, _)| *name == status).map_or(0, |(_, count)| *count);
    statuses.into_iter().map(|status| json!({ "status": status, "count": count(status) })).collect()
}

/// Whether a place lies in another.
fn starts_with(place: &Value, outer: &Value) -> bool {
    let (place, outer) = (place.as_array().unwrap(), outer.as_array().unwrap());
    place.starts_with(outer)
}
