//! What watchers share, how long the log reaches back, and lists that are watched.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::support::database::Database;
use crate::support::server::Server;
use crate::support::trial::tests;
use crate::support::wait::until;
use crate::support::webhook::{Webhook, status};
use crate::support::workspace::{METRICS, Person, Workspace, recipients};

tests! {
    on_both_databases: [
        what_was_recorded_long_ago_leaves_the_log_and_only_then_a_client_cannot_resume,
        a_list_of_conversations_is_told_at_once_and_then_whatever_changes_of_it,
        a_list_that_is_not_named_holds_what_is_not_archived,
        a_list_is_refused_for_what_is_wrong_with_it,
        equal_subscriptions_are_told_the_same_as_different_ones,
    ],
}

const USER_CHANGED: &str = "subscription($id: ID!, $after: Int) {
    userChanged(conversationId: $id, afterRevision: $after) { revision } }";

async fn what_was_recorded_long_ago_leaves_the_log_and_only_then_a_client_cannot_resume(database: Database) {
    let workspace = Workspace::on(Server::start(database.clone(), &[]).await).await;
    let conversation = workspace.conversation("Welcome").await;
    workspace.send(&conversation, recipients(0, 5)).await;
    let clock = Arc::clone(&workspace.server.clock);
    clock.advance(Duration::from_hours(31 * 24));
    workspace.send(&conversation, recipients(5, 2)).await;
    // A node looks for old changes when it starts.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let other = Server::start_on(listener, database, clock, &[]).await;
    let resume = async |after: i64| {
        let variables = json!({ "id": conversation, "after": after });
        workspace.api.subscribe(USER_CHANGED, variables).await
    };
    let count = "SELECT count(*) FROM changes";
    until("the log is trimmed", async || (other.database.count(count).await == 2).then_some(())).await;

    let refused = resume(4).await.refusal().await;
    assert_eq!(refused["extensions"]["code"], "REVISION_TRIMMED");
    assert!(refused["message"].as_str().unwrap().contains("begins after revision 5"), "{refused}");
    let mut changes = resume(5).await;
    for revision in [6, 7] {
        assert_eq!(changes.next().await.unwrap()["revision"], revision);
    }
    assert_eq!(workspace.metrics(&conversation).await["revision"], 7);
    assert_eq!(other.differences().await, []);
    other.shutdown().await;
}

fn conversations_changed() -> String {
    format!(
        "subscription($ids: [ID!]) {{ conversationsChanged(ids: $ids, everyMs: 50) {{ id name metrics {{ {METRICS} }} }} }}"
    )
}

async fn a_list_of_conversations_is_told_at_once_and_then_whatever_changes_of_it(workspace: Workspace) {
    let mut ids = Vec::new();
    for number in 0..3 {
        ids.push(workspace.conversation(&format!("Conversation {number}")).await);
    }
    let people = workspace.send_to(&ids[1], 0, 2).await;
    let named = json!({ "ids": [ids[0], ids[1], ids[1]] });
    let mut frames = workspace.api.subscribe(&conversations_changed(), named).await;
    let mut first = BTreeMap::new();
    for _ in 0..2 {
        let frame = frames.next().await.unwrap();
        first.insert(frame["name"].as_str().unwrap().to_owned(), frame["metrics"]["totalUsers"].clone());
    }
    assert_eq!(first, [("Conversation 0".to_owned(), json!(0)), ("Conversation 1".to_owned(), json!(2))].into());

    // What is not on the list is not told.
    workspace.send(&ids[2], recipients(9, 1)).await;
    read(&workspace, &people[0]).await;
    let frame = frames.next().await.unwrap();
    assert_eq!((&frame["id"], &frame["metrics"]["read"]), (&json!(ids[1]), &json!(1)));
    assert_eq!(frame["metrics"], workspace.metrics(&ids[1]).await);
    // Another version begins with figures of its own.
    workspace.publish(&ids[0]).await;
    let frame = frames.next().await.unwrap();
    assert_eq!((&frame["id"], &frame["metrics"]["versionNumber"]), (&json!(ids[0]), &json!(2)));
}

async fn a_list_that_is_not_named_holds_what_is_not_archived(workspace: Workspace) {
    let (archived, kept) = (workspace.conversation("Old").await, workspace.conversation("New").await);
    let archive = "mutation($id: ID!) { archiveConversation(id: $id) { conversation { id } userErrors { message } } }";
    workspace.api.ask(archive, json!({ "id": archived })).await;
    let mut frames = workspace.api.subscribe(&conversations_changed(), json!({})).await;
    assert_eq!(frames.next().await.unwrap()["id"], json!(kept));
    workspace.send(&kept, recipients(0, 1)).await;
    let frame = frames.next().await.unwrap();
    assert_eq!((&frame["id"], &frame["metrics"]["totalUsers"]), (&json!(kept), &json!(1)));
}

async fn a_list_is_refused_for_what_is_wrong_with_it(workspace: Workspace) {
    let conversation = workspace.conversation("Welcome").await;
    let elsewhere = workspace.server.client("elsewhere", "read").await;
    let document = conversations_changed();
    for (client, ids, code, about) in [
        (&workspace.api, json!(vec![&conversation; 201]), "BAD_USER_INPUT", "at most 200 conversations"),
        (&workspace.api, json!([conversation, "nonsense"]), "BAD_USER_INPUT", "ids.1"),
        (&workspace.api, json!([workspace.line.id]), "NOT_FOUND", "ids"),
        (&elsewhere, json!([conversation]), "NOT_FOUND", "ids"),
    ] {
        let error = client.subscribe(&document, json!({ "ids": ids })).await.refusal().await;
        assert_eq!(error["extensions"]["code"], code, "{error}");
        assert!(error["message"].as_str().unwrap().contains(about), "{error}");
    }
    assert_eq!(workspace.api.subscribe(&document, json!({ "ids": [] })).await.next().await, None);
}

async fn equal_subscriptions_are_told_the_same_as_different_ones(workspace: Workspace) {
    let conversation = workspace.conversation("Welcome").await;
    let people = workspace.send_to(&conversation, 0, 20).await;
    let fields = "revision at kinds deploymentStatus user { id phone name variables { name value } }";
    let document = |name: &str| {
        format!(
            "subscription {name}($id: ID!) {{ userChanged(conversationId: $id, afterRevision: 20) {{ {fields} }} }}"
        )
    };
    let mut watchers = Vec::new();
    for name in ["Equal", "Equal", "Equal", "Another"] {
        watchers.push(workspace.api.subscribe(&document(name), json!({ "id": conversation })).await);
    }
    for person in &people {
        read(&workspace, person).await;
    }
    let mut told = Vec::new();
    for watcher in &mut watchers {
        let mut frames = Vec::new();
        for _ in 0..20 {
            frames.push(watcher.next().await.unwrap());
        }
        told.push(frames);
    }
    let revisions: Vec<_> = told[0].iter().map(|frame| frame["revision"].as_i64().unwrap()).collect();
    assert_eq!(revisions, (21..=40).collect::<Vec<_>>());
    assert!(told[0].iter().zip(&people).all(|(frame, person)| frame["user"]["phone"] == person.phone));
    assert!(told.iter().all(|frames| *frames == told[0]));
    // Of another workspace nobody is told anything, whatever the document.
    let elsewhere = workspace.server.client("elsewhere", "read").await;
    let refused = elsewhere.subscribe(&document("Equal"), json!({ "id": conversation })).await.refusal().await;
    assert_eq!(refused["extensions"]["code"], Value::from("NOT_FOUND"));
}

async fn read(workspace: &Workspace, person: &Person) {
    let at = workspace.server.clock.seconds();
    let webhook = Webhook::of("1000").status(status(&person.wamid, Some(&person.message), "read", at));
    assert_eq!(workspace.server.post(&webhook.payload()).await, 200);
}
