//! The audit log: who wrote what, and when.

use std::collections::BTreeSet;
use std::time::Duration;

use bluetick::domain::clock::Clock;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::support::client::Client;
use crate::support::database::Database;
use crate::support::login;
use crate::support::process::Binary;
use crate::support::server::Server;
use crate::support::trial::tests;
use crate::support::wait::until;
use crate::support::workspace::{
    ARCHIVE_CONVERSATION, ASSIGN_SESSION, CANCEL_SEND, CLOSE_SESSION, CREATE_LINE, PAUSE_SEND, RESUME_LINE,
    RESUME_SEND, RETRY_SEND, SEND_AGENT_MESSAGE, UPDATE_LINE, Workspace, flow, inbound_flow, phone, recipients,
};

tests! {
    on_both_databases: [
        every_mutation_is_told_with_what_it_wrote,
        what_is_rejected_is_told_as_well,
        who_wrote_is_told,
        operators_are_told_of,
        the_log_is_filtered_and_paged,
        what_could_not_be_told_is_not_done,
        old_entries_are_removed,
    ],
}

const LOG: &str = "query($filter: AuditFilter, $first: Int, $after: String) {
    auditLog(filter: $filter, first: $first, after: $after) { totalCount pageInfo { endCursor hasNextPage }
    nodes { id at action tokenId person requestId outcome subjectId } } }";

const ERASE: &str = "mutation($phone: String!) { eraseContact(contact: { phone: $phone }) { userErrors { code } } }";

async fn log(client: &Client, variables: Value) -> Value {
    client.ask_one(LOG, variables).await
}

/// The entries that match, oldest first.
async fn entries(client: &Client, filter: Value) -> Vec<Value> {
    let found = log(client, json!({ "filter": filter, "first": 200 })).await;
    found["nodes"].as_array().unwrap().iter().rev().cloned().collect()
}

async fn every_mutation_is_told_with_what_it_wrote(workspace: Workspace) {
    let api = &workspace.api;
    let line = workspace.line.id.clone();
    api.change(UPDATE_LINE, json!({ "input": { "id": line, "name": "Renamed" } })).await;
    api.change(RESUME_LINE, json!({ "id": line })).await;
    let conversation = workspace.conversation("Welcome").await;
    workspace.publish(&conversation).await;
    let send = workspace.send(&conversation, recipients(0, 2)).await;
    for control in [PAUSE_SEND, RESUME_SEND, CANCEL_SEND] {
        api.change(control, json!({ "id": send })).await;
    }
    workspace.reaches(&send, "CANCELED").await;
    let retried = api.change(RETRY_SEND, json!({ "id": send, "reasons": ["CANCELED"] })).await["send"]["id"].clone();
    let person = workspace.people(&conversation).await.remove(0);
    let now = workspace.server.clock.now().to_string();
    workspace.record(json!([{ "finished": { "deploymentId": person.deployment, "at": now } }])).await;
    let session = session(&workspace).await;
    api.change(ASSIGN_SESSION, json!({ "id": session, "agent": "Ana" })).await;
    let said = api.change(SEND_AGENT_MESSAGE, json!({ "input": { "sessionId": session, "text": "Hello" } })).await;
    api.change(CLOSE_SESSION, json!({ "id": session })).await;
    api.ask(ERASE, json!({ "phone": phone(0) })).await;
    api.change(ARCHIVE_CONVERSATION, json!({ "id": conversation })).await;

    let told = entries(api, Value::Null).await;
    let told: Vec<_> = told.iter().filter(|entry| !entry["requestId"].is_null()).collect();
    assert!(told.iter().all(|entry| entry["outcome"] == "DONE"), "{told:?}");
    let subject = |action: &str| {
        let entry = told.iter().find(|entry| entry["action"] == action).unwrap_or_else(|| panic!("{action}"));
        entry["subjectId"].clone()
    };
    for (action, expected) in [
        ("createLine", json!(line)),
        ("updateLine", json!(line)),
        ("resumeLine", json!(line)),
        ("createConversation", json!(conversation)),
        ("archiveConversation", json!(conversation)),
        ("sendConversation", json!(send)),
        ("pauseSend", json!(send)),
        ("cancelSend", json!(send)),
        ("retrySend", retried),
        ("recordFacts", Value::Null),
        ("assignSession", json!(session)),
        ("sendAgentMessage", said["message"]["id"].clone()),
        ("closeSession", json!(session)),
    ] {
        assert_eq!(subject(action), expected, "{action}");
    }
    assert!(subject("publishVersion").as_str().unwrap().starts_with("ver_"));
    assert!(subject("eraseContact").as_str().unwrap().starts_with("cont_"));
    // One that is added later is to be tried here as well.
    let schema = api.ask_one("{ __schema { mutationType { fields { name } } } }", json!({})).await;
    let fields = schema["mutationType"]["fields"].as_array().unwrap().iter();
    let fields: BTreeSet<_> = fields.map(|field| field["name"].as_str().unwrap()).collect();
    let actions: BTreeSet<_> = told.iter().map(|entry| entry["action"].as_str().unwrap()).collect();
    assert_eq!(actions, fields);
}

/// A session with an agent, of somebody who wrote.
async fn session(workspace: &Workspace) -> String {
    let inbound = workspace.conversation_on(&workspace.line, "Inbound", "INBOUND", inbound_flow()).await;
    let now = workspace.server.clock.now().to_string();
    let written = json!({ "lineId": workspace.line.id, "phone": phone(7), "sender": "USER", "kind": "TEXT", "text": "Hi",
        "at": now, "providerMessageId": "wamid.7" });
    workspace.record(json!([{ "message": written }])).await;
    let session = json!({ "providerMessageId": "wamid.7", "sessionStatus": "AGENT", "at": now });
    workspace.record(json!([{ "session": session }])).await;
    let user = workspace.user(&inbound, "deployments { nodes { session { id } } }").await;
    user["deployments"]["nodes"][0]["session"]["id"].as_str().unwrap().to_owned()
}

async fn what_is_rejected_is_told_as_well(workspace: Workspace) {
    let conversation = workspace.conversation("Welcome").await;
    let refused = workspace.try_send(json!({ "conversationId": conversation, "users": [] })).await;
    assert_ne!(refused["userErrors"], json!([]));
    let told = entries(&workspace.api, json!({ "action": "sendConversation" })).await;
    assert_eq!((told.len(), &told[0]["outcome"], &told[0]["subjectId"]), (1, &json!("REJECTED"), &Value::Null));
    // What may not be asked for is not carried out, and is no entry.
    let reader = workspace.server.client("acme", "write").await;
    let line = json!({ "phone": "+12025550124", "phoneNumberId": "2000", "name": "Another" });
    assert_eq!(reader.refusal(CREATE_LINE, json!({ "input": line })).await.code, "FORBIDDEN");
    assert_eq!(entries(&workspace.api, json!({ "action": "createLine" })).await.len(), 1);
    // A list is an entry like any other.
    let url = format!("{}/sends?conversationId={conversation}", workspace.api.server);
    for (body, status) in [("phone\n+573000000001\n", 201), ("phone\n", 422), ("nothing\n", 400)] {
        let request = crate::support::client::http().post(&url).header("content-type", "text/csv").body(body);
        let answer = request.bearer_auth(workspace.api.token.as_deref().unwrap()).send().await.unwrap();
        assert_eq!(answer.status(), status, "{body}");
    }
    let told = entries(&workspace.api, json!({ "action": "POST /sends" })).await;
    let outcomes: Vec<_> = told.iter().map(|entry| entry["outcome"].as_str().unwrap()).collect();
    assert_eq!(outcomes, ["DONE", "REJECTED", "REJECTED"]);
    assert!(told[0]["subjectId"].as_str().unwrap().starts_with("send_"));
}

async fn who_wrote_is_told(database: Database) {
    let workspace = Workspace::on(Server::start(database, &login::SETTINGS).await).await;
    let ana = login::ana(&workspace.api, "acme", "write", 600);
    let before = workspace.server.clock.now();
    let input = json!({ "name": "Written", "direction": "OUTBOUND", "flow": flow() });
    let document = crate::support::workspace::CREATE_CONVERSATION;
    ana.change(document, json!({ "input": input })).await;
    ana.change(document, json!({ "input": input })).await;
    let told = entries(&workspace.api, json!({ "action": "createConversation" })).await;
    assert_eq!((told.len(), &told[0]["person"], &told[1]["tokenId"]), (2, &json!("ana"), &told[0]["tokenId"]));
    // Times are written so that they compare as text does.
    let (at, now) = (told[0]["at"].as_str().unwrap(), workspace.server.clock.now().to_string());
    assert!(before.to_string().as_str() <= at && at <= now.as_str(), "{at}");
    let line = entries(&workspace.api, json!({ "action": "createLine" })).await.remove(0);
    assert_eq!(line["person"], Value::Null);
    assert_ne!(line["tokenId"], told[0]["tokenId"]);
    let of_token = entries(&workspace.api, json!({ "tokenId": told[0]["tokenId"] })).await;
    assert_eq!(of_token, told);
    // Another workspace has a log of its own.
    let stranger = workspace.server.client("stranger", "admin").await;
    assert!(entries(&stranger, Value::Null).await.iter().all(|entry| entry["action"] == "token create"));
}

async fn operators_are_told_of(database: Database) {
    let binary = Binary::on(database).await;
    let server = binary.serve().await;
    let made = binary.run(&["token", "create", "--workspace", "acme", "--scopes", "admin"]);
    let token = String::from_utf8(made.stdout).unwrap();
    let other = binary.run(&["token", "create", "--workspace", "acme"]);
    assert!(other.status.success());
    let listed = String::from_utf8(binary.run(&["token", "list"]).stdout).unwrap();
    let ids: Vec<_> = listed.lines().map(|line| line.split_whitespace().next().unwrap().to_owned()).collect();
    assert!(binary.run(&["token", "revoke", &ids[1]]).status.success());
    let api = Client::new(&binary.url(), token.trim());
    let told = entries(&api, Value::Null).await;
    let told: Vec<_> =
        told.iter().map(|one| (&one["action"], &one["tokenId"], &one["subjectId"], &one["outcome"])).collect();
    let (create, revoke, done) = (json!("token create"), json!("token revoke"), json!("DONE"));
    let (first, second) = (json!(ids[0]), json!(ids[1]));
    let nobody = Value::Null;
    assert_eq!(
        told,
        [(&create, &nobody, &first, &done), (&create, &nobody, &second, &done), (&revoke, &nobody, &second, &done)]
    );
    drop(server);
}

async fn the_log_is_filtered_and_paged(workspace: Workspace) {
    let conversation = workspace.conversation("Welcome").await;
    for _ in 0..4 {
        workspace.publish(&conversation).await;
    }
    let filter = json!({ "action": "publishVersion" });
    let (mut seen, mut after) = (Vec::new(), Value::Null);
    loop {
        let page = log(&workspace.api, json!({ "filter": filter, "first": 3, "after": after })).await;
        assert_eq!(page["totalCount"], 4);
        seen.extend(page["nodes"].as_array().unwrap().iter().map(|node| node["id"].as_str().unwrap().to_owned()));
        if page["pageInfo"]["hasNextPage"] == json!(false) {
            break;
        }
        after = page["pageInfo"]["endCursor"].clone();
    }
    assert_eq!(seen.len(), 4);
    let mut sorted = seen.clone();
    sorted.sort_by(|one, other| other.cmp(one));
    assert_eq!(seen, sorted, "newest first");
    assert_eq!(entries(&workspace.api, json!({ "subjectId": conversation })).await.len(), 1);
    for (filter, place) in [(json!({ "tokenId": "x" }), "filter.tokenId"), (json!({ "action": "\0" }), "filter.action")]
    {
        let refusal = workspace.api.refusal(LOG, json!({ "filter": filter })).await;
        assert!(refusal.message.contains(place), "{}", refusal.message);
    }
}

async fn what_could_not_be_told_is_not_done(workspace: Workspace) {
    use sea_orm::ConnectionTrait;

    let conversation = workspace.conversation("Welcome").await;
    let db = workspace.server.database.connect().await;
    db.execute_unprepared("ALTER TABLE audit RENAME TO elsewhere").await.unwrap();
    let document = "mutation($id: ID!) { archiveConversation(id: $id) { userErrors { code } } }";
    assert_eq!(workspace.api.refusal(document, json!({ "id": conversation })).await.code, "UNAVAILABLE");
    db.execute_unprepared("ALTER TABLE elsewhere RENAME TO audit").await.unwrap();
    db.close().await.unwrap();
    let asked = "query($id: ID!) { conversation(id: $id) { archivedAt } }";
    assert_eq!(workspace.api.ask_one(asked, json!({ "id": conversation })).await["archivedAt"], Value::Null);
}

async fn old_entries_are_removed(workspace: Workspace) {
    workspace.server.clock.advance(Duration::from_hours(24));
    workspace.conversation("Welcome").await;
    assert_eq!(entries(&workspace.api, Value::Null).await.len(), 3);
    workspace.server.clock.advance(Duration::from_hours(9 * 24 + 12));
    // A node that begins looks at once for what is too old.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (database, clock) = (workspace.server.database.clone(), workspace.server.clock.clone());
    let _node = Server::start_on(listener, database, clock, &[("retention.audit_days", "10")]).await;
    until("old entries are gone", async || (entries(&workspace.api, Value::Null).await.len() == 1).then_some(())).await;
    assert_eq!(entries(&workspace.api, Value::Null).await[0]["action"], "createConversation");
}
