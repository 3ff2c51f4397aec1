//! What is pushed live, against what a query tells at the same revision.

use std::time::{Duration, Instant};

use bluetick::config::Secret;
use bluetick::whatsapp::simulator::SimulatorSettings;
use futures_util::future::join_all;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};

use crate::support::database::Database;
use crate::support::server::Server;
use crate::support::socket::Subscription;
use crate::support::trial::tests;
use crate::support::wait::until;
use crate::support::webhook::{APP_SECRET, Webhook, failed, in_reply_to, status, text};
use crate::support::workspace::{METRICS, Person, Workspace, id_of, recipients, wa_id};

tests! {
    on_both_databases: [
        metrics_come_at_once_and_again_whenever_they_changed,
        metrics_that_change_fast_are_told_together_and_the_last_is_never_lost,
        metrics_follow_the_current_version_unless_one_is_named,
        every_change_of_a_user_is_told_once_and_in_order,
        changes_resume_behind_a_revision_without_a_gap_or_a_repeat,
        a_client_that_does_not_read_catches_up_and_keeps_nobody_waiting,
        a_filter_shows_users_entering_and_leaving,
        a_change_tells_what_it_touched,
        progress_completes_when_the_send_does,
        progress_of_a_completed_send_is_one_frame,
        progress_is_told_where_no_user_changes,
        added_messages_come_in_the_order_recorded,
        what_is_not_there_is_refused_at_once,
    ],
    on_postgres: [
        another_nodes_commits_are_told,
    ],
}

const USER_CHANGED: &str = "subscription($id: ID!, $after: Int, $filter: UserChangeFilter) {
    userChanged(conversationId: $id, afterRevision: $after, filter: $filter) {
      revision at kinds deploymentStatus stage sessionStatus user { id deploymentStatus } } }";
const PROGRESS: &str = "subscription($id: ID!) { sendProgress(sendId: $id, everyMs: 50) {
    id state totalUsers completedAt progress { status count } } }";

fn metrics_changed() -> String {
    format!(
        "subscription($id: ID!, $version: Int, $every: Int) {{
           metricsChanged(conversationId: $id, version: $version, everyMs: $every) {{ {METRICS} }} }}"
    )
}

async fn metrics_come_at_once_and_again_whenever_they_changed(workspace: Workspace) {
    let conversation = workspace.conversation("Welcome").await;
    let people = workspace.send_to(&conversation, 0, 3).await;
    let variables = json!({ "id": conversation, "every": 50 });
    let mut frames = workspace.api.subscribe(&metrics_changed(), variables).await;
    let first = frames.next().await.unwrap();
    assert_eq!(without_as_of(&first), without_as_of(&workspace.metrics(&conversation).await));
    assert_eq!((&first["totalUsers"], &first["revision"]), (&json!(3), &json!(3)));
    let at = workspace.server.clock.seconds();
    for (person, delivered) in people.iter().zip(1..) {
        let webhook = Webhook::of("1000").status(status(&person.wamid, Some(&person.message), "delivered", at));
        workspace.server.post(&webhook.payload()).await;
        let frame = frames.next().await.unwrap();
        assert_eq!((&frame["delivered"], &frame["revision"]), (&json!(delivered), &json!(3 + delivered)));
        assert_eq!(without_as_of(&frame), without_as_of(&workspace.metrics(&conversation).await));
    }
    // What changes nothing tells nothing: the next frame is that of the next change.
    let again = Webhook::of("1000").status(status(&people[0].wamid, Some(&people[0].message), "delivered", at));
    workspace.server.post(&again.payload()).await;
    let read = Webhook::of("1000").status(status(&people[0].wamid, Some(&people[0].message), "read", at + 1));
    workspace.server.post(&read.payload()).await;
    assert_eq!(frames.next().await.unwrap()["read"], 1);
}

async fn metrics_that_change_fast_are_told_together_and_the_last_is_never_lost(workspace: Workspace) {
    let conversation = workspace.conversation("Welcome").await;
    let people = workspace.send_to(&conversation, 0, 150).await;
    let every = Duration::from_millis(200);
    let variables = json!({ "id": conversation, "every": 200 });
    let begin = Instant::now();
    let mut frames = workspace.api.subscribe(&metrics_changed(), variables).await;
    let at = workspace.server.clock.seconds();
    let server = &workspace.server;
    let posts = people.chunks(15).map(|some| async move {
        for person in some {
            let webhook = Webhook::of("1000").status(status(&person.wamid, Some(&person.message), "read", at));
            assert_eq!(server.post(&webhook.payload()).await, 200);
        }
    });
    let seen = async {
        let mut seen = vec![frames.next().await.unwrap()];
        while seen.last().unwrap()["read"] != 150 {
            seen.push(frames.next().await.unwrap());
        }
        seen
    };
    let (_, seen) = futures_util::join!(join_all(posts), seen);
    let most = begin.elapsed().as_millis() / every.as_millis() + 2;
    assert!(seen.len() as u128 <= most, "{} frames came where at most {most} may", seen.len());
    assert!(seen.is_sorted_by(|one, next| one["revision"].as_i64() < next["revision"].as_i64()));
    for frame in &seen {
        let figure = |name: &str| frame[name].as_i64().unwrap();
        assert_eq!(figure("totalUsers"), figure("messagesSent") + figure("inProcess") + figure("sendFailure"));
    }
    assert_eq!(without_as_of(seen.last().unwrap()), without_as_of(&workspace.metrics(&conversation).await));
}

async fn metrics_follow_the_current_version_unless_one_is_named(workspace: Workspace) {
    let conversation = workspace.conversation("Welcome").await;
    workspace.send(&conversation, recipients(0, 2)).await;
    let document = metrics_changed();
    let mut current = workspace.api.subscribe(&document, json!({ "id": conversation, "every": 50 })).await;
    let mut first = workspace.api.subscribe(&document, json!({ "id": conversation, "version": 1, "every": 50 })).await;
    for frames in [&mut current, &mut first] {
        let frame = frames.next().await.unwrap();
        assert_eq!((&frame["versionNumber"], &frame["totalUsers"]), (&json!(1), &json!(2)));
    }
    assert_eq!(workspace.publish(&conversation).await, 2);
    let frame = current.next().await.unwrap();
    assert_eq!((&frame["versionNumber"], &frame["totalUsers"]), (&json!(2), &json!(0)));
    workspace.send(&conversation, recipients(0, 1)).await;
    let frame = current.next().await.unwrap();
    assert_eq!((&frame["versionNumber"], &frame["totalUsers"]), (&json!(2), &json!(1)));
    // The one that named version 1 heard nothing of all that: what it hears next is of version 1.
    let document = "query($id: ID!) { conversation(id: $id) { version(number: 1) { users { nodes { id
        deployments { nodes { messages { nodes { id } } } } } } } } }";
    let found = workspace.api.ask_one(document, json!({ "id": conversation })).await;
    let message = id_of(&found["version"]["users"]["nodes"][0]["deployments"]["nodes"][0]["messages"]["nodes"][0]);
    let at = workspace.server.clock.seconds();
    workspace.server.post(&Webhook::of("1000").status(status("wamid.1", Some(&message), "read", at)).payload()).await;
    let frame = first.next().await.unwrap();
    assert_eq!((&frame["versionNumber"], &frame["totalUsers"], &frame["read"]), (&json!(1), &json!(2), &json!(1)));
}

async fn every_change_of_a_user_is_told_once_and_in_order(workspace: Workspace) {
    let conversation = workspace.conversation("Welcome").await;
    let people = workspace.send_to(&conversation, 0, 40).await;
    let mut changes = workspace.api.subscribe(USER_CHANGED, json!({ "id": conversation, "after": 0 })).await;
    storm(&workspace, &people, 4).await;
    let last = revision(&workspace, &conversation).await;
    let told = take(&mut changes, last).await;
    assert_eq!(revisions(&told), (1..=last).collect::<Vec<_>>());
    for person in &people {
        let of_person: Vec<_> = told.iter().filter(|change| change["user"]["id"] == person.user).collect();
        let (first, last) = (of_person.first().unwrap(), of_person.last().unwrap());
        assert_eq!((&first["kinds"][0], &first["deploymentStatus"]), (&json!("DEPLOYED"), &json!("QUEUED")));
        // Nothing changed after the last change, so that the user is as it left him.
        assert_eq!(last["user"]["deploymentStatus"], last["deploymentStatus"]);
    }
    assert!(told.is_sorted_by(|one, next| one["at"].as_str() <= next["at"].as_str()));
}

async fn changes_resume_behind_a_revision_without_a_gap_or_a_repeat(workspace: Workspace) {
    let conversation = workspace.conversation("Welcome").await;
    let people = workspace.send_to(&conversation, 0, 40).await;
    let begin = revision(&workspace, &conversation).await;
    let mut chance = StdRng::seed_from_u64(7);
    let (mut told, mut storms) = (Vec::new(), 0);
    let reader = async {
        // Each connection reads a few changes and breaks off, wherever that is.
        for _ in 0..12 {
            let after = told.last().map_or(begin, |change: &Value| change["revision"].as_i64().unwrap());
            let mut changes =
                workspace.api.subscribe(USER_CHANGED, json!({ "id": conversation, "after": after })).await;
            for _ in 0..chance.random_range(1..8) {
                told.push(changes.next().await.unwrap());
            }
        }
    };
    let writer = async {
        for _ in 0..4 {
            storm(&workspace, &people, 2).await;
            storms += 1;
        }
    };
    futures_util::join!(reader, writer);
    assert_eq!(storms, 4);
    let last = revision(&workspace, &conversation).await;
    let after = told.last().unwrap()["revision"].as_i64().unwrap();
    let mut changes = workspace.api.subscribe(USER_CHANGED, json!({ "id": conversation, "after": after })).await;
    told.extend(take(&mut changes, last).await);
    assert_eq!(revisions(&told), (begin + 1..=last).collect::<Vec<_>>());
}

async fn a_client_that_does_not_read_catches_up_and_keeps_nobody_waiting(workspace: Workspace) {
    let conversation = workspace.conversation("Welcome").await;
    let mut slow = workspace.api.subscribe(USER_CHANGED, json!({ "id": conversation, "after": 0 })).await;
    let mut fast = workspace.api.subscribe(USER_CHANGED, json!({ "id": conversation, "after": 0 })).await;
    // More than is kept in memory for those at the head.
    workspace.send(&conversation, recipients(0, 5_000)).await;
    assert_eq!(revisions(&take(&mut fast, 5_000).await), (1..=5_000).collect::<Vec<_>>());
    assert_eq!(revisions(&take(&mut slow, 5_000).await), (1..=5_000).collect::<Vec<_>>());
}

async fn a_filter_shows_users_entering_and_leaving(workspace: Workspace) {
    let conversation = workspace.conversation("Welcome").await;
    let people = workspace.send_to(&conversation, 0, 2).await;
    let subscribe = async |filter: Value| {
        let variables = json!({ "id": conversation, "after": 2, "filter": filter });
        workspace.api.subscribe(USER_CHANGED, variables).await
    };
    let mut delivered = subscribe(json!({ "deploymentStatus": ["DELIVERED"] })).await;
    let mut in_flow = subscribe(json!({ "stage": ["IN_FLOW"] })).await;
    let mut without_stage = subscribe(json!({ "stage": [null] })).await;
    let mut undeliverable = subscribe(json!({ "failureReason": ["UNDELIVERABLE"] })).await;
    let mut second = subscribe(json!({ "userId": people[1].user })).await;
    let at = workspace.server.clock.seconds();
    let [one, two] = [&people[0], &people[1]];
    let own = |person: &Person| Some(person.message.clone());
    let answer = in_reply_to(text("wamid.answer", &wa_id(&one.phone), "Yes", at + 3), &one.wamid);
    let steps = [
        /* 3 */ Webhook::of("1000").status(status(&one.wamid, own(one).as_deref(), "sent", at)),
        /* 4 */ Webhook::of("1000").status(status(&one.wamid, own(one).as_deref(), "delivered", at + 1)),
        /* 5 */ Webhook::of("1000").status(status(&one.wamid, own(one).as_deref(), "read", at + 2)),
        /* 6 */ Webhook::of("1000").message(answer),
        /* 7 */ Webhook::of("1000").status(failed(&two.wamid, own(two).as_deref(), 131_026, at)),
        /* 8 */ Webhook::of("1000").status(status(&two.wamid, own(two).as_deref(), "delivered", at + 1)),
    ];
    for step in steps {
        assert_eq!(workspace.server.post(&step.payload()).await, 200);
    }
    assert_eq!(revision(&workspace, &conversation).await, 8);
    for (name, stream, expected) in [
        ("delivered", &mut delivered, &[4, 5, 8][..]),
        ("in flow", &mut in_flow, &[6]),
        ("without a stage", &mut without_stage, &[3, 4, 5, 6, 7, 8]),
        ("undeliverable", &mut undeliverable, &[7, 8]),
        ("the second user", &mut second, &[7, 8]),
    ] {
        let told = take(stream, *expected.last().unwrap()).await;
        assert_eq!(revisions(&told), expected, "{name}");
    }
}

async fn a_change_tells_what_it_touched(workspace: Workspace) {
    let line = workspace.another_line(true).await;
    let flow = crate::support::workspace::flow();
    let conversation = workspace.conversation_on(&line, "External", "OUTBOUND", flow).await;
    let person = workspace.send_to(&conversation, 0, 1).await.remove(0);
    let mut changes = workspace.api.subscribe(USER_CHANGED, json!({ "id": conversation, "after": 1 })).await;
    let at = |seconds: i64| {
        let second = workspace.server.clock.seconds() + seconds;
        bluetick::domain::clock::Timestamp::from_seconds(second).unwrap().to_string()
    };
    let steps = [
        json!({ "message": { "lineId": line.id, "phone": person.phone, "sender": "COMPANY", "kind": "TEMPLATE",
            "providerMessageId": "wamid.first", "at": at(0) } }),
        json!({ "status": { "providerMessageId": "wamid.first", "status": "SENT", "at": at(0) } }),
        json!({ "variable": { "deploymentId": person.deployment, "name": "city", "value": "Cali", "at": at(0) } }),
        json!({ "session": { "deploymentId": person.deployment, "sessionStatus": "AGENT", "at": at(0) } }),
        json!({ "message": { "lineId": line.id, "phone": person.phone, "sender": "USER", "kind": "TEXT", "text": "Hi",
            "providerMessageId": "wamid.hi", "at": at(1) } }),
        json!({ "finished": { "deploymentId": person.deployment, "at": at(2) } }),
    ];
    let expected = [
        (json!(["MESSAGE"]), "QUEUED", Value::Null, Value::Null),
        (json!(["STATUS"]), "SENT", Value::Null, Value::Null),
        (json!(["VARIABLE"]), "SENT", Value::Null, Value::Null),
        (json!(["SESSION"]), "SENT", Value::Null, json!("AGENT")),
        (json!(["STATUS", "STAGE", "ACTIVITY", "MESSAGE"]), "DELIVERED", json!("IN_FLOW"), json!("AGENT")),
        (json!(["STAGE"]), "DELIVERED", json!("FINISHED"), json!("AGENT")),
    ];
    for (step, (kinds, status, stage, session)) in steps.into_iter().zip(expected) {
        workspace.record(json!([step])).await;
        let change = changes.next().await.unwrap();
        assert_eq!(change["kinds"], kinds);
        assert_eq!((&change["deploymentStatus"], &change["stage"]), (&json!(status), &stage));
        assert_eq!(change["sessionStatus"], session);
    }
}

async fn progress_completes_when_the_send_does(database: Database) {
    let settings = SimulatorSettings {
        speed: 1_000.0,
        app_secret: Secret::new(APP_SECRET),
        webhook_url: Some(String::new()),
        ..SimulatorSettings::default()
    };
    let (workspace, simulator) = Workspace::with_provider(database, settings).await;
    let conversation = workspace.conversation("Welcome").await;
    let send = workspace.send(&conversation, recipients(0, 300)).await;
    let mut frames = workspace.api.subscribe(PROGRESS, json!({ "id": send })).await;
    let mut seen = Vec::new();
    while let Some(frame) = frames.next().await {
        seen.push(frame);
    }
    for frame in &seen {
        let counts = frame["progress"].as_array().unwrap().iter().map(|one| one["count"].as_i64().unwrap());
        assert_eq!((counts.sum::<i64>(), &frame["totalUsers"]), (300, &json!(300)));
    }
    let (last, before) = seen.split_last().unwrap();
    assert!(before.iter().all(|frame| frame["state"] == "SENDING" && frame["completedAt"].is_null()));
    assert_eq!(
        (&last["id"], &last["state"], &last["progress"][0]["count"]),
        (&json!(send), &json!("COMPLETED"), &json!(0))
    );
    assert!(last["completedAt"].is_string());
    // Everything that the provider then tells is in the figures, and they add up.
    simulator.settled().await;
    let metrics = workspace.metrics(&conversation).await;
    assert_eq!((&metrics["totalUsers"], &metrics["byStatus"][0]["count"]), (&json!(300), &json!(0)));
    assert_eq!(workspace.server.differences().await, []);
    simulator.shutdown().await;
}

async fn progress_of_a_completed_send_is_one_frame(database: Database) {
    let (workspace, _simulator) = Workspace::with_provider(database, SimulatorSettings::default()).await;
    let conversation = workspace.conversation("Welcome").await;
    let send = workspace.send(&conversation, recipients(0, 2)).await;
    let state = "query($id: ID!) { send(id: $id) { state } }";
    until("the send is completed", async || {
        let state = workspace.api.ask_one(state, json!({ "id": send })).await["state"].clone();
        (state == "COMPLETED").then_some(())
    })
    .await;
    let mut frames = workspace.api.subscribe(PROGRESS, json!({ "id": send })).await;
    assert_eq!(frames.next().await.unwrap()["state"], "COMPLETED");
    assert_eq!(frames.next().await, None);
}

async fn progress_is_told_where_no_user_changes(database: Database) {
    let (workspace, _simulator) = Workspace::with_provider(database, SimulatorSettings::default()).await;
    let conversation = workspace.conversation("Welcome").await;
    let due = bluetick::domain::clock::Clock::now(&*workspace.server.clock).plus(Duration::from_secs(60)).to_string();
    let input = json!({ "conversationId": conversation, "users": recipients(0, 2), "scheduledAt": due });
    let older = id_of(&workspace.try_send(input).await["send"]);
    let mut frames = workspace.api.subscribe(PROGRESS, json!({ "id": older })).await;
    assert_eq!(frames.next().await.unwrap()["state"], "SCHEDULED");
    // From now on the users show another deployment.
    workspace.send(&conversation, recipients(0, 2)).await;
    workspace.accepted_people(&conversation).await;
    workspace.server.clock.advance(Duration::from_secs(60));
    let mut states = Vec::new();
    while let Some(frame) = frames.next().await {
        states.push(frame["state"].clone());
    }
    assert_eq!(states.last(), Some(&json!("COMPLETED")));
}

async fn added_messages_come_in_the_order_recorded(workspace: Workspace) {
    let conversation = workspace.conversation("Welcome").await;
    let people = workspace.send_to(&conversation, 0, 2).await;
    let document = "subscription($id: ID!) { messageAdded(userId: $id) {
        id sender kind text deployment { id } } }";
    let mut messages = workspace.api.subscribe(document, json!({ "id": people[0].user })).await;
    let at = workspace.server.clock.seconds();
    let sent = people.iter().fold(Webhook::of("1000"), |webhook, person| {
        webhook.status(status(&person.wamid, Some(&person.message), "sent", at))
    });
    workspace.server.post(&sent.payload()).await;
    // A subscription has begun once it tells something; until then it may miss what is added.
    let begun = async {
        let number = &std::cell::Cell::new(0);
        until("the subscription has begun", async || {
            number.set(number.get() + 1);
            let id = format!("wamid.begin.{}", number.get());
            let message = in_reply_to(text(&id, &wa_id(&people[0].phone), "begin", at + 1), &people[0].wamid);
            workspace.server.post(&Webhook::of("1000").message(message).payload()).await;
            tokio::time::timeout(Duration::from_millis(200), messages.next()).await.ok()
        })
        .await
    };
    assert_eq!(begun.await.unwrap()["text"], "begin");
    // The later one was written earlier, and what others write is none of this user's.
    for (person, words, second) in [(0, "one", 9), (1, "not mine", 9), (0, "two", 5)] {
        let message = text(&format!("wamid.{words}"), &wa_id(&people[person].phone), words, at + second);
        let message = in_reply_to(message, &people[person].wamid);
        workspace.server.post(&Webhook::of("1000").message(message).payload()).await;
    }
    for words in ["one", "two"] {
        let message = messages.next_where(|message| message["text"] != "begin").await;
        assert_eq!(
            (&message["text"], &message["sender"], &message["kind"]),
            (&json!(words), &json!("USER"), &json!("TEXT"))
        );
        assert_eq!(message["deployment"]["id"], people[0].deployment);
    }
    // A second send adds its first message.
    workspace.send(&conversation, recipients(0, 1)).await;
    let message = messages.next().await.unwrap();
    assert_eq!((&message["sender"], &message["kind"]), (&json!("COMPANY"), &json!("TEMPLATE")));
}

async fn what_is_not_there_is_refused_at_once(workspace: Workspace) {
    let conversation = workspace.conversation("Welcome").await;
    let send = workspace.send(&conversation, recipients(0, 1)).await;
    let user = workspace.people(&conversation).await.remove(0).user;
    let elsewhere = workspace.server.client("elsewhere", "read").await;
    let refusals = [
        ("metricsChanged(conversationId: \"conv_x\") { revision }".to_owned(), "conversationId"),
        (format!("metricsChanged(conversationId: \"{send}\") {{ revision }}"), "conversationId"),
        (format!("metricsChanged(conversationId: \"{conversation}\", version: 2) {{ revision }}"), "version"),
        (format!("metricsChanged(conversationId: \"{conversation}\", everyMs: 49) {{ revision }}"), "everyMs"),
        (format!("userChanged(conversationId: \"{user}\") {{ revision }}"), "conversationId"),
        (format!("userChanged(conversationId: \"{conversation}\", version: 0) {{ revision }}"), "version"),
        (format!("userChanged(conversationId: \"{conversation}\", afterRevision: -1) {{ revision }}"), "afterRevision"),
        (format!("userChanged(conversationId: \"{conversation}\", afterRevision: 2) {{ revision }}"), "afterRevision"),
        (format!("sendProgress(sendId: \"{conversation}\") {{ id }}"), "sendId"),
        (format!("sendProgress(sendId: \"{send}\", everyMs: 60001) {{ id }}"), "everyMs"),
        (format!("messageAdded(userId: \"{send}\") {{ id }}"), "userId"),
    ];
    for (field, argument) in refusals {
        let error = refused(&workspace.api, &field).await;
        assert!(error["message"].as_str().unwrap().contains(argument), "{field}: {error}");
        assert!(["NOT_FOUND", "BAD_USER_INPUT"].contains(&error["extensions"]["code"].as_str().unwrap()), "{error}");
    }
    for field in [
        format!("metricsChanged(conversationId: \"{conversation}\") {{ revision }}"),
        format!("userChanged(conversationId: \"{conversation}\") {{ revision }}"),
        format!("sendProgress(sendId: \"{send}\") {{ id }}"),
        format!("messageAdded(userId: \"{user}\") {{ id }}"),
    ] {
        assert_eq!(refused(&elsewhere, &field).await["extensions"]["code"], "NOT_FOUND", "{field}");
    }
}

async fn another_nodes_commits_are_told(database: Database) {
    let near = Workspace::on(Server::start(database.clone(), &[]).await).await;
    let far = Server::start(database, &[]).await;
    let far_api = far.client("acme", "personal").await;
    let conversation = near.conversation("Welcome").await;
    let mut metrics = far_api.subscribe(&metrics_changed(), json!({ "id": conversation, "every": 50 })).await;
    let mut changes = far_api.subscribe(USER_CHANGED, json!({ "id": conversation, "after": 0 })).await;
    assert_eq!(metrics.next().await.unwrap()["totalUsers"], 0);
    near.send(&conversation, recipients(0, 20)).await;
    assert_eq!(revisions(&take(&mut changes, 20).await), (1..=20).collect::<Vec<_>>());
    assert_eq!(metrics.next().await.unwrap()["totalUsers"], 20);
    near.publish(&conversation).await;
    assert_eq!(metrics.next().await.unwrap()["versionNumber"], 2);
}

/// Posts random updates about these people from several clients at once.
async fn storm(workspace: &Workspace, people: &[Person], clients: u64) {
    let at = workspace.server.clock.seconds();
    let posts = (0..clients).map(|seed| async move {
        let mut chance = StdRng::seed_from_u64(seed);
        for _ in 0..10 {
            let webhook = (0..8).fold(Webhook::of("1000"), |webhook, _| {
                let person = &people[chance.random_range(0..people.len())];
                let name = ["sent", "delivered", "read"][chance.random_range(0..3)];
                // An earlier time is news even where the status is known.
                let at = at + chance.random_range(0..1_000) - 1_000;
                webhook.status(status(&person.wamid, Some(&person.message), name, at))
            });
            assert_eq!(workspace.server.post(&webhook.payload()).await, 200);
        }
        // So that every storm changes something, whatever the ones before it told.
        let person = &people[chance.random_range(0..people.len())];
        let id = format!("wamid.{:x}", rand::random::<u64>());
        let message = in_reply_to(text(&id, &wa_id(&person.phone), "Hello", at), &person.wamid);
        assert_eq!(workspace.server.post(&Webhook::of("1000").message(message).payload()).await, 200);
    });
    join_all(posts).await;
}

/// The changes up to a revision.
async fn take(changes: &mut Subscription, last: i64) -> Vec<Value> {
    let mut taken = Vec::new();
    while taken.last().is_none_or(|change: &Value| change["revision"].as_i64() < Some(last)) {
        taken.push(changes.next().await.expect("changes go on"));
    }
    taken
}

fn revisions(changes: &[Value]) -> Vec<i64> {
    changes.iter().map(|change| change["revision"].as_i64().unwrap()).collect()
}

async fn revision(workspace: &Workspace, conversation: &str) -> i64 {
    workspace.metrics(conversation).await["revision"].as_i64().unwrap()
}

fn without_as_of(metrics: &Value) -> Value {
    let mut metrics = metrics.clone();
    metrics.as_object_mut().unwrap().remove("asOf");
    metrics
}

/// The error of a subscription with this field.
async fn refused(api: &crate::support::client::Client, field: &str) -> Value {
    api.subscribe(&format!("subscription {{ {field} }}"), json!({})).await.refusal().await
}
