//! Sending, as the provider and the figures see it.

use std::time::{Duration, Instant};

use bluetick::config::Secret;
use bluetick::domain::clock::{Clock, Timestamp};
use bluetick::whatsapp::simulator::{Delays, Faults, SimulatorSettings, Span};
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::database::Database;
use crate::support::trial::tests;
use crate::support::wait::until;
use crate::support::webhook::{APP_SECRET, Webhook, text};
use crate::support::workspace::{CREATE_LINE, Line, Workspace, flow, id_of, recipients, wa_id};

tests! {
    on_both_databases: [
        a_line_that_the_provider_stops_rests_and_what_was_not_called_counts_as_not_called,
        a_line_keeps_its_rate_over_many_small_sends,
        what_the_provider_asks_to_send_later_is_sent_later_and_once,
        everybody_is_accounted_for_whatever_the_provider_does,
        a_contact_with_an_agent_is_not_disturbed,
        a_contact_that_is_blocked_is_not_called,
        a_workspace_reaches_no_more_different_contacts_a_day_than_it_may,
        a_user_who_gets_too_much_waits_alone,
    ],
}

async fn a_line_that_the_provider_stops_rests_and_what_was_not_called_counts_as_not_called(database: Database) {
    let faults = Faults { refused: 1.0, refusal_codes: vec![190], ..Faults::default() };
    let settings = SimulatorSettings { faults, ..SimulatorSettings::default() };
    let (workspace, provider) = Workspace::with_provider(database, settings).await;
    let conversation = workspace.conversation("Welcome").await;
    workspace.send(&conversation, recipients(0, 400)).await;
    until("the line was stopped", async || (provider.counters().calls > 0).then_some(())).await;
    // Nobody counts as called once the line has stopped, and it stays so.
    let fields = "phone deployments { nodes { dispatchedAt } }";
    until("nobody counts as called", async || {
        let users = workspace.users(&conversation, fields).await;
        let called = |user: &&Value| !user["deployments"]["nodes"][0]["dispatchedAt"].is_null();
        (users.iter().find(called).is_none()).then_some(())
    })
    .await;
    let calls = provider.counters().calls;
    assert!(calls <= 256, "{calls} calls: no more than are under way at once");
    let at = workspace.server.clock.seconds() + 1;
    let person = workspace.people(&conversation).await.remove(7);
    let unasked = text("wamid.unasked", &wa_id(&person.phone), "Hello?", at);
    workspace.server.post(&Webhook::of("1000").message(unasked).payload()).await;
    let metrics = workspace.metrics(&conversation).await;
    assert_eq!(metrics["byStatus"][0], json!({ "status": "QUEUED", "count": 400 }));
    assert_eq!((&metrics["messagesSent"], &metrics["responses"]), (&json!(0), &json!(0)));
    assert_eq!(provider.counters().calls, calls, "the line rests");
    assert_eq!(workspace.server.differences().await, []);
}

async fn a_line_keeps_its_rate_over_many_small_sends(database: Database) {
    let (workspace, provider) = Workspace::with_provider(database, SimulatorSettings::default()).await;
    let input = json!({ "phone": "+12025550123", "phoneNumberId": "slow", "name": "Slow", "messagesPerSecond": 2 });
    let line = id_of(&workspace.api.change(CREATE_LINE, json!({ "input": input })).await["line"]);
    let line = Line { id: line, phone_number_id: "slow".to_owned() };
    let conversation = workspace.conversation_on(&line, "Slow", "OUTBOUND", flow()).await;
    let begin = Instant::now();
    for number in 0..4 {
        workspace.send(&conversation, recipients(number, 1)).await;
    }
    workspace.accepted_people(&conversation).await;
    assert_eq!(provider.counters().calls, 4);
    // Two a second: the fourth leaves no sooner than one and a half seconds after the first.
    assert!(begin.elapsed() >= Duration::from_millis(1_500), "{:?}", begin.elapsed());
}

async fn what_the_provider_asks_to_send_later_is_sent_later_and_once(database: Database) {
    let faults = Faults { refused: 0.3, refusal_codes: vec![130_429, 131_016], ..Faults::default() };
    let settings = SimulatorSettings { faults, ..SimulatorSettings::default() };
    let (workspace, provider) = Workspace::with_provider(database, settings).await;
    let conversation = workspace.conversation("Welcome").await;
    workspace.send(&conversation, recipients(0, 30)).await;
    let people = workspace.accepted_people(&conversation).await;
    assert!(provider.counters().calls > 30, "some were refused at first");
    for person in people {
        assert!(provider.accepted_times(&person.message) <= 1, "{} was sent to twice", person.phone);
    }
    assert_eq!(workspace.server.differences().await, []);
}

/// A provider that fails in every way, and is slow.
fn in_trouble() -> SimulatorSettings {
    let faults = Faults {
        refused: 0.1,
        refusal_codes: vec![131_026, 131_000, 132_012, 130_429],
        too_many: 0.1,
        broken: 0.1,
        cut: 0.1,
        silent: 0.05,
        without_id: 0.1,
        garbage: 0.1,
        accepted_anyway: 0.5,
    };
    SimulatorSettings {
        speed: 20.0,
        app_secret: Secret::new(APP_SECRET),
        webhook_url: Some(String::new()),
        delays: Delays { answer: Span::new(0.0, 4.0), ..Delays::default() },
        faults,
        ..SimulatorSettings::default()
    }
}

async fn everybody_is_accounted_for_whatever_the_provider_does(database: Database) {
    let settings = in_trouble();
    let (workspace, provider) = Workspace::with_provider_and(
        database,
        settings,
        &[("whatsapp.access_token", "token"), ("whatsapp.timeout_seconds", "1")],
    )
    .await;
    let conversation = workspace.conversation("Welcome").await;
    let send = workspace.send(&conversation, recipients(0, 200)).await;
    until("nobody waits for a call", async || {
        let waiting = "SELECT count(*) FROM outbox WHERE claimed_at IS NULL";
        (workspace.server.database.count(waiting).await == 0 && provider.counters().calls >= 200).then_some(())
    })
    .await;
    until("the calls have ended", async || {
        let open = "SELECT count(*) FROM outbox WHERE claimed_at IS NULL OR attempt = 0";
        (workspace.server.database.count(open).await == 0).then_some(())
    })
    .await;
    provider.settled().await;
    // A call that was under way just now may be made once more, and be given up later.
    until("the outbox is empty", async || {
        workspace.server.clock.advance(Duration::from_mins(1));
        (workspace.server.database.count("SELECT count(*) FROM outbox").await == 0).then_some(())
    })
    .await;
    workspace.reaches(&send, "COMPLETED").await;
    let fields = "phone deploymentStatus failure { reason } deployments(first: 5) { nodes { messages(first: 5) { nodes { id sender } } } }";
    let mut unknown = 0;
    for user in workspace.users(&conversation, fields).await {
        let messages = user["deployments"]["nodes"][0]["messages"]["nodes"].as_array().unwrap();
        let ours = messages.iter().find(|one| one["sender"] == "COMPANY").unwrap();
        let (times, reason) =
            (provider.accepted_times(ours["id"].as_str().unwrap()), user["failure"]["reason"].as_str());
        assert!(times <= 1, "sent {times} times: {user}");
        assert_ne!(user["deploymentStatus"], "QUEUED");
        if times == 0 {
            let expected =
                ["OUTCOME_UNKNOWN", "UNDELIVERABLE", "PROVIDER_ERROR", "TEMPLATE_PARAMETERS", "RATE_LIMITED"];
            assert!(reason.is_some_and(|reason| expected.contains(&reason)), "{user}");
        } else {
            assert_ne!(reason, Some("OUTCOME_UNKNOWN"), "{user}");
        }
        unknown += u32::from(reason == Some("OUTCOME_UNKNOWN"));
    }
    assert!(unknown > 20, "{unknown}: half of the unanswered calls were in vain");
    assert_eq!(workspace.server.differences().await, []);
}

async fn a_contact_with_an_agent_is_not_disturbed(database: Database) {
    let (workspace, provider) = Workspace::with_provider(database, SimulatorSettings::default()).await;
    let first = workspace.conversation("First").await;
    workspace.send(&first, recipients(0, 2)).await;
    let person = workspace.accepted_people(&first).await.remove(0);
    let session = |status: &str, at: Timestamp| json!([{ "session": { "deploymentId": person.deployment, "sessionStatus": status, "at": at.to_string() } }]);
    workspace.record(session("AGENT", workspace.server.clock.now())).await;
    let second = workspace.conversation("Second").await;
    let send = workspace.send(&second, recipients(0, 2)).await;
    workspace.reaches(&send, "COMPLETED").await;
    let failure = async |conversation: &str| {
        let users = workspace.users(conversation, "phone failure { reason retryable }").await;
        users.iter().find(|user| user["phone"] == json!(person.phone)).unwrap()["failure"].clone()
    };
    assert_eq!(failure(&second).await, json!({ "reason": "OPEN_AGENT_SESSION", "retryable": true }));
    assert_eq!(provider.counters().calls, 3);
    // A session that nobody has touched for a day is not open any more.
    workspace.server.clock.advance(Duration::from_hours(25));
    let third = workspace.conversation("Third").await;
    workspace.send(&third, recipients(0, 1)).await;
    workspace.accepted_people(&third).await;
    assert_eq!(failure(&third).await, Value::Null);
    workspace.record(session("COMPLETED", workspace.server.clock.now())).await;
    assert_eq!(workspace.server.differences().await, []);
}

async fn a_contact_that_is_blocked_is_not_called(database: Database) {
    let faults = Faults { refused: 1.0, refusal_codes: vec![130_403], ..Faults::default() };
    let settings = SimulatorSettings { faults, ..SimulatorSettings::default() };
    let (workspace, provider) = Workspace::with_provider(database, settings).await;
    for (name, calls) in [("First", 1), ("Second", 1)] {
        let conversation = workspace.conversation(name).await;
        let send = workspace.send(&conversation, recipients(0, 1)).await;
        workspace.reaches(&send, "COMPLETED").await;
        let user = workspace.user(&conversation, "failure { reason code }").await;
        assert_eq!(user["failure"]["reason"], "BLOCKED_CONTACT");
        assert_eq!(provider.counters().calls, calls);
    }
    // It may have been unblocked since.
    workspace.server.clock.advance(Duration::from_hours(8 * 24));
    provider.set_faults(Faults::default()).unwrap();
    let conversation = workspace.conversation("Third").await;
    workspace.send(&conversation, recipients(0, 1)).await;
    workspace.accepted_people(&conversation).await;
    assert_eq!(provider.counters().accepted, 1);
}

async fn a_workspace_reaches_no_more_different_contacts_a_day_than_it_may(database: Database) {
    let limit = [("whatsapp.access_token", "token"), ("dispatch.daily_contacts", "10")];
    let (workspace, provider) = Workspace::with_provider_and(database, SimulatorSettings::default(), &limit).await;
    let conversation = workspace.conversation("Welcome").await;
    let send = workspace.send(&conversation, recipients(0, 6)).await;
    workspace.reaches(&send, "COMPLETED").await;
    // Four more, and those who were reached already take up nothing.
    let send = workspace.send(&conversation, recipients(0, 15)).await;
    workspace.reaches(&send, "COMPLETED").await;
    assert_eq!(provider.counters().calls, 16);
    let metrics = workspace.metrics(&conversation).await;
    assert_eq!(metrics["byFailure"], json!([{ "reason": "TIER_CAPACITY", "count": 5 }]));
    let user = workspace.users(&conversation, "failure { retryable retryAfter }").await.pop().unwrap();
    assert_eq!(user["failure"]["retryable"], true);
    workspace.server.clock.advance(Duration::from_hours(25));
    let send = workspace.send(&conversation, recipients(10, 5)).await;
    workspace.reaches(&send, "COMPLETED").await;
    assert_eq!(workspace.metrics(&conversation).await["byFailure"], json!([]));
}

async fn a_user_who_gets_too_much_waits_alone(database: Database) {
    let (workspace, provider) = Workspace::with_provider(database, SimulatorSettings::default()).await;
    let conversation = workspace.conversation("Welcome").await;
    let begin = Instant::now();
    join_all((0..70).map(|_| workspace.send(&conversation, recipients(0, 1)))).await;
    until("the user got as much as may be", async || (provider.counters().calls >= 45).then_some(())).await;
    let send = workspace.send(&conversation, recipients(1, 1)).await;
    workspace.reaches(&send, "COMPLETED").await;
    let (calls, refilled) = (provider.counters().calls, begin.elapsed().as_secs() / 6 + 1);
    assert!((46..=46 + refilled).contains(&calls), "another user need not wait, and only this one does: {calls}");
    until("one more came", async || (provider.counters().calls > calls).then_some(())).await;
}
