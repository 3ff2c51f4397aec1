//! What is pushed live as server-sent events, and how it is resumed.

use futures_util::future::join;
use serde_json::{Value, json};

use crate::support::events::Events;
use crate::support::trial::tests;
use crate::support::webhook::{Webhook, in_reply_to, status, text};
use crate::support::workspace::{METRICS, Person, Workspace, recipients, wa_id};

tests! {
    on_both_databases: [
        changes_resume_behind_the_event_received_last,
        a_resumed_stream_stays_with_its_version,
        added_messages_resume_and_none_is_missed,
        metrics_begin_with_the_present_whatever_was_received_last,
        an_event_of_something_else_is_refused,
    ],
}

const CHANGES: &str = "subscription($id: ID!, $version: Int, $after: Int) {
    userChanged(conversationId: $id, version: $version, afterRevision: $after) { number: revision } }";
const MESSAGES: &str =
    "subscription($id: ID!, $after: Int) { messageAdded(userId: $id, afterRevision: $after) { text } }";

async fn changes_resume_behind_the_event_received_last(workspace: Workspace) {
    let conversation = workspace.conversation("Welcome").await;
    workspace.send(&conversation, recipients(0, 10)).await;
    let variables = json!({ "id": conversation, "after": 0 });
    let mut events = workspace.api.events(CHANGES, variables.clone(), None).await;
    let mut seen = Vec::new();
    // The connection breaks after every fourth event, while more is recorded.
    let sends = async {
        for first in 1..5 {
            workspace.send(&conversation, recipients(first * 10, 10)).await;
        }
    };
    let follow = async {
        while seen.len() < 50 {
            for _ in 0..4 {
                if seen.len() < 50 {
                    seen.push(events.next().await.unwrap()["number"].as_i64().unwrap());
                }
            }
            let last = events.last_id.take();
            assert!(last.as_deref().unwrap().ends_with(&format!(":{}", seen.last().unwrap())));
            events = workspace.api.events(CHANGES, variables.clone(), last.as_deref()).await;
        }
    };
    join(sends, follow).await;
    assert_eq!(seen, (1..=50).collect::<Vec<_>>());
}

async fn a_resumed_stream_stays_with_its_version(workspace: Workspace) {
    let conversation = workspace.conversation("Welcome").await;
    workspace.send(&conversation, recipients(0, 3)).await;
    let mut events = workspace.api.events(CHANGES, json!({ "id": conversation, "after": 0 }), None).await;
    assert_eq!(events.next().await.unwrap()["number"], 1);
    workspace.publish(&conversation).await;
    workspace.send(&conversation, recipients(0, 9)).await;
    // Without the id it would be the second version's.
    let last = events.last_id.as_deref();
    let mut events = workspace.api.events(CHANGES, json!({ "id": conversation }), last).await;
    assert_eq!(events.next().await.unwrap()["number"], 2);
    assert_eq!(events.next().await.unwrap()["number"], 3);
    let both = json!({ "id": conversation, "version": 2 });
    let error = error(workspace.api.events(CHANGES, both, last).await).await;
    assert_eq!((code(&error), about_the_header(&error)), ("BAD_USER_INPUT", true));
}

async fn added_messages_resume_and_none_is_missed(workspace: Workspace) {
    let conversation = workspace.conversation("Welcome").await;
    let person = workspace.send_to(&conversation, 0, 1).await.remove(0);
    let at = workspace.server.clock.seconds();
    let sent = Webhook::of("1000").status(status(&person.wamid, Some(&person.message), "sent", at));
    workspace.server.post(&sent.payload()).await;
    let begin = json!({ "id": person.user, "after": 0 });
    let mut events = workspace.api.events(MESSAGES, begin, None).await;
    assert!(events.next().await.unwrap()["text"].is_null(), "the template comes first");
    answer(&workspace, &person, &["one"]).await;
    assert_eq!(events.next().await.unwrap()["text"], "one");
    let last = events.last_id.take();
    drop(events);
    // Three that are recorded together are one change, and a connection may break between them.
    answer(&workspace, &person, &["two", "three", "four"]).await;
    let again = json!({ "id": person.user });
    let mut events = workspace.api.events(MESSAGES, again.clone(), last.as_deref()).await;
    assert_eq!(events.next().await.unwrap()["text"], "two");
    let between = events.last_id.take();
    let mut events = workspace.api.events(MESSAGES, again.clone(), between.as_deref()).await;
    for words in ["two", "three", "four"] {
        assert_eq!(events.next().await.unwrap()["text"], words);
    }
    let last = events.last_id.take();
    answer(&workspace, &person, &["five"]).await;
    let mut events = workspace.api.events(MESSAGES, again, last.as_deref()).await;
    assert_eq!(events.next().await.unwrap()["text"], "five");
}

async fn metrics_begin_with_the_present_whatever_was_received_last(workspace: Workspace) {
    let conversation = workspace.conversation("Welcome").await;
    let people = workspace.send_to(&conversation, 0, 2).await;
    let document =
        format!("subscription($id: ID!) {{ metricsChanged(conversationId: $id, everyMs: 50) {{ {METRICS} }} }}");
    let changes = json!({ "id": conversation, "after": 0 });
    let mut events = workspace.api.events(CHANGES, changes, None).await;
    events.next().await.unwrap();
    let mut frames = workspace.api.events(&document, json!({ "id": conversation }), events.last_id.as_deref()).await;
    assert_eq!(frames.next().await.unwrap(), workspace.metrics(&conversation).await);
    let at = workspace.server.clock.seconds();
    let read = Webhook::of("1000").status(status(&people[0].wamid, Some(&people[0].message), "read", at));
    workspace.server.post(&read.payload()).await;
    assert_eq!(frames.next().await.unwrap()["read"], 1);
}

async fn an_event_of_something_else_is_refused(workspace: Workspace) {
    let (one, other) = (workspace.conversation("One").await, workspace.conversation("Other").await);
    let people = workspace.send_to(&one, 0, 1).await;
    workspace.send(&other, recipients(0, 1)).await;
    let mut events = workspace.api.events(CHANGES, json!({ "id": other, "after": 0 }), None).await;
    events.next().await.unwrap();
    let last = events.last_id.take().unwrap();
    let ahead = last.replace(":1", ":9");
    for (document, id, last) in [(CHANGES, &one, &last), (MESSAGES, &people[0].user, &last), (CHANGES, &other, &ahead)]
    {
        let error = error(workspace.api.events(document, json!({ "id": id }), Some(last)).await).await;
        assert_eq!((code(&error), about_the_header(&error)), ("BAD_USER_INPUT", true), "{error}");
    }
    // To another workspace the event is that of nothing.
    let elsewhere = workspace.server.client("elsewhere", "read").await;
    let error = error(elsewhere.events(CHANGES, json!({ "id": other }), Some(&last)).await).await;
    assert_eq!(code(&error), "NOT_FOUND");
}

async fn answer(workspace: &Workspace, person: &Person, texts: &[&str]) {
    let at = workspace.server.clock.seconds();
    let webhook = texts.iter().zip(1..).fold(Webhook::of("1000"), |webhook, (words, second)| {
        let message = text(&format!("wamid.{words}"), &wa_id(&person.phone), words, at + second);
        webhook.message(in_reply_to(message, &person.wamid))
    });
    assert_eq!(workspace.server.post(&webhook.payload()).await, 200);
}

async fn error(mut events: Events) -> Value {
    events.result().await.expect("an error is a result")["errors"][0].clone()
}

fn code(error: &Value) -> &str {
    error["extensions"]["code"].as_str().unwrap()
}

fn about_the_header(error: &Value) -> bool {
    error["message"].as_str().unwrap().contains("Last-Event-ID")
}
