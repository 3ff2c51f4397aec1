//! Erasing people: nothing of them is left anywhere, and every figure is as it was.

use std::sync::Arc;
use std::time::Duration;

use bluetick::domain::clock::Clock;
use bluetick::whatsapp::simulator::SimulatorSettings;
use futures_util::future::join_all;
use sea_orm::{ConnectionTrait, DbBackend, Statement};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::support::clock::TestClock;
use crate::support::database::Database;
use crate::support::server::Server;
use crate::support::trial::tests;
use crate::support::wait::until;
use crate::support::webhook::{Webhook, in_reply_to, status, text};
use crate::support::workspace::{Person, RETRY_SEND, Workspace, id_of, inbound_flow, phone, recipients, wa_id};

tests! {
    on_both_databases: [
        nothing_is_left_of_who_is_erased_and_the_figures_stay,
        what_is_reported_of_who_was_erased_counts_and_tells_nothing,
        who_writes_again_is_somebody_new,
        what_is_queued_for_who_is_erased_is_not_sent,
        who_is_erased_is_not_sent_to_again,
        whatever_happens_meanwhile_nothing_is_left,
        watchers_are_told,
        who_is_known_twice_is_erased_twice,
        who_cannot_be_found_is_not_erased,
        a_list_that_is_still_uploaded_is_not_gone_through,
        who_was_silent_for_long_is_erased,
    ],
}

const ERASE: &str = "mutation($contact: ContactInput!) { eraseContact(contact: $contact) {
    erasedUsers userErrors { field code message } } }";

async fn erase(workspace: &Workspace, contact: Value) -> Value {
    workspace.api.ask_one(ERASE, json!({ "contact": contact })).await
}

async fn erase_users(workspace: &Workspace, contact: Value, users: i32) {
    assert_eq!(erase(workspace, contact).await, json!({ "erasedUsers": users, "userErrors": [] }));
}

/// Where in the database a text occurs, as often as it does.
async fn places(database: &Database, part: &str) -> Vec<String> {
    let db = database.connect().await;
    let (columns, contains) = match db.get_database_backend() {
        DbBackend::Sqlite => (
            "SELECT m.name, c.name FROM sqlite_master m JOIN pragma_table_info(m.name) c \
             WHERE m.type = 'table' AND lower(c.type) = 'text'",
            "instr",
        ),
        _ => (
            "SELECT table_name::text, column_name::text FROM information_schema.columns \
             WHERE table_schema = 'public' AND data_type = 'text'",
            "strpos",
        ),
    };
    let columns = db.query_all_raw(Statement::from_string(db.get_database_backend(), columns)).await.unwrap();
    assert!(columns.len() > 20, "the columns that hold text were found");
    let mut places = Vec::new();
    for column in columns {
        let (table, column): (String, String) =
            (column.try_get_by_index(0).unwrap(), column.try_get_by_index(1).unwrap());
        let sql = format!("SELECT count(*) FROM \"{table}\" WHERE {contains}(\"{column}\", '{part}') > 0");
        for _ in 0..database.count(&sql).await {
            places.push(format!("{table}.{column}"));
        }
    }
    db.close().await.unwrap();
    places
}

/// Somebody of whom everything is known that can be: a send and an answer, an inbound conversation, and what waits or was kept.
async fn known(workspace: &Workspace, number: usize) -> (String, Person) {
    let conversation = workspace.conversation("Welcome").await;
    let variables = json!([{ "name": "city", "value": format!("Cali{number}") }]);
    workspace.send(&conversation, json!([{ "phone": phone(number), "variables": variables }])).await;
    let person = workspace.people(&conversation).await.remove(0);
    let (at, from) = (workspace.server.clock.seconds(), wa_id(&phone(number)));
    let answer = in_reply_to(text("wamid.answer", &from, "My name is Ana", at), &person.wamid);
    let sent = status(&person.wamid, Some(&person.message), "sent", at - 1);
    let mut unknown = status("wamid.unknown", None, "sent", at);
    unknown["recipient_id"] = json!(from);
    let webhook = Webhook::of("1000").status(sent).status(unknown).profile(&from, "Ana").message(answer);
    assert_eq!(workspace.server.post(&webhook.payload()).await, 200);
    let other = workspace.another_line(false).await;
    let webhook = Webhook::of(&other.phone_number_id).message(text("wamid.lost", &from, "Where is Ana?", at));
    assert_eq!(workspace.server.post(&webhook.payload()).await, 200);
    workspace.conversation_on(&other, "Help", "INBOUND", inbound_flow()).await;
    let webhook = Webhook::of(&other.phone_number_id).message(text("wamid.help", &from, "Ana needs help", at));
    assert_eq!(workspace.server.post(&webhook.payload()).await, 200);
    (conversation, person)
}

const EVERYTHING: &str = "id phone whatsappId name erasedAt optedOutAt deploymentStatus variables { name }
    history { totalCount nodes { text payload providerMessageId sender at } }";

async fn nothing_is_left_of_who_is_erased_and_the_figures_stay(workspace: Workspace) {
    let (conversation, person) = known(&workspace, 0).await;
    let other = workspace.send(&conversation, recipients(1, 1)).await;
    let traces = [wa_id(&phone(0)), "Ana".to_owned(), "Cali0".to_owned(), person.wamid.clone(), "wamid.".to_owned()];
    for trace in &traces {
        assert_ne!(places(&workspace.server.database, trace).await, [""; 0], "{trace}");
    }
    let (before, progress) = (workspace.metrics(&conversation).await, workspace.progress(&other).await);

    erase_users(&workspace, json!({ "phone": phone(0) }), 2).await;

    for trace in &traces {
        assert_eq!(places(&workspace.server.database, trace).await, [""; 0], "{trace}");
    }
    assert_eq!(places(&workspace.server.database, &wa_id(&phone(1))).await, ["contacts.phone"]);
    let mut after = workspace.metrics(&conversation).await;
    assert_eq!(after["revision"].as_i64(), before["revision"].as_i64().map(|revision| revision + 1));
    for volatile in ["revision", "asOf"] {
        after[volatile] = before[volatile].clone();
    }
    assert_eq!(after, before);
    assert_eq!(workspace.progress(&other).await, progress);
    assert_eq!(workspace.server.differences().await, []);

    let shown = workspace.users(&conversation, EVERYTHING).await;
    let shown = shown.iter().find(|user| user["id"] == json!(person.user)).unwrap();
    for nothing in ["phone", "whatsappId", "name"] {
        assert_eq!(shown[nothing], Value::Null, "{nothing}");
    }
    assert!(shown["erasedAt"].is_string() && shown["optedOutAt"] == shown["erasedAt"]);
    assert_eq!((&shown["variables"], &shown["history"]["totalCount"]), (&json!([]), &json!(2)));
    for message in shown["history"]["nodes"].as_array().unwrap() {
        let words = [&message["text"], &message["payload"], &message["providerMessageId"]];
        assert_eq!(words, [&Value::Null; 3]);
        assert!(message["at"].is_string());
    }
}

async fn what_is_reported_of_who_was_erased_counts_and_tells_nothing(workspace: Workspace) {
    let (conversation, person) = known(&workspace, 0).await;
    erase_users(&workspace, json!({ "userId": person.user }), 2).await;
    let at = workspace.server.clock.seconds();
    let mut read = status(&person.wamid, Some(&person.message), "read", at);
    read["recipient_id"] = json!(wa_id(&phone(0)));
    assert_eq!(workspace.server.post(&Webhook::of("1000").status(read).payload()).await, 200);
    let variable = json!({ "variable": { "deploymentId": person.deployment, "name": "city", "value": "Bogota",
        "at": workspace.server.clock.now().to_string() } });
    workspace.record(json!([variable])).await;
    let user = workspace.user(&conversation, "deploymentStatus variables { name }").await;
    assert_eq!(user, json!({ "deploymentStatus": "READ", "variables": [] }));
    for trace in [&wa_id(&phone(0)), &person.wamid, "Bogota"] {
        assert_eq!(places(&workspace.server.database, trace).await, [""; 0], "{trace}");
    }
    assert_eq!(workspace.server.differences().await, []);
}

async fn who_writes_again_is_somebody_new(workspace: Workspace) {
    let (conversation, person) = known(&workspace, 0).await;
    erase_users(&workspace, json!({ "phone": phone(0) }), 2).await;
    workspace.conversation_on(&workspace.line, "Hello", "INBOUND", inbound_flow()).await;
    // The very report of before, and another.
    let (at, from) = (workspace.server.clock.seconds(), wa_id(&phone(0)));
    for message in [text("wamid.answer", &from, "My name is Ana", at), text("wamid.new", &from, "Hello", at)] {
        assert_eq!(workspace.server.post(&Webhook::of("1000").message(message).payload()).await, 200);
    }
    let fields = "id phone deploymentStatus history { nodes { text } }";
    let erased = workspace.user(&conversation, fields).await;
    assert_eq!((&erased["id"], &erased["phone"]), (&json!(person.user), &Value::Null));
    assert_eq!(erased["history"]["nodes"], json!([{ "text": null }, { "text": null }]));
    assert_eq!(workspace.server.database.count("SELECT count(*) FROM contacts").await, 2);
    assert_eq!(workspace.server.differences().await, []);
    erase_users(&workspace, json!({ "phone": phone(0) }), 1).await;
    assert_eq!(places(&workspace.server.database, &from).await, [""; 0]);
}

/// Sends to so many users in an hour.
async fn send_later(workspace: &Workspace, conversation: &str, users: usize) -> String {
    let due = workspace.server.clock.now().plus(Duration::from_hours(1)).to_string();
    let input = json!({ "conversationId": conversation, "users": recipients(0, users), "scheduledAt": due });
    id_of(&workspace.try_send(input).await["send"])
}

async fn what_is_queued_for_who_is_erased_is_not_sent(database: Database) {
    let (workspace, simulator) = Workspace::with_provider(database, SimulatorSettings::default()).await;
    let conversation = workspace.conversation("Welcome").await;
    let send = send_later(&workspace, &conversation, 2).await;
    erase_users(&workspace, json!({ "phone": phone(0) }), 1).await;
    workspace.server.clock.advance(Duration::from_hours(2));
    workspace.reaches(&send, "COMPLETED").await;
    assert_eq!(simulator.counters().calls, 1);
    let users = workspace.users(&conversation, "phone failure { reason }").await;
    let canceled = json!({ "phone": null, "failure": { "reason": "CANCELED" } });
    assert!(users.contains(&canceled) && users.contains(&json!({ "phone": phone(1), "failure": null })), "{users:?}");
    assert_eq!(workspace.server.differences().await, []);
}

async fn who_is_erased_is_not_sent_to_again(database: Database) {
    let (workspace, simulator) = Workspace::with_provider(database, SimulatorSettings::default()).await;
    let conversation = workspace.conversation("Welcome").await;
    let send = send_later(&workspace, &conversation, 1).await;
    erase_users(&workspace, json!({ "phone": phone(0) }), 1).await;
    let retried = workspace.api.ask_one(RETRY_SEND, json!({ "id": send, "reasons": ["CANCELED"] })).await;
    let outcome = json!([{ "reason": "CANCELED", "outcome": "ERASED", "count": 1 }]);
    assert_eq!((&retried["send"], &retried["retries"]), (&Value::Null, &outcome));
    assert_eq!(simulator.counters().calls, 0);
    assert_eq!(workspace.server.differences().await, []);
}

/// Whoever is written about and to at the same time is erased again and again; after the last time nothing is left.
async fn whatever_happens_meanwhile_nothing_is_left(workspace: Workspace) {
    let conversations = [workspace.conversation("One").await, workspace.conversation("Two").await];
    workspace.conversation_on(&workspace.line, "Hello", "INBOUND", inbound_flow()).await;
    let from = wa_id(&phone(0));
    let at = workspace.server.clock.seconds();
    for round in 0..12 {
        let sends = conversations.iter().map(async |conversation| {
            workspace.send(conversation, recipients(0, 3)).await;
        });
        let messages = (0..4).map(async |number| {
            let message = text(&format!("wamid.{round}.{number}"), &from, "My name is Ana", at);
            let webhook = Webhook::of("1000").profile(&from, "Ana").message(message).payload();
            assert_eq!(workspace.server.post(&webhook).await, 200);
        });
        let erased = (0..2).map(async |_| {
            erase(&workspace, json!({ "phone": phone(0) })).await;
        });
        tokio::join!(join_all(sends), join_all(messages), join_all(erased));
    }
    erase(&workspace, json!({ "phone": phone(0) })).await;
    for trace in [&from, "Ana", "wamid."] {
        assert_eq!(places(&workspace.server.database, trace).await, [""; 0], "{trace}");
    }
    assert_eq!(workspace.server.differences().await, []);
}

async fn watchers_are_told(workspace: Workspace) {
    let conversation = workspace.conversation("Welcome").await;
    let person = workspace.send_to(&conversation, 0, 1).await.remove(0);
    let document = "subscription($id: ID!) { userChanged(conversationId: $id, afterRevision: 1) {
        revision kinds user { id phone erasedAt } } }";
    let mut frames = workspace.api.subscribe(document, json!({ "id": conversation })).await;
    erase_users(&workspace, json!({ "phone": phone(0) }), 1).await;
    let frame = frames.next().await.unwrap();
    assert_eq!((&frame["revision"], &frame["user"]["id"]), (&json!(2), &json!(person.user)));
    assert_eq!((&frame["user"]["phone"], frame["user"]["erasedAt"].is_string()), (&Value::Null, true));
    assert_eq!(frame["kinds"], json!(["STATUS", "FAILURE", "VARIABLE", "MESSAGE"]));
}

/// A number that was sent to, and the same as WhatsApp knows it, which nothing joined.
async fn who_is_known_twice_is_erased_twice(workspace: Workspace) {
    let conversation = workspace.conversation("Welcome").await;
    workspace.send_to(&conversation, 0, 1).await;
    let other = workspace.another_line(false).await;
    let hello = workspace.conversation_on(&other, "Hello", "INBOUND", inbound_flow()).await;
    // Somebody with other digits begins, and turns out to have the number as a WhatsApp id.
    let db = workspace.server.database.connect().await;
    let (at, from) = (workspace.server.clock.seconds(), wa_id(&phone(1)));
    let message = text("wamid.other", &from, "My name is Ana", at);
    assert_eq!(workspace.server.post(&Webhook::of(&other.phone_number_id).message(message).payload()).await, 200);
    let known = format!("UPDATE contacts SET wa_id = '{}' WHERE wa_id = '{from}'", wa_id(&phone(0)));
    db.execute_unprepared(&known).await.unwrap();
    db.close().await.unwrap();
    erase_users(&workspace, json!({ "phone": phone(0) }), 2).await;
    for conversation in [&conversation, &hello] {
        assert!(workspace.user(conversation, "erasedAt").await["erasedAt"].is_string());
    }
    assert_eq!(places(&workspace.server.database, &wa_id(&phone(0))).await, [""; 0]);
    assert_eq!(workspace.server.differences().await, []);
}

async fn who_cannot_be_found_is_not_erased(workspace: Workspace) {
    let conversation = workspace.conversation("Welcome").await;
    let person = workspace.send_to(&conversation, 0, 1).await.remove(0);
    for (contact, field, code) in [
        (json!({ "phone": phone(1) }), "phone", "NOT_FOUND"),
        (json!({ "phone": "12" }), "phone", "INVALID"),
        (json!({ "userId": conversation }), "userId", "NOT_FOUND"),
    ] {
        let refused = erase(&workspace, contact.clone()).await;
        assert_eq!(refused["erasedUsers"], Value::Null, "{contact}");
        assert_eq!(refused["userErrors"][0]["field"], json!(["contact", field]));
        assert_eq!(refused["userErrors"][0]["code"], code);
    }
    let stranger = workspace.server.client("other", "admin,personal").await;
    for contact in [json!({ "phone": phone(0) }), json!({ "userId": person.user })] {
        let refused = stranger.ask_one(ERASE, json!({ "contact": contact })).await;
        assert_eq!(refused["userErrors"][0]["code"], "NOT_FOUND");
    }
    let writer = workspace.server.client("acme", "write,personal").await;
    let refused = writer.post(ERASE, json!({ "contact": { "phone": phone(0) } })).await;
    assert_eq!(refused.refusal().code, "FORBIDDEN");
    for contact in [json!({}), json!({ "phone": phone(0), "userId": person.user })] {
        assert!(workspace.api.post(ERASE, json!({ "contact": contact })).await.body["errors"].is_array());
    }
    assert_eq!(workspace.user(&conversation, "phone").await["phone"], phone(0));
    erase_users(&workspace, json!({ "phone": phone(0) }), 1).await;
    assert_eq!(erase(&workspace, json!({ "userId": person.user })).await["userErrors"][0]["code"], "NOT_FOUND");
}

async fn a_list_that_is_still_uploaded_is_not_gone_through(workspace: Workspace) {
    let conversation = workspace.conversation("Welcome").await;
    workspace.send_to(&conversation, 0, 1).await;
    let db = workspace.server.database.connect().await;
    let staged = format!(
        "INSERT INTO staged (send_id, number, workspace_id, phone) \
         SELECT id, 1, workspace_id, '{}' FROM sends",
        phone(0)
    );
    db.execute_unprepared(&staged).await.unwrap();
    let refused = erase(&workspace, json!({ "phone": phone(0) })).await;
    assert_eq!(refused["userErrors"][0]["code"], "CONFLICT");
    db.execute_unprepared("DELETE FROM staged").await.unwrap();
    db.close().await.unwrap();
    erase_users(&workspace, json!({ "phone": phone(0) }), 1).await;
}

async fn who_was_silent_for_long_is_erased(workspace: Workspace) {
    let (conversation, _) = known(&workspace, 0).await;
    let clock = Arc::new(TestClock::default());
    clock.advance(Duration::from_hours(31 * 24));
    workspace.server.clock.advance(Duration::from_hours(31 * 24));
    workspace.send(&conversation, recipients(1, 1)).await;
    // A node that begins looks at once for what is too old.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let settings = [("retention.contacts_days", "30"), ("retention.kept_days", "30")];
    let _node = Server::start_on(listener, workspace.server.database.clone(), clock, &settings).await;
    let left = async || places(&workspace.server.database, &wa_id(&phone(0))).await.is_empty().then_some(());
    until("who was silent is erased", left).await;
    let users = workspace.users(&conversation, "id phone").await;
    assert!(users.iter().any(|user| user["phone"] == phone(1)), "{users:?}");
    assert_eq!(workspace.server.database.count("SELECT count(*) FROM kept").await, 0);
    assert_eq!(workspace.server.differences().await, []);
}
