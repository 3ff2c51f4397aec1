//! Control over sends: pausing, resuming and canceling them, and how they share a line.

use bluetick::domain::clock::{Clock, Timestamp};
use bluetick::whatsapp::simulator::{Delays, SimulatorSettings, Span};
use serde_json::{Value, json};

use crate::support::database::Database;
use crate::support::trial::tests;
use crate::support::wait::until;
use crate::support::webhook::{Webhook, status};
use crate::support::workspace::{
    CANCEL_SEND, PAUSE_SEND, RESUME_SEND, SEND_CONVERSATION, Workspace, flow, id_of, recipients,
};

tests! {
    on_both_databases: [
        a_paused_send_stands_still_until_it_is_resumed,
        a_canceled_send_finishes_what_is_in_flight_and_fails_the_rest,
        a_change_that_is_repeated_changes_nothing_more,
        a_send_that_is_over_can_neither_be_paused_nor_canceled,
        a_scheduled_send_can_be_paused_and_canceled,
        what_another_system_was_to_send_can_be_canceled,
        the_sends_of_a_line_take_turns,
        the_sends_of_a_slow_line_take_turns_too,
        the_end_of_a_send_is_estimated_from_its_line,
    ],
}

async fn a_paused_send_stands_still_until_it_is_resumed(database: Database) {
    let (workspace, provider) = Workspace::with_provider(database, SimulatorSettings::default()).await;
    let line = workspace.line_at(50).await;
    let conversation = workspace.conversation_on(&line, "Paused", "OUTBOUND", flow()).await;
    let send = workspace.send(&conversation, recipients(0, 100)).await;
    until("some are called", async || (provider.counters().calls > 10).then_some(())).await;
    let payload = workspace.api.change(PAUSE_SEND, json!({ "id": send })).await;
    assert_eq!(payload["send"]["state"], "PAUSED");
    assert!(payload["send"]["pausedAt"].is_string());
    // At most what was claimed just before goes out. Another send on the line shows when that is over.
    let other = workspace.conversation_on(&line, "Other", "OUTBOUND", flow()).await;
    let probe = async |number| {
        let probe = workspace.send(&other, recipients(number, 1)).await;
        workspace.reaches(&probe, "COMPLETED").await;
        workspace.progress(&send).await["QUEUED"]
    };
    let queued = probe(500).await;
    assert!(queued > 30, "{queued}");
    assert_eq!(probe(501).await, queued);
    assert_eq!(workspace.state(&send).await, "PAUSED");
    let payload = workspace.api.change(RESUME_SEND, json!({ "id": send })).await;
    assert_eq!((&payload["send"]["state"], &payload["send"]["pausedAt"]), (&json!("SENDING"), &Value::Null));
    workspace.reaches(&send, "COMPLETED").await;
    assert_eq!((provider.counters().calls, provider.counters().duplicates), (102, 0));
    assert_eq!(workspace.server.differences().await, []);
}

async fn a_canceled_send_finishes_what_is_in_flight_and_fails_the_rest(database: Database) {
    let delays = Delays { answer: Span::new(0.2, 0.4), ..Delays::default() };
    let settings = SimulatorSettings { delays, ..SimulatorSettings::default() };
    let (workspace, provider) = Workspace::with_provider(database, settings).await;
    let line = workspace.line_at(100).await;
    let conversation = workspace.conversation_on(&line, "Canceled", "OUTBOUND", flow()).await;
    let send = workspace.send(&conversation, recipients(0, 1_500)).await;
    let document = "subscription($id: ID!) { sendProgress(sendId: $id) { state progress { status count } } }";
    let mut watcher = workspace.api.subscribe(document, json!({ "id": send })).await;
    until("some are called", async || (provider.counters().calls > 50).then_some(())).await;
    let payload = workspace.api.change(CANCEL_SEND, json!({ "id": send })).await;
    assert_eq!(payload["send"]["state"], "CANCELED");
    until("nothing is queued", async || (!workspace.progress(&send).await.contains_key("QUEUED")).then_some(())).await;
    let users = workspace
        .users(
            &conversation,
            "deploymentStatus failure { reason code retryable } deployments(first: 5) { nodes {
        dispatchedAt messages(first: 5) { nodes { id } } } }",
        )
        .await;
    for user in &users {
        let deployment = &user["deployments"]["nodes"][0];
        let times = provider.accepted_times(deployment["messages"]["nodes"][0]["id"].as_str().unwrap());
        let canceled = user["failure"]["reason"] == "CANCELED";
        assert_eq!((times, deployment["dispatchedAt"].is_null()), (u32::from(!canceled), canceled), "{user}");
    }
    let canceled = users.iter().filter(|user| user["failure"]["reason"] == "CANCELED").count();
    assert!(canceled > 1_000, "{canceled}");
    assert_eq!(workspace.server.database.count("SELECT count(*) FROM outbox").await, 0);
    assert_eq!(workspace.server.differences().await, []);
    let mut last = Value::Null;
    while let Some(frame) = watcher.next().await {
        last = frame;
    }
    assert_eq!((&last["state"], &last["progress"][0]["count"]), (&json!("CANCELED"), &json!(0)));
}

async fn a_change_that_is_repeated_changes_nothing_more(workspace: Workspace) {
    let conversation = workspace.conversation("Welcome").await;
    let send = workspace.send(&conversation, recipients(0, 3)).await;
    for mutation in [PAUSE_SEND, RESUME_SEND, CANCEL_SEND] {
        let first = workspace.api.change(mutation, json!({ "id": send })).await;
        assert_eq!(workspace.api.change(mutation, json!({ "id": send })).await, first, "{mutation}");
    }
    until("all are canceled", async || {
        (workspace.metrics(&conversation).await["byFailure"] == json!([{ "reason": "CANCELED", "count": 3 }]))
            .then_some(())
    })
    .await;
    let failure = workspace.users(&conversation, "failure { reason retryable }").await.remove(0);
    assert_eq!(failure["failure"], json!({ "reason": "CANCELED", "retryable": false }));
}

async fn a_send_that_is_over_can_neither_be_paused_nor_canceled(workspace: Workspace) {
    let conversation = workspace.conversation("Welcome").await;
    let completed = workspace.send(&conversation, json!([{ "phone": "+12" }])).await;
    let canceled = workspace.send(&conversation, recipients(0, 1)).await;
    workspace.api.change(CANCEL_SEND, json!({ "id": canceled })).await;
    for (mutation, send, state) in [
        (PAUSE_SEND, &completed, "COMPLETED"),
        (CANCEL_SEND, &completed, "COMPLETED"),
        (PAUSE_SEND, &canceled, "CANCELED"),
        (RESUME_SEND, &canceled, "CANCELED"),
    ] {
        let payload = workspace.api.ask_one(mutation, json!({ "id": send })).await;
        let message = format!("\"id\" names a send that is {state} already");
        assert_eq!(payload["userErrors"], json!([{ "field": ["id"], "code": "CONFLICT", "message": message }]));
        assert_eq!(payload["send"]["state"], state);
    }
    assert_eq!(workspace.api.change(RESUME_SEND, json!({ "id": completed })).await["send"]["state"], "COMPLETED");
}

async fn a_scheduled_send_can_be_paused_and_canceled(workspace: Workspace) {
    let conversation = workspace.conversation("Welcome").await;
    let due = workspace.server.clock.now().plus(std::time::Duration::from_hours(1)).to_string();
    let input = json!({ "conversationId": conversation, "users": recipients(0, 2), "scheduledAt": due });
    let send = id_of(&workspace.api.change(SEND_CONVERSATION, json!({ "input": input })).await["send"]);
    assert_eq!(workspace.state(&send).await, "SCHEDULED");
    workspace.api.change(PAUSE_SEND, json!({ "id": send })).await;
    assert_eq!(workspace.state(&send).await, "PAUSED");
    workspace.api.change(RESUME_SEND, json!({ "id": send })).await;
    assert_eq!(workspace.state(&send).await, "SCHEDULED");
    workspace.api.change(CANCEL_SEND, json!({ "id": send })).await;
    until("both are canceled", async || (workspace.progress(&send).await.get("FAILED") == Some(&2)).then_some(()))
        .await;
}

async fn what_another_system_was_to_send_can_be_canceled(workspace: Workspace) {
    let line = workspace.another_line(true).await;
    let conversation = workspace.conversation_on(&line, "External", "OUTBOUND", flow()).await;
    let send = workspace.send(&conversation, recipients(0, 3)).await;
    let people = workspace.people(&conversation).await;
    let at = workspace.server.clock.now().to_string();
    let report = |deployment: &str, status: &str| json!([{ "status": { "deploymentId": deployment, "status": status, "at": at } }]);
    workspace.record(report(&people[0].deployment, "SENT")).await;
    workspace.api.change(CANCEL_SEND, json!({ "id": send })).await;
    until("the others are canceled", async || {
        (workspace.progress(&send).await.get("FAILED") == Some(&2)).then_some(())
    })
    .await;
    // It was sent after all.
    workspace.record(report(&people[1].deployment, "DELIVERED")).await;
    let expected = [("DELIVERED", 1), ("FAILED", 1), ("SENT", 1)].map(|(name, count)| (name.to_owned(), count));
    assert_eq!(workspace.progress(&send).await, expected.into());
    assert_eq!(workspace.server.differences().await, []);
}

async fn the_sends_of_a_line_take_turns(database: Database) {
    let (workspace, _provider) = Workspace::with_provider(database, SimulatorSettings::default()).await;
    let line = workspace.line_at(40).await;
    let large = workspace.conversation_on(&line, "Large", "OUTBOUND", flow()).await;
    let small = workspace.conversation_on(&line, "Small", "OUTBOUND", flow()).await;
    let large = workspace.send(&large, recipients(0, 400)).await;
    until("the large one is being sent", async || (workspace.progress(&large).await.len() > 1).then_some(())).await;
    let small = workspace.send(&small, recipients(0, 10)).await;
    workspace.reaches(&small, "COMPLETED").await;
    assert!(workspace.progress(&large).await["QUEUED"] > 200, "the small one need not wait for the large one");
}

async fn the_sends_of_a_slow_line_take_turns_too(database: Database) {
    let (workspace, _provider) = Workspace::with_provider(database, SimulatorSettings::default()).await;
    let line = workspace.line_at(4).await;
    let mut sends = Vec::new();
    for number in 0..6 {
        let conversation = workspace.conversation_on(&line, "Welcome", "OUTBOUND", flow()).await;
        sends.push(workspace.send(&conversation, recipients(number * 50, 50)).await);
    }
    // Each claim takes one message, and every send has its turn.
    for send in &sends {
        until("it has begun", async || (workspace.progress(send).await.get("QUEUED") < Some(&50)).then_some(())).await;
    }
    assert!(workspace.progress(&sends[0]).await["QUEUED"] > 40, "the oldest does not come first");
}

async fn the_end_of_a_send_is_estimated_from_its_line(workspace: Workspace) {
    let line = workspace.line_at(2).await;
    let conversation = workspace.conversation_on(&line, "Welcome", "OUTBOUND", flow()).await;
    let send = workspace.send(&conversation, recipients(0, 120)).await;
    let estimate = async || {
        let document = "query($id: ID!) { send(id: $id) { estimatedCompletionAt } }";
        let found = workspace.api.ask_one(document, json!({ "id": send })).await["estimatedCompletionAt"].clone();
        let at = Timestamp::parse(found.as_str()?).unwrap();
        Some(at.seconds() - workspace.server.clock.seconds())
    };
    assert!((59..=61).contains(&estimate().await.unwrap()));
    workspace.send(&conversation, recipients(200, 20)).await;
    assert!((69..=71).contains(&estimate().await.unwrap()));
    // What has left the queue need not wait.
    let people = workspace.people(&conversation).await;
    let at = workspace.server.clock.seconds();
    let left = people[..20].iter().fold(Webhook::of(&line.phone_number_id), |webhook, person| {
        webhook.status(status(&person.wamid, Some(&person.message), "sent", at))
    });
    workspace.server.post(&left.payload()).await;
    assert!((59..=61).contains(&estimate().await.unwrap()));
    workspace.api.change(PAUSE_SEND, json!({ "id": send })).await;
    assert_eq!(estimate().await, None);
}
