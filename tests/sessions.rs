//! Sessions: an agent's inbox, what agents do in it, and the funnels that sessions make.

use std::time::Duration;

use bluetick::config::Secret;
use bluetick::domain::clock::Clock;
use bluetick::whatsapp::simulator::{Outcomes, Simulator, SimulatorSettings};
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::support::database::Database;
use crate::support::socket::Subscription;
use crate::support::trial::{Fixture, tests};
use crate::support::wait::until;
use crate::support::webhook::APP_SECRET;
use crate::support::workspace::{
    ASSIGN_SESSION, CLOSE_SESSION, PUBLISH_VERSION, SEND_AGENT_MESSAGE, Workspace, inbound_flow, phone, recipients,
    wa_id,
};

tests! {
    on_both_databases: [
        what_waits_for_an_agent_is_in_the_inbox,
        the_inbox_is_filtered_and_paged,
        an_agent_takes_a_session_over_and_writes_in_it,
        what_an_agent_writes_is_checked_with_its_place,
        a_message_under_a_key_is_sent_once,
        after_a_day_without_a_word_an_agent_writes_nothing,
        a_session_is_closed_with_a_rating_or_without,
        where_no_flow_asks_for_a_rating_none_is_asked_for,
        sessions_are_for_their_workspace_and_for_scopes,
        a_user_with_an_agent_is_not_sent_to,
        followers_are_told_of_sessions_as_they_are,
        a_funnel_tells_where_users_leave,
        two_versions_are_compared_step_by_step,
    ],
}

/// A workspace with an inbound conversation that hands over to agents, and a provider that takes every message.
struct Desk {
    workspace: Workspace,
    conversation: String,
    provider: Simulator,
}

impl Fixture for Desk {
    async fn make(database: Database) -> Self {
        let (workspace, provider) = Workspace::with_provider(database, silent()).await;
        let conversation = workspace.conversation_on(&workspace.line, "Help", "INBOUND", help("name")).await;
        Self { workspace, conversation, provider }
    }
}

/// A provider with which everything arrives, and nobody answers by themselves.
fn silent() -> SimulatorSettings {
    let nothing_fails =
        Outcomes { undeliverable: 0.0, withheld: 0.0, failed: 0.0, unreachable: 0.0, ..Outcomes::default() };
    SimulatorSettings {
        speed: 1_000.0,
        app_secret: Secret::new(APP_SECRET),
        webhook_url: Some(String::new()),
        window: 1e9,
        outcomes: Outcomes { answered: 0.0, reacted: 0.0, ..nothing_fails },
        ..SimulatorSettings::default()
    }
}

/// A flow that asks for a name, in a step of some name, or hands over to an agent.
fn help(name: &str) -> Value {
    json!({ "start": "hi", "rating": "rate", "sessionMinutes": 10_000, "steps": {
        "hi": { "text": "Hello!", "buttons": [{ "title": "Agent", "id": "agent" }, { "title": "Order", "id": "order" }],
            "answer": { "routes": [{ "when": { "button": "agent" }, "next": "help" }],
                "retry": { "text": "Press a button.", "attempts": 2, "next": "help" } }, "next": name },
        name: { "text": "Your name?", "answer": { "capture": { "variable": "name" },
            "retry": { "text": "Your name, please.", "attempts": 1, "next": "help" } }, "next": "rate" },
        "help": { "text": "One moment.", "handover": true },
        "rate": { "text": "How was it?", "final": true, "farewell": "Thank you!" },
    } })
}

const INBOX: &str = "query($first: Int, $after: String, $last: Int, $before: String, $filter: SessionFilter,
    $orderBy: SessionOrder) { sessions(first: $first, after: $after, last: $last, before: $before, filter: $filter,
    orderBy: $orderBy) { totalCount nodes { id status agent step user { phone } }
    pageInfo { startCursor endCursor hasNextPage hasPreviousPage } } }";

const SESSION: &str =
    "query($id: ID!) { node(id: $id) { id ... on Session { status since agent assignedAt step expiresAt
    user { phone sessionStatus } deployment { id session { id } } version { number } } } }";

const FOLLOW: &str = "subscription($ids: [ID!], $filter: SessionFilter) {
    sessionChanged(conversationIds: $ids, filter: $filter) { id status agent version { number } user { phone } } }";

const FUNNEL: &str = "query($id: ID!) { conversation(id: $id) { currentVersion { funnel { step entered answered
    answeredShare left leftShare medianSeconds } } } }";

const COMPARE: &str = "query($id: ID!, $a: Int!, $b: Int!) { conversation(id: $id) { compareVersions(a: $a, b: $b) {
    a { number } b { number } steps { step a { entered } b { entered } answeredShareDifference leftShareDifference } } } }";

impl Desk {
    /// A person, by number, writes on the line.
    async fn write(&self, person: usize, words: &str) {
        let written = self.provider.user_writes("1000", &wa_id(&phone(person)), "Ana", words).await.unwrap();
        let sql = format!("SELECT count(*) FROM messages WHERE provider_message_id = '{written}'");
        let recorded = async || (self.workspace.server.database.count(&sql).await == 1).then_some(());
        until("what is written is recorded", recorded).await;
    }

    /// A person writes, and is handed over to an agent; returns the session's id.
    async fn hands_over(&self, person: usize) -> String {
        self.write(person, "Hello").await;
        self.write(person, "Agent").await;
        self.session_of(person).await["id"].as_str().unwrap().to_owned()
    }

    /// The session of a person.
    async fn session_of(&self, person: usize) -> Value {
        let sessions = self.inbox(json!({ "first": 200 })).await["nodes"].as_array().unwrap().clone();
        sessions.into_iter().find(|session| session["user"]["phone"] == phone(person)).expect("a session")
    }

    async fn inbox(&self, variables: Value) -> Value {
        self.workspace.api.ask_one(INBOX, variables).await
    }

    /// The sessions that match, by the phones of their users.
    async fn phones(&self, filter: Value) -> Vec<String> {
        let found = self.inbox(json!({ "filter": filter })).await;
        let nodes = found["nodes"].as_array().unwrap();
        assert_eq!(found["totalCount"], nodes.len());
        nodes.iter().map(|node| node["user"]["phone"].as_str().unwrap().to_owned()).collect()
    }

    async fn session(&self, id: &str) -> Value {
        self.workspace.api.ask_one(SESSION, json!({ "id": id })).await
    }

    async fn assign(&self, id: &str, agent: &str) -> Value {
        let assigned = self.workspace.api.change(ASSIGN_SESSION, json!({ "id": id, "agent": agent })).await;
        assigned["session"].clone()
    }

    /// The payload of `sendAgentMessage`.
    async fn say(&self, input: Value) -> Value {
        self.workspace.api.ask_one(SEND_AGENT_MESSAGE, json!({ "input": input })).await
    }

    /// The payload of `closeSession`.
    async fn close(&self, id: &str, rating: bool) -> Value {
        self.workspace.api.ask_one(CLOSE_SESSION, json!({ "id": id, "rating": rating })).await
    }

    /// Waits until the provider has taken so many messages.
    async fn takes(&self, count: u64) {
        until(&format!("{count} messages arrive"), async || (self.provider.counters().accepted == count).then_some(()))
            .await;
    }

    async fn funnel(&self) -> Value {
        let found = self.workspace.api.ask_one(FUNNEL, json!({ "id": self.conversation })).await;
        found["currentVersion"]["funnel"].clone()
    }

    /// The flow of the next version.
    async fn publish(&self, flow: Value) {
        let input = json!({ "conversationId": self.conversation, "flow": flow });
        self.workspace.api.change(PUBLISH_VERSION, json!({ "input": input })).await;
    }
}

/// The only user error of a payload that has nothing else.
fn refused(payload: &Value) -> (String, Value) {
    let errors = payload["userErrors"].as_array().unwrap();
    assert_eq!(errors.len(), 1, "{payload}");
    assert!(payload["session"].is_null() && payload["message"].is_null(), "{payload}");
    (errors[0]["code"].as_str().unwrap().to_owned(), errors[0]["field"].clone())
}

fn conflict_at(place: &[&str]) -> (String, Value) {
    ("CONFLICT".to_owned(), json!(place))
}

async fn what_waits_for_an_agent_is_in_the_inbox(desk: Desk) {
    desk.write(1, "Hello").await;
    let begun = desk.session_of(1).await;
    assert_eq!((&begun["status"], &begun["step"]), (&json!("BOT"), &json!("hi")));
    desk.write(1, "Agent").await;
    let id = begun["id"].as_str().unwrap();
    assert!(id.starts_with("sess_"));
    let session = desk.session(id).await;
    let user = json!({ "phone": phone(1), "sessionStatus": "AGENT" });
    for (field, value) in [
        ("status", json!("AGENT")),
        ("step", json!("help")),
        ("agent", Value::Null),
        ("assignedAt", Value::Null),
        ("user", user),
        ("version", json!({ "number": 1 })),
    ] {
        assert_eq!(session[field], value, "{field}");
    }
    assert!(session["since"].as_str() < session["expiresAt"].as_str());
    assert_eq!(session["deployment"]["session"]["id"], id);
    assert_eq!(session["deployment"]["id"], id.replace("sess_", "dep_"));
    // What was sent, but not answered, has no session.
    let outbound = desk.workspace.conversation("Welcome").await;
    let person = desk.workspace.send_to(&outbound, 5, 1).await.remove(0);
    let document = "query($id: ID!) { node(id: $id) { ... on Deployment { session { id } } } }";
    let found = desk.workspace.api.ask_one(document, json!({ "id": person.deployment })).await;
    assert_eq!(found, json!({ "session": null }));
    assert_eq!(desk.session(&person.deployment.replace("dep_", "sess_")).await, Value::Null);
    assert_eq!(desk.inbox(json!({})).await["totalCount"], 1);
}

async fn the_inbox_is_filtered_and_paged(desk: Desk) {
    let mut ids = Vec::new();
    for person in 0..5 {
        ids.push(desk.hands_over(person).await);
    }
    desk.write(5, "Hello").await;
    desk.assign(&ids[1], "Ana").await;
    desk.assign(&ids[2], "Ben").await;
    desk.close(&ids[3], false).await;
    let people = |people: &[usize]| people.iter().map(|&person| phone(person)).collect::<Vec<_>>();
    let line = desk.workspace.another_line(false).await.id;
    for (filter, expected) in [
        (json!({ "status": ["AGENT"] }), people(&[0, 1, 2, 4])),
        (json!({ "status": ["AGENT"], "unassigned": true }), people(&[0, 4])),
        (json!({ "unassigned": false }), people(&[1, 2])),
        (json!({ "agent": "Ana" }), people(&[1])),
        (json!({ "agent": "ana" }), people(&[])),
        (json!({ "agent": "Ana", "unassigned": true }), people(&[])),
        (json!({ "status": ["BOT", "COMPLETED"] }), people(&[5, 3])),
        (json!({ "status": [] }), people(&[])),
        (json!({ "conversationId": desk.conversation, "status": ["BOT"] }), people(&[5])),
        (json!({ "lineId": desk.workspace.line.id, "status": ["BOT"] }), people(&[5])),
        (json!({ "lineId": line }), people(&[])),
        (json!({ "lineId": desk.conversation }), people(&[])),
        (json!({ "conversationId": line }), people(&[])),
    ] {
        let mut found = desk.phones(filter.clone()).await;
        // Who came first has waited the longest; an agent who takes over changes nothing of that.
        if filter["status"] == json!(["BOT", "COMPLETED"]) {
            assert_eq!(found, expected);
        }
        found.sort_unstable();
        let mut expected = expected;
        expected.sort_unstable();
        assert_eq!(found, expected, "{filter}");
    }
    let waiting = json!({ "status": ["AGENT"], "unassigned": true });
    assert_eq!(desk.phones(waiting).await, people(&[0, 4]), "the longest waiting first");
    let whole =
        |page: &Value| page["nodes"].as_array().unwrap().iter().map(|node| node["id"].clone()).collect::<Vec<_>>();
    for direction in ["ASC", "DESC"] {
        let order = json!({ "direction": direction });
        let all = whole(&desk.inbox(json!({ "orderBy": order })).await);
        let (mut seen, mut after) = (Vec::new(), Value::Null);
        loop {
            let page = desk.inbox(json!({ "first": 4, "after": after, "orderBy": order })).await;
            assert_eq!(page["totalCount"], 6);
            seen.extend(whole(&page));
            after = page["pageInfo"]["endCursor"].clone();
            if page["pageInfo"]["hasNextPage"] == json!(false) {
                let back =
                    desk.inbox(json!({ "last": 4, "before": page["pageInfo"]["startCursor"], "orderBy": order }));
                assert_eq!(whole(&back.await), all[..4]);
                break;
            }
        }
        assert_eq!(seen, all, "{direction}");
    }
    let refusal = desk.workspace.api.refusal(INBOX, json!({ "filter": { "lineId": "x" } })).await;
    assert!(refusal.message.contains("filter.lineId"), "{}", refusal.message);
}

async fn an_agent_takes_a_session_over_and_writes_in_it(desk: Desk) {
    desk.write(1, "Hello").await;
    let id = desk.session_of(1).await["id"].as_str().unwrap().to_owned();
    assert_eq!(
        refused(&desk.say(json!({ "sessionId": id, "text": "Hi" })).await),
        conflict_at(&["input", "sessionId"])
    );
    assert_eq!(desk.assign(&id, "Ana").await, json!({ "id": id, "status": "AGENT", "agent": "Ana" }));
    let since = desk.session(&id).await["since"].clone();
    assert_eq!(desk.assign(&id, "Ben").await["agent"], "Ben");
    let session = desk.session(&id).await;
    assert_eq!(session["since"], since, "the user has been with agents since then");
    assert!(session["assignedAt"].as_str() > since.as_str());
    // The bot's first message, and then the agent's, in their order.
    let said = desk.say(json!({ "sessionId": id, "text": "This is Ben. {{name}}?" })).await;
    let message = said["message"]["id"].as_str().unwrap();
    assert_eq!(said["session"], json!({ "id": id, "status": "AGENT" }));
    let media = json!({ "kind": "DOCUMENT", "link": "https://example.com/a.pdf", "filename": "a.pdf" });
    let sent = desk.say(json!({ "sessionId": id, "media": media, "text": "Here" })).await["message"].clone();
    let payload = json!({ "link": "https://example.com/a.pdf", "filename": "a.pdf" });
    assert_eq!((&sent["kind"], &sent["text"], &sent["payload"]), (&json!("DOCUMENT"), &json!("Here"), &payload));
    desk.takes(3).await;
    assert_eq!(desk.provider.accepted_times(message), 1);
    // The flow says nothing while an agent does.
    desk.write(1, "Order").await;
    let history = "history(first: 10) { nodes { sender text } }";
    let user = desk.workspace.user(&desk.conversation, history).await;
    let told: Vec<_> = user["history"]["nodes"].as_array().unwrap().iter().map(|one| &one["text"]).collect();
    assert_eq!(told.len(), 5, "{told:?}");
    let by_agents = user["history"]["nodes"].as_array().unwrap().iter().filter(|one| one["sender"] == "AGENT");
    let by_agents: Vec<_> = by_agents.map(|one| one["text"].as_str().unwrap()).collect();
    assert_eq!(by_agents, ["This is Ben. {{name}}?", "Here"]);
    assert_eq!(desk.provider.counters().accepted, 3);
    assert_eq!(desk.workspace.server.differences().await, []);
}

async fn what_an_agent_writes_is_checked_with_its_place(desk: Desk) {
    let id = desk.hands_over(1).await;
    let link = "https://example.com/a";
    let file = |kind: &str, link: &str| json!({ "kind": kind, "link": link });
    for (input, place) in [
        (json!({}), &[][..]),
        (json!({ "text": "" }), &["text"]),
        (json!({ "text": " \n" }), &["text"]),
        (json!({ "text": "a\0" }), &["text"]),
        (json!({ "text": "ñ".repeat(4_097) }), &["text"]),
        (json!({ "text": "ñ".repeat(1_025), "media": file("IMAGE", link) }), &["text"]),
        (json!({ "text": "A", "media": file("AUDIO", link) }), &["media"]),
        (json!({ "media": file("VIDEO", "ftp://example.com") }), &["media", "link"]),
        (json!({ "media": file("VIDEO", &format!("https://{}", "x".repeat(2_048))) }), &["media", "link"]),
        (json!({ "media": { "kind": "IMAGE", "link": link, "filename": "a.png" } }), &["media", "filename"]),
        (json!({ "text": "A", "idempotencyKey": "" }), &["idempotencyKey"]),
        (json!({ "text": "A", "idempotencyKey": "k".repeat(201) }), &["idempotencyKey"]),
    ] {
        let mut input = input;
        input["sessionId"] = json!(id);
        let place: Vec<_> = ["input"].iter().chain(place).collect();
        assert_eq!(refused(&desk.say(input).await), ("INVALID".to_owned(), json!(place)));
    }
    for agent in ["", " ", "a\0", &"a".repeat(201)] {
        let payload = desk.workspace.api.ask_one(ASSIGN_SESSION, json!({ "id": id, "agent": agent })).await;
        assert_eq!(refused(&payload), ("INVALID".to_owned(), json!(["agent"])));
    }
    let only = async |agent: &str| {
        let variables = json!({ "id": id, "agent": agent, "only": true });
        desk.workspace.api.ask_one(ASSIGN_SESSION, variables).await
    };
    assert_eq!(only("Ana").await["userErrors"], json!([]), "nobody else has it");
    assert_eq!(refused(&only("Eve").await), ("CONFLICT".to_owned(), json!(["id"])));
    assert_eq!(desk.assign(&id, "Ana").await["agent"], "Ana");
    let wrong = desk.say(json!({ "sessionId": desk.conversation, "text": "A" })).await;
    assert_eq!(refused(&wrong), ("NOT_FOUND".to_owned(), json!(["input", "sessionId"])));
    for fine in [json!({ "text": "ñ".repeat(4_096) }), json!({ "media": file("AUDIO", link) })] {
        let mut input = fine;
        input["sessionId"] = json!(id);
        assert_eq!(desk.say(input).await["userErrors"], json!([]));
    }
    desk.takes(4).await;
}

async fn a_message_under_a_key_is_sent_once(desk: Desk) {
    let (id, other) = (desk.hands_over(1).await, desk.hands_over(2).await);
    let input = json!({ "sessionId": id, "text": "Hi", "idempotencyKey": "one" });
    let again = || desk.say(input.clone());
    let (first, second, third) = tokio::join!(again(), again(), again());
    assert_eq!((&first, &first), (&second, &third));
    let elsewhere = desk.say(json!({ "sessionId": other, "text": "Hi", "idempotencyKey": "one" })).await;
    assert_ne!(elsewhere["message"]["id"], first["message"]["id"]);
    let different = desk.say(json!({ "sessionId": id, "text": "Ho", "idempotencyKey": "one" })).await;
    assert_eq!(refused(&different), conflict_at(&["input", "idempotencyKey"]));
    desk.takes(6).await;
    desk.close(&id, false).await;
    assert_eq!(again().await["message"], first["message"], "whatever has happened to the session since");
    assert_eq!(desk.provider.counters().duplicates, 0);
    assert_eq!(desk.provider.counters().accepted, 6);
    assert_eq!(desk.workspace.server.differences().await, []);
}

async fn after_a_day_without_a_word_an_agent_writes_nothing(desk: Desk) {
    let id = desk.hands_over(1).await;
    let say = || desk.say(json!({ "sessionId": id, "text": "Still there?" }));
    desk.takes(2).await;
    desk.workspace.server.clock.advance(Duration::from_mins(24 * 60 - 10));
    assert_eq!(say().await["userErrors"], json!([]));
    desk.takes(3).await;
    desk.workspace.server.clock.advance(Duration::from_mins(11));
    let payload = say().await;
    assert_eq!(refused(&payload), conflict_at(&["input", "sessionId"]));
    let told = payload["userErrors"][0]["message"].as_str().unwrap();
    assert!(told.contains("only templates may be sent now"), "{told}");
    assert_eq!(refused(&desk.close(&id, true).await), conflict_at(&["id"]));
    assert_eq!(desk.session(&id).await["status"], "AGENT");
    desk.write(1, "Yes").await;
    assert_eq!(say().await["userErrors"], json!([]));
    desk.takes(4).await;
}

async fn a_session_is_closed_with_a_rating_or_without(desk: Desk) {
    let id = desk.hands_over(1).await;
    let asked = json!({ "id": id, "status": "RATING", "step": "rate" });
    for _ in 0..2 {
        assert_eq!(desk.close(&id, true).await["session"], asked, "asking again changes nothing");
    }
    desk.write(1, "Good").await;
    assert_eq!(desk.session(&id).await["status"], "COMPLETED");
    // A greeting, a moment, a question, and thanks.
    desk.takes(4).await;
    let other = desk.hands_over(2).await;
    assert_eq!(desk.close(&other, false).await["session"]["status"], "COMPLETED");
    for over in [&id, &other] {
        assert_eq!(desk.session(over).await["expiresAt"], Value::Null);
        assert_eq!(refused(&desk.close(over, false).await), conflict_at(&["id"]));
        assert_eq!(refused(&desk.close(over, true).await), conflict_at(&["id"]));
        let assigned = desk.workspace.api.ask_one(ASSIGN_SESSION, json!({ "id": over, "agent": "Ana" })).await;
        assert_eq!(refused(&assigned), conflict_at(&["id"]));
        let said = desk.say(json!({ "sessionId": over, "text": "Hi" })).await;
        assert_eq!(refused(&said), conflict_at(&["input", "sessionId"]));
    }
    desk.takes(6).await;
    assert_eq!(desk.workspace.server.differences().await, []);
}

async fn where_no_flow_asks_for_a_rating_none_is_asked_for(desk: Desk) {
    let workspace = &desk.workspace;
    let line = workspace.another_line(true).await;
    let elsewhere = workspace.conversation_on(&line, "Elsewhere", "INBOUND", inbound_flow()).await;
    let now = workspace.server.clock.now().to_string();
    let message = json!({ "lineId": line.id, "phone": phone(1), "sender": "USER", "kind": "TEXT", "text": "Hi", "at": now,
        "providerMessageId": "wamid.1" });
    let session = json!({ "providerMessageId": "wamid.1", "sessionStatus": "AGENT", "at": now });
    workspace.record(json!([{ "message": message }])).await;
    workspace.record(json!([{ "session": session }])).await;
    let user = workspace.user(&elsewhere, "deployments { nodes { session { id step expiresAt } } }").await;
    let session = user["deployments"]["nodes"][0]["session"].clone();
    assert_eq!((&session["step"], &session["expiresAt"]), (&Value::Null, &Value::Null));
    let id = session["id"].as_str().unwrap();
    assert_eq!(refused(&desk.close(id, true).await), ("INVALID".to_owned(), json!(["rating"])));
    let said = desk.say(json!({ "sessionId": id, "text": "Hi" })).await;
    assert_eq!(refused(&said), conflict_at(&["input", "sessionId"]), "another system sends");
    assert_eq!(desk.assign(id, "Ana").await["agent"], "Ana");
    assert_eq!(desk.close(id, false).await["session"]["status"], "COMPLETED");
    assert_eq!(workspace.server.differences().await, []);
}

async fn sessions_are_for_their_workspace_and_for_scopes(desk: Desk) {
    let id = desk.hands_over(1).await;
    desk.assign(&id, "Ana").await;
    let changes = [
        (ASSIGN_SESSION, json!({ "id": id, "agent": "Eve" })),
        (SEND_AGENT_MESSAGE, json!({ "input": { "sessionId": id, "text": "Hi" } })),
        (CLOSE_SESSION, json!({ "id": id })),
    ];
    let stranger = desk.workspace.server.client("stranger", "admin,personal").await;
    assert_eq!(stranger.ask_one(INBOX, json!({})).await["totalCount"], 0);
    let theirs = json!({ "conversationId": desk.conversation, "lineId": desk.workspace.line.id });
    assert_eq!(stranger.ask_one(INBOX, json!({ "filter": theirs })).await["nodes"], json!([]));
    assert_eq!(stranger.ask_one(SESSION, json!({ "id": id })).await, Value::Null);
    let refusal = stranger.subscribe(FOLLOW, json!({ "ids": [desk.conversation] })).await.refusal().await;
    assert_eq!(refusal["extensions"]["code"], "NOT_FOUND");
    for (mutation, variables) in &changes {
        let payload = stranger.ask_one(mutation, variables.clone()).await;
        assert_eq!(refused(&payload).0, "NOT_FOUND", "{mutation}");
    }
    // Who may not see personal data sees who serves whom, but not whom.
    let reader = desk.workspace.server.client("acme", "read").await;
    let seen = reader.ask_one(INBOX, json!({})).await["nodes"][0].clone();
    assert_eq!((&seen["agent"], seen["user"]["phone"] == phone(1)), (&json!("Ana"), false));
    for (mutation, variables) in changes {
        assert_eq!(reader.refusal(mutation, variables).await.code, "FORBIDDEN", "{mutation}");
    }
    assert_eq!(desk.session(&id).await["agent"], "Ana");
}

async fn a_user_with_an_agent_is_not_sent_to(desk: Desk) {
    let id = desk.hands_over(1).await;
    let outbound = desk.workspace.conversation("Welcome").await;
    let send = desk.workspace.send(&outbound, recipients(1, 2)).await;
    desk.workspace.reaches(&send, "COMPLETED").await;
    let mut failures = desk.workspace.users(&outbound, "phone failure { reason }").await;
    failures.sort_unstable_by_key(|user| user["phone"].to_string());
    let expected = [json!({ "reason": "OPEN_AGENT_SESSION" }), Value::Null];
    assert_eq!(failures.iter().map(|user| user["failure"].clone()).collect::<Vec<_>>(), expected);
    assert_eq!(desk.session(&id).await["status"], "AGENT");
    // Once the agent is done, the user is reached, which leaves nothing of the session open.
    desk.close(&id, false).await;
    let again = desk.workspace.send(&outbound, recipients(1, 1)).await;
    desk.workspace.reaches(&again, "COMPLETED").await;
    let failed = desk.workspace.metrics(&outbound).await["sendFailure"].clone();
    assert_eq!(failed, 0);
}

/// Lets something happen until a follower, of whom nobody knows when it began, is told of it.
async fn begin(frames: &mut Subscription, mut happens: impl AsyncFnMut(usize)) -> Value {
    for turn in 0.. {
        happens(turn).await;
        if let Ok(frame) = timeout(Duration::from_millis(200), frames.next()).await {
            return frame.unwrap();
        }
    }
    unreachable!("turns have no end")
}

async fn followers_are_told_of_sessions_as_they_are(desk: Desk) {
    let id = desk.hands_over(1).await;
    let api = &desk.workspace.api;
    let mut all = api.subscribe(FOLLOW, json!({})).await;
    let mut mine = api
        .subscribe(FOLLOW, json!({ "ids": [desk.conversation], "filter": { "agent": "Ana", "status": ["AGENT"] } }))
        .await;
    let first = begin(&mut all, async |turn| drop(desk.assign(&id, &format!("Agent {turn}")).await)).await;
    assert_eq!((&first["id"], &first["status"]), (&json!(id), &json!("AGENT")));
    let first = begin(&mut mine, async |turn| {
        desk.assign(&id, &format!("Agent {turn}")).await;
        desk.assign(&id, "Ana").await;
    });
    assert_eq!(first.await["agent"], "Ana", "nobody else's");
    // A message is told of, whoever writes it.
    desk.write(2, "Hello").await;
    all.next_where(|frame| frame["status"] == "BOT" && frame["user"]["phone"] == phone(2)).await;
    for turn in 0..2 {
        if turn == 0 {
            desk.write(1, "Hello?").await;
        } else {
            desk.say(json!({ "sessionId": id, "text": "Yes" })).await;
        }
        assert_eq!(all.next_where(|frame| frame["id"] == json!(id)).await["status"], "AGENT");
        mine.next_where(|frame| frame["id"] == json!(id)).await;
    }
    // What is published later is followed too.
    desk.publish(help("who")).await;
    desk.write(3, "Hello").await;
    let begun = all.next_where(|frame| frame["user"]["phone"] == phone(3)).await;
    assert_eq!((&begun["status"], &begun["version"]["number"]), (&json!("BOT"), &json!(2)));
    desk.close(&id, false).await;
    all.next_where(|frame| frame["id"] == json!(id) && frame["status"] == "COMPLETED").await;
    let newer = desk.hands_over(4).await;
    desk.assign(&newer, "Ana").await;
    let next = mine.next_where(|frame| frame["id"] != json!(id)).await;
    assert_eq!((&next["id"], &next["agent"]), (&json!(newer), &json!("Ana")));
    let many: Value = (0..201).map(|_| json!(desk.conversation)).collect();
    let refusal = api.subscribe(FOLLOW, json!({ "ids": many })).await.refusal().await;
    assert!(refusal["message"].as_str().unwrap().contains("conversationIds"));
}

/// A step with how many entered it, went on and left.
fn figures(step: &Value) -> (&str, [i64; 3]) {
    let count = |name: &str| step[name].as_i64().unwrap();
    (step["step"].as_str().unwrap(), [count("entered"), count("answered"), count("left")])
}

async fn a_funnel_tells_where_users_leave(desk: Desk) {
    let nobody = desk.funnel().await;
    let nobody: Vec<_> = nobody.as_array().unwrap().iter().map(figures).collect();
    assert_eq!(nobody, ["hi", "name", "help", "rate"].map(|step| (step, [0, 0, 0])));
    for person in 1..=3 {
        desk.write(person, "Hello").await;
    }
    desk.workspace.server.clock.advance(Duration::from_secs(30));
    desk.write(1, "Order").await;
    desk.write(1, "Ana").await;
    desk.write(1, "Good").await;
    desk.write(2, "Agent").await;
    let id = desk.session_of(2).await["id"].as_str().unwrap().to_owned();
    desk.close(&id, false).await;
    let funnel = desk.funnel().await;
    let funnel = funnel.as_array().unwrap();
    let told: Vec<_> = funnel.iter().map(figures).collect();
    assert_eq!(told, [("hi", [3, 2, 0]), ("name", [1, 1, 0]), ("help", [1, 1, 0]), ("rate", [1, 1, 0])]);
    let median = funnel[0]["medianSeconds"].as_i64().unwrap();
    assert!((30..60).contains(&median), "{median}");
    assert_eq!((&funnel[2]["medianSeconds"], &funnel[2]["leftShare"]), (&Value::Null, &json!(0.0)));
    assert!((funnel[0]["answeredShare"].as_f64().unwrap() - 2.0 / 3.0).abs() < 1e-9);
    // What is sent is entered by whom it reaches, and a flow that does not run has its opening alone.
    let outbound = desk.workspace.conversation("Welcome").await;
    let found = desk.workspace.api.ask_one(FUNNEL, json!({ "id": outbound })).await;
    assert_eq!(found["currentVersion"]["funnel"], json!([]));
    assert_eq!(desk.workspace.server.differences().await, []);
}

async fn two_versions_are_compared_step_by_step(desk: Desk) {
    for person in 1..=3 {
        desk.write(person, "Hello").await;
    }
    desk.write(1, "Order").await;
    desk.publish(help("who")).await;
    desk.write(4, "Hello").await;
    desk.write(4, "Order").await;
    let compare = async |a: i64, b: i64| {
        let variables = json!({ "id": desk.conversation, "a": a, "b": b });
        desk.workspace.api.post(COMPARE, variables).await
    };
    let compared = compare(1, 2).await.body["data"]["conversation"]["compareVersions"].clone();
    assert_eq!((&compared["a"]["number"], &compared["b"]["number"]), (&json!(1), &json!(2)));
    let steps = compared["steps"].as_array().unwrap();
    let names: Vec<_> = steps.iter().map(|step| step["step"].as_str().unwrap()).collect();
    assert_eq!(names, ["hi", "who", "help", "rate", "name"]);
    let entered = |count: i64| json!({ "entered": count });
    assert_eq!((&steps[0]["a"], &steps[0]["b"]), (&entered(3), &entered(1)));
    assert!((steps[0]["answeredShareDifference"].as_f64().unwrap() - 2.0 / 3.0).abs() < 1e-9);
    assert_eq!(steps[0]["leftShareDifference"], json!(0.0));
    let who = json!({ "step": "who", "a": null, "b": entered(1), "answeredShareDifference": null,
        "leftShareDifference": null });
    assert_eq!(steps[1], who);
    assert_eq!((&steps[4]["a"], &steps[4]["b"]), (&entered(1), &Value::Null));
    for (a, b) in [(3, 1), (1, 0), (1, -1)] {
        assert_eq!(compare(a, b).await.body["data"]["conversation"], json!({ "compareVersions": null }));
    }
}
