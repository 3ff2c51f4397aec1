//! Opting out: by whatever door it is told, in whatever order, and what it prevents.

use bluetick::domain::clock::Timestamp;
use bluetick::whatsapp::simulator::{Delays, Faults, Outcomes, SimulatorSettings, Span, Webhooks};
use serde_json::{Value, json};

use crate::support::client::Client;
use crate::support::database::Database;
use crate::support::server::Server;
use crate::support::trial::tests;
use crate::support::wait::until;
use crate::support::webhook::{APP_SECRET, Webhook, failed, message, preference, text};
use crate::support::workspace::{
    CREATE_CONVERSATION, SEND_CONVERSATION, Workspace, create_line, flow, id_of, phone, recipients, wa_id,
};

tests! {
    on_both_databases: [
        the_latest_preference_counts_whatever_the_order,
        a_preference_of_somebody_unknown_is_remembered,
        a_preference_that_is_not_understood_is_kept,
        a_stop_word_opts_out_and_a_resume_word_in_again,
        a_pressed_button_opts_out_as_a_text_does,
        a_stop_word_counts_even_where_its_message_belongs_to_nothing,
        a_stop_word_is_recorded_through_the_api_and_only_from_the_user,
        an_operator_may_choose_the_words,
        a_failure_for_an_opt_out_opts_out_and_one_for_a_block_blocks,
        an_opt_out_told_in_answer_to_a_call_prevents_the_next_call,
        who_opts_out_after_a_message_gets_no_other,
        another_workspaces_contact_of_the_same_number_is_not_affected,
    ],
}

async fn the_latest_preference_counts_whatever_the_order(workspace: Workspace) {
    let conversation = workspace.conversation("Welcome").await;
    workspace.send_to(&conversation, 0, 1).await;
    assert_eq!(opted_out_at(&workspace, &conversation).await, Value::Null);
    let at = workspace.server.clock.seconds() - 100;
    for (value, second, expected) in [
        ("stop", at + 10, time(at + 10)),
        ("stop", at + 10, time(at + 10)),
        ("resume", at + 5, time(at + 10)),
        ("resume", at + 20, Value::Null),
        ("stop", at + 15, Value::Null),
        ("stop", at + 20, time(at + 20)),
        ("resume", at + 20, time(at + 20)),
        ("stop", at + 30, time(at + 30)),
    ] {
        workspace.server.post(&preference("1000", &wa_id(&phone(0)), value, second)).await;
        assert_eq!(opted_out_at(&workspace, &conversation).await, expected, "{value} at {}", second - at);
    }
    assert_eq!(workspace.metrics(&conversation).await["revision"], 1, "no figure and no standing changed");
    assert_eq!(workspace.server.differences().await, []);
}

async fn a_preference_of_somebody_unknown_is_remembered(workspace: Workspace) {
    let at = workspace.server.clock.seconds();
    workspace.server.post(&preference("1000", &wa_id(&phone(0)), "stop", at)).await;
    assert_eq!(workspace.server.database.count("SELECT count(*) FROM contacts").await, 1);
    let conversation = workspace.conversation("Welcome").await;
    workspace.send_to(&conversation, 0, 1).await;
    let user = workspace.user(&conversation, "name whatsappId optedOutAt").await;
    assert_eq!(user, json!({ "name": "Ana", "whatsappId": wa_id(&phone(0)), "optedOutAt": time(at) }));
}

async fn a_preference_that_is_not_understood_is_kept(workspace: Workspace) {
    let at = workspace.server.clock.seconds();
    workspace.server.post(&preference("1000", &wa_id(&phone(0)), "perhaps", at)).await;
    assert_eq!(workspace.server.kept("unknown_preference").await, 1);
    workspace.server.post(&preference("nobody's", &wa_id(&phone(0)), "stop", at)).await;
    assert_eq!(workspace.server.kept("unknown_line").await, 1);
    assert_eq!(workspace.server.database.count("SELECT count(*) FROM contacts").await, 0);
}

async fn a_stop_word_opts_out_and_a_resume_word_in_again(workspace: Workspace) {
    let conversation = workspace.conversation("Welcome").await;
    let person = workspace.send_to(&conversation, 0, 1).await.remove(0);
    let at = workspace.server.clock.seconds() - 100;
    for (number, (words, second, expected)) in [
        ("Please stop calling", at + 1, Value::Null),
        (" Darme de baja\n", at + 2, time(at + 2)),
        ("thanks", at + 3, time(at + 2)),
        ("Start", at + 5, Value::Null),
        ("stop", at + 4, Value::Null),
        ("PARAR PROMOÇÕES", at + 6, time(at + 6)),
    ]
    .into_iter()
    .enumerate()
    {
        let said = text(&format!("wamid.{number}"), &wa_id(&person.phone), words, second);
        workspace.server.post(&Webhook::of("1000").message(said).payload()).await;
        assert_eq!(opted_out_at(&workspace, &conversation).await, expected, "{words}");
    }
}

async fn a_pressed_button_opts_out_as_a_text_does(workspace: Workspace) {
    let conversation = workspace.conversation("Welcome").await;
    workspace.send_to(&conversation, 0, 2).await;
    let at = workspace.server.clock.seconds();
    let template = json!({ "payload": "x", "text": "Stop promotions" });
    let template = message("wamid.1", &wa_id(&phone(0)), "button", &template, at);
    let reply = json!({ "type": "button_reply", "button_reply": { "id": "x", "title": "Baja" } });
    let reply = message("wamid.2", &wa_id(&phone(1)), "interactive", &reply, at);
    workspace.server.post(&Webhook::of("1000").message(template).message(reply).payload()).await;
    for user in workspace.users(&conversation, "optedOutAt").await {
        assert_eq!(user["optedOutAt"], time(at));
    }
}

async fn a_stop_word_counts_even_where_its_message_belongs_to_nothing(workspace: Workspace) {
    let at = workspace.server.clock.seconds();
    let stop = text("wamid.1", &wa_id(&phone(0)), "STOP", at);
    workspace.server.post(&Webhook::of("1000").message(stop).payload()).await;
    assert_eq!(workspace.server.kept("unattributed_message").await, 1);
    let conversation = workspace.conversation("Welcome").await;
    workspace.send_to(&conversation, 0, 1).await;
    assert_eq!(opted_out_at(&workspace, &conversation).await, time(at));
}

async fn a_stop_word_is_recorded_through_the_api_and_only_from_the_user(workspace: Workspace) {
    let line = workspace.another_line(true).await;
    let conversation = workspace.conversation_on(&line, "External", "OUTBOUND", flow()).await;
    workspace.send_to(&conversation, 0, 1).await;
    let at = workspace.server.clock.seconds();
    let told = |sender: &str, kind: &str, words: &str, id: &str| {
        json!([{ "message": { "lineId": line.id, "phone": phone(0), "sender": sender, "kind": kind, "text": words,
            "at": time(at), "providerMessageId": id } }])
    };
    for (sender, kind, id) in [("BOT", "TEXT", "1"), ("AGENT", "BUTTON", "2"), ("USER", "IMAGE", "3")] {
        workspace.record(told(sender, kind, "STOP", id)).await;
        assert_eq!(opted_out_at(&workspace, &conversation).await, Value::Null, "{sender} {kind}");
    }
    workspace.record(told("USER", "TEXT", "Unsubscribe", "4")).await;
    assert_eq!(opted_out_at(&workspace, &conversation).await, time(at));
}

async fn an_operator_may_choose_the_words(database: Database) {
    let settings = [("contacts.stop_words", "Genug, nie wieder"), ("contacts.resume_words", "")];
    let workspace = Workspace::on(Server::start(database, &settings).await).await;
    let conversation = workspace.conversation("Welcome").await;
    workspace.send_to(&conversation, 0, 1).await;
    let at = workspace.server.clock.seconds() - 100;
    for (second, words, expected) in
        [(1, "stop", Value::Null), (2, "Nie wieder", time(at + 2)), (3, "start", time(at + 2))]
    {
        let said = text(&format!("wamid.{second}"), &wa_id(&phone(0)), words, at + second);
        workspace.server.post(&Webhook::of("1000").message(said).payload()).await;
        assert_eq!(opted_out_at(&workspace, &conversation).await, expected, "{words}");
    }
}

async fn a_failure_for_an_opt_out_opts_out_and_one_for_a_block_blocks(workspace: Workspace) {
    let conversation = workspace.conversation("Welcome").await;
    let people = workspace.send_to(&conversation, 0, 3).await;
    let at = workspace.server.clock.seconds();
    let webhook = people.iter().zip([131_050, 130_403, 131_026]);
    let webhook = webhook.fold(Webhook::of("1000"), |webhook, (person, code)| {
        webhook.status(failed(&person.wamid, Some(&person.message), code, at))
    });
    workspace.server.post(&webhook.payload()).await;
    let users = workspace.users(&conversation, "phone optedOutAt failure { reason }").await;
    for (person, reason, expected) in
        [(0, "OPTED_OUT", time(at)), (1, "BLOCKED_CONTACT", Value::Null), (2, "UNDELIVERABLE", Value::Null)]
    {
        let user = json!({ "phone": phone(person), "optedOutAt": expected, "failure": { "reason": reason } });
        assert!(users.contains(&user), "{users:?}");
    }
    let blocked = format!(
        "SELECT count(*) FROM contacts WHERE phone = '{}' AND blocked_at = {}",
        phone(1),
        Timestamp::from_seconds(at).unwrap().micros()
    );
    assert_eq!(workspace.server.database.count(&blocked).await, 1);
    let all = "SELECT count(*) FROM contacts WHERE blocked_at IS NOT NULL";
    assert_eq!(workspace.server.database.count(all).await, 1);
}

async fn an_opt_out_told_in_answer_to_a_call_prevents_the_next_call(database: Database) {
    let faults = Faults { refused: 1.0, refusal_codes: vec![131_050], ..Faults::default() };
    let settings = SimulatorSettings { faults, ..SimulatorSettings::default() };
    let (workspace, provider) = Workspace::with_provider(database, settings).await;
    for (name, calls) in [("One", 1), ("Two", 1)] {
        let conversation = workspace.conversation(name).await;
        workspace.send(&conversation, recipients(0, 1)).await;
        workspace.accepted_people(&conversation).await;
        let user = workspace.user(&conversation, "optedOutAt failure { reason }").await;
        assert_eq!(user["failure"]["reason"], "OPTED_OUT");
        assert!(user["optedOutAt"].is_string(), "{user}");
        assert_eq!(provider.counters().calls, calls, "{name}");
    }
}

async fn who_opts_out_after_a_message_gets_no_other(database: Database) {
    let outcomes = Outcomes {
        undeliverable: 0.0,
        withheld: 0.0,
        failed: 0.0,
        unreachable: 0.0,
        opted_out: 1.0,
        ..Outcomes::default()
    };
    let moment = Span::new(0.0, 0.1);
    let delays = Delays { sent: moment, delivered: moment, read: moment, answered: moment, ..Delays::default() };
    let webhooks = Webhooks { late: 0.0, duplicated: 0.0, ..Webhooks::default() };
    let settings = SimulatorSettings {
        app_secret: bluetick::config::Secret::new(APP_SECRET),
        webhook_url: Some(String::new()),
        outcomes,
        delays,
        webhooks,
        ..SimulatorSettings::default()
    };
    let (workspace, provider) = Workspace::with_provider(database, settings).await;
    let conversation = workspace.conversation("One").await;
    workspace.send(&conversation, recipients(0, 5)).await;
    until("everybody opted out", async || {
        let users = workspace.users(&conversation, "optedOutAt").await;
        users.iter().all(|user| user["optedOutAt"].is_string()).then_some(())
    })
    .await;
    let conversation = workspace.conversation("Two").await;
    workspace.send(&conversation, recipients(0, 5)).await;
    workspace.accepted_people(&conversation).await;
    let metrics = workspace.metrics(&conversation).await;
    assert_eq!(metrics["byFailure"], json!([{ "reason": "OPTED_OUT", "count": 5 }]));
    assert_eq!(provider.counters().calls, 5);
}

async fn another_workspaces_contact_of_the_same_number_is_not_affected(workspace: Workspace) {
    let stranger = workspace.server.client("stranger", "admin,personal").await;
    let theirs = send_of(&stranger).await;
    let conversation = workspace.conversation("Welcome").await;
    workspace.send_to(&conversation, 0, 1).await;
    let at = workspace.server.clock.seconds();
    workspace.server.post(&preference("1000", &wa_id(&phone(0)), "stop", at)).await;
    assert_eq!(opted_out_at(&workspace, &conversation).await, time(at));
    let document = "query($id: ID!) { conversation(id: $id) { users { nodes { phone optedOutAt } } } }";
    let found = stranger.ask_one(document, json!({ "id": theirs })).await;
    assert_eq!(found["users"]["nodes"], json!([{ "phone": phone(0), "optedOutAt": null }]));
}

/// A conversation of another workspace, sent to the first number.
async fn send_of(api: &Client) -> String {
    let line = create_line(api, "2000", false).await;
    let input = json!({ "name": "Theirs", "direction": "OUTBOUND", "lineId": line.id, "flow": flow() });
    let conversation = id_of(&api.change(CREATE_CONVERSATION, json!({ "input": input })).await["conversation"]);
    let input = json!({ "conversationId": conversation, "users": recipients(0, 1) });
    api.change(SEND_CONVERSATION, json!({ "input": input })).await;
    conversation
}

/// When the only user of a conversation opted out, as it is shown.
async fn opted_out_at(workspace: &Workspace, conversation: &str) -> Value {
    workspace.user(conversation, "optedOutAt").await["optedOutAt"].clone()
}

fn time(second: i64) -> Value {
    json!(Timestamp::from_seconds(second).unwrap().to_string())
}
