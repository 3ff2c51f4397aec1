//! The law of facts: whatever the order in which signed webhooks arrive and however often, the same history ends in the same
//! figures and rows. What they must be is worked out here from the history alone, by the words of the definitions.

use std::collections::BTreeMap;
use std::time::Duration;

use bluetick::domain::clock::Timestamp;
use bluetick::whatsapp::simulator::SimulatorSettings;
use futures_util::future::join_all;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};

use crate::support::database::Database;
use crate::support::trial::tests;
use crate::support::webhook::{Webhook, failed, in_reply_to, message, status, text};
use crate::support::workspace::{Person, Workspace, inbound_flow, phone, recipients, wa_id};

tests! {
    on_both_databases: [
        any_order_of_a_history_ends_in_the_same_figures,
        any_order_of_the_users_own_messages_begins_the_same_deployment,
    ],
}

/// What happened to one user, in seconds after the first send.
#[derive(Debug, Clone, Copy)]
struct Event {
    /// Which of the user's two deployments it is about.
    deployment: usize,
    what: What,
    at: i64,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum What {
    Status(&'static str),
    Failed(i32),
    /// An answer that quotes the first message.
    Quote,
    /// An answer that quotes nothing, so that its time tells what it answers.
    Text,
    Reaction,
}

/// What must be shown of one user.
#[derive(Debug, PartialEq)]
struct Expected {
    status: &'static str,
    failure: Option<(i32, i64)>,
    stage: Option<&'static str>,
    activity: Option<i64>,
    answers: usize,
}

/// Users of each conversation.
const USERS: usize = 12;
/// Orders in which the same history is told.
const ORDERS: usize = 5;
/// Seconds between the two sends.
const BETWEEN: i64 = 100;

async fn any_order_of_a_history_ends_in_the_same_figures(database: Database) {
    let (workspace, _provider) = Workspace::with_provider(database, SimulatorSettings::default()).await;
    let history = history(&mut StdRng::seed_from_u64(2_026));
    let begin = workspace.server.clock.seconds();
    let mut conversations = Vec::new();
    for order in 0..ORDERS {
        let conversation = workspace.conversation(&format!("Order {order}")).await;
        workspace.send(&conversation, recipients(order * USERS, USERS)).await;
        let first = workspace.accepted_people(&conversation).await;
        conversations.push((conversation, first));
    }
    workspace.server.clock.advance(Duration::from_secs(BETWEEN.unsigned_abs()));
    for (order, (conversation, first)) in conversations.iter().enumerate() {
        workspace.send(conversation, recipients(order * USERS, USERS)).await;
        let second = workspace.accepted_people(conversation).await;
        let mut chance = StdRng::seed_from_u64(order as u64);
        tell(&workspace, &history, &[first, &second], begin, &mut chance).await;
    }
    let expected: Vec<_> = history.iter().map(|events| expected(events)).collect();
    for (conversation, _) in &conversations {
        assert_rows(&workspace, conversation, &expected, begin).await;
        assert_figures(&workspace.metrics(conversation).await, &expected);
    }
    assert_eq!(workspace.server.differences().await, []);
    assert_eq!(workspace.server.database.count("SELECT count(*) FROM parked").await, 0, "nothing waits any longer");
}

async fn any_order_of_the_users_own_messages_begins_the_same_deployment(workspace: Workspace) {
    let line = workspace.line.clone();
    let conversation = workspace.conversation_on(&line, "Inbound", "INBOUND", inbound_flow()).await;
    let begin = workspace.server.clock.seconds() - 1_000;
    let mut chance = StdRng::seed_from_u64(5);
    for order in 0..8 {
        let mut messages: Vec<_> = (0..6_i64).map(|nth| (nth, begin + nth * 10)).collect();
        messages.shuffle(&mut chance);
        let phone = phone(order);
        for (nth, at) in messages {
            let told = text(&format!("wamid.{order}.{nth}"), &wa_id(&phone), &format!("message {nth}"), at);
            assert_eq!(workspace.server.post(&Webhook::of("1000").message(told).payload()).await, 200);
        }
    }
    let fields = "phone deployedAt deploymentStatus stage lastActivityAt deployments { totalCount }
        history { nodes { text } }";
    let users = workspace.users(&conversation, fields).await;
    assert_eq!(users.len(), 8);
    let texts: Value = (0..6).map(|nth| json!({ "text": format!("message {nth}") })).collect();
    for user in users {
        let expected = json!({
            "phone": user["phone"], "deployedAt": moment(begin), "deploymentStatus": "QUEUED", "stage": null,
            "lastActivityAt": moment(begin + 50), "deployments": { "totalCount": 1 }, "history": { "nodes": texts },
        });
        assert_eq!(user, expected);
    }
    let metrics = workspace.metrics(&conversation).await;
    assert_eq!(
        (&metrics["totalUsers"], &metrics["responses"], &metrics["totalDeployments"]),
        (&json!(8), &json!(0), &json!(8))
    );
    assert_eq!(workspace.server.differences().await, []);
}

/// What happens to each user.
fn history(chance: &mut StdRng) -> Vec<Vec<Event>> {
    let outcomes: [&[What]; 9] = [
        &[],
        &[What::Status("sent")],
        &[What::Status("sent"), What::Status("delivered")],
        &[What::Status("sent"), What::Status("delivered"), What::Status("read")],
        &[What::Status("read")],
        &[What::Status("sent"), What::Failed(131_026), What::Failed(131_049)],
        &[What::Status("sent"), What::Failed(131_026), What::Status("delivered"), What::Quote],
        &[What::Status("sent"), What::Text, What::Reaction, What::Text],
        &[What::Status("delivered"), What::Reaction],
    ];
    let one_user = |_| {
        let mut events = Vec::new();
        for deployment in 0..2_usize {
            let mut at = if deployment == 0 { 2 } else { BETWEEN + 60 };
            for what in outcomes[chance.random_range(0..outcomes.len())] {
                at += chance.random_range(0..4);
                events.push(Event { deployment, what: *what, at });
            }
        }
        events
    };
    (0..USERS).map(one_user).collect()
}

/// Posts the whole history in some order, some of it twice, in calls of any size and from several clients at once.
async fn tell(
    workspace: &Workspace,
    history: &[Vec<Event>],
    people: &[&Vec<Person>; 2],
    begin: i64,
    chance: &mut StdRng,
) {
    let events = history.iter().enumerate().flat_map(|(user, events)| events.iter().map(move |event| (user, *event)));
    let mut events: Vec<_> = events.enumerate().collect();
    let again: Vec<_> = events.iter().filter(|_| chance.random_bool(0.3)).copied().collect();
    events.extend(again);
    events.shuffle(chance);
    let mut calls = Vec::new();
    while !events.is_empty() {
        let rest = events.split_off(events.len().min(chance.random_range(1..7)));
        let call = events.iter().fold(Webhook::of("1000"), |webhook, (nth, (user, event))| {
            let person = &people[event.deployment][*user];
            update(webhook, person, *nth, event, begin, chance.random_bool(0.5))
        });
        calls.push(call.payload());
        events = rest;
    }
    let posts = calls.chunks(calls.len().div_ceil(4)).map(|calls| async move {
        for call in calls {
            assert_eq!(workspace.server.post(call).await, 200);
        }
    });
    join_all(posts).await;
}

/// The webhook with one more update. A status names its message by the provider's id, with or without our own.
fn update(webhook: Webhook, person: &Person, nth: usize, event: &Event, begin: i64, by_own_id: bool) -> Webhook {
    let own = by_own_id.then_some(person.message.as_str());
    let (from, at) = (wa_id(&person.phone), begin + event.at);
    let id = format!("wamid.{nth}.{}", person.phone);
    match event.what {
        What::Status(name) => webhook.status(status(&person.wamid, own, name, at)),
        What::Failed(code) => webhook.status(failed(&person.wamid, own, code, at)),
        What::Quote => webhook.message(in_reply_to(text(&id, &from, "Yes", at), &person.wamid)),
        What::Text => webhook.message(text(&id, &from, "Yes", at)),
        What::Reaction => {
            let content = json!({ "message_id": person.wamid, "emoji": "👍" });
            webhook.message(message(&id, &from, "reaction", &content, at))
        }
    }
}

/// What the definitions make of a user's history.
fn expected(events: &[Event]) -> Expected {
    let of_latest: Vec<_> = events.iter().filter(|event| event.deployment == 1).collect();
    let is_answer = |event: &&&Event| [What::Quote, What::Text].contains(&event.what);
    let by_user = |event: &&Event| [What::Quote, What::Text, What::Reaction].contains(&event.what);
    let told = |name| of_latest.iter().any(|event| event.what == What::Status(name));
    let answers = of_latest.iter().filter(is_answer).count();
    let failure = of_latest.iter().filter_map(|event| match event.what {
        What::Failed(code) => Some((event.at, code)),
        _ => None,
    });
    let failure = failure.min().map(|(at, code)| (code, at));
    let status = if told("read") {
        "READ"
    } else if told("delivered") || answers > 0 {
        "DELIVERED"
    } else if failure.is_some() {
        "FAILED"
    } else if told("sent") {
        "SENT"
    } else {
        "ACCEPTED"
    };
    Expected {
        status,
        failure: failure.filter(|_| status == "FAILED"),
        stage: (answers > 0).then_some("IN_FLOW"),
        activity: events.iter().filter(by_user).map(|event| event.at).max(),
        answers: events.iter().filter(by_user).count(),
    }
}

async fn assert_rows(workspace: &Workspace, conversation: &str, expected: &[Expected], begin: i64) {
    let fields = "phone deploymentStatus failure { code at } stage lastActivityAt
        history(first: 200) { nodes { sender } } deployments { totalCount }";
    let mut users = workspace.users(conversation, fields).await;
    users.sort_by_key(|user| user["phone"].to_string());
    assert_eq!(users.len(), USERS);
    for (user, expected) in users.iter().zip(expected) {
        let failure = expected.failure.map(|(code, at)| json!({ "code": code, "at": moment(begin + at) }));
        let by_user = user["history"]["nodes"].as_array().unwrap().iter().filter(|one| one["sender"] == "USER").count();
        let shown = [&user["deploymentStatus"], &user["failure"], &user["stage"], &user["lastActivityAt"]];
        let activity = expected.activity.map(|at| moment(begin + at));
        assert_eq!(
            shown,
            [&json!(expected.status), &json!(failure), &json!(expected.stage), &json!(activity)],
            "{user}"
        );
        assert_eq!((by_user, &user["deployments"]["totalCount"]), (expected.answers, &json!(2)), "{user}");
    }
}

fn assert_figures(metrics: &Value, expected: &[Expected]) {
    let count = |is: &dyn Fn(&Expected) -> bool| expected.iter().filter(|one| is(one)).count();
    let arrived = |one: &Expected| ["DELIVERED", "READ"].contains(&one.status);
    for (figure, count) in [
        ("totalUsers", USERS),
        ("messagesSent", count(&arrived)),
        ("delivered", count(&arrived)),
        ("read", count(&|one| one.status == "READ")),
        ("inProcess", count(&|one| ["ACCEPTED", "SENT"].contains(&one.status))),
        ("sendFailure", count(&|one| one.status == "FAILED")),
        ("responses", count(&|one| one.stage.is_some())),
        ("inFlow", count(&|one| one.stage == Some("IN_FLOW"))),
        ("finished", 0),
        ("totalDeployments", 2 * USERS),
    ] {
        assert_eq!(metrics[figure], count, "{figure}");
    }
    let mut by_reason = BTreeMap::new();
    for (code, _) in expected.iter().filter_map(|one| one.failure) {
        *by_reason.entry(if code == 131_026 { "UNDELIVERABLE" } else { "WITHHELD" }).or_insert(0) += 1;
    }
    let shown = metrics["byFailure"].as_array().unwrap().iter();
    let shown: BTreeMap<_, _> =
        shown.map(|one| (one["reason"].as_str().unwrap(), one["count"].as_i64().unwrap())).collect();
    assert_eq!(shown, by_reason);
}

fn moment(second: i64) -> String {
    Timestamp::from_seconds(second).unwrap().to_string()
}
