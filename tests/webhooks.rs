//! The provider's webhooks: who may post them, what becomes of each kind, and what is never lost.

use std::time::Duration;

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::support::server::{Server, VERIFY_TOKEN};
use crate::support::trial::tests;
use crate::support::wait::until;
use crate::support::webhook::{
    APP_SECRET, Webhook, body, change, failed, in_reply_to, message, signature, status, text,
};
use crate::support::workspace::{Workspace, inbound_flow, phone, recipients, wa_id};

tests! {
    on_both_databases: [
        the_provider_gets_its_challenge_back,
        a_webhook_without_the_right_signature_is_refused_and_nothing_is_stored,
        the_signature_is_that_of_the_bytes_as_they_came,
        malformed_json_is_refused,
        what_is_not_understood_is_kept_and_does_not_spoil_the_rest,
        a_change_of_another_field_is_kept,
        an_unknown_number_is_kept,
        a_thousand_updates_are_taken_at_once,
        a_body_of_four_megabytes_is_taken_and_a_larger_one_refused,
        a_status_that_comes_before_its_message_is_known_waits_for_it,
        a_status_is_found_by_the_callback_data_alone,
        a_status_of_nothing_known_waits_seven_days_and_is_dropped,
        a_reply_that_comes_before_what_it_answers_waits_for_it,
        a_reply_to_nothing_known_is_attributed_by_its_time_after_ten_minutes,
        a_status_of_another_workspaces_message_is_not_believed,
        a_users_message_begins_an_inbound_conversation,
        without_an_inbound_conversation_a_users_message_is_kept,
        a_typed_answer_goes_to_the_latest_deployment_dispatched_before_it,
        the_earliest_report_of_a_status_counts,
        a_profile_name_is_the_latest_reported,
        a_time_out_of_this_world_is_kept,
        one_webhook_may_tell_of_several_lines,
    ],
}

async fn the_provider_gets_its_challenge_back(server: Server) {
    let client = server.client("acme", "read").await;
    let path = |mode: &str, token: &str| {
        let token = token.replace(' ', "%20");
        format!("/webhooks/whatsapp?hub.mode={mode}&hub.challenge=1158201444&hub.verify_token={token}")
    };
    assert_eq!(client.get(&path("subscribe", VERIFY_TOKEN)).await, (StatusCode::OK, "1158201444".to_owned()));
    for wrong in [
        path("subscribe", "wrong"),
        path("subscribe", ""),
        path("unsubscribe", VERIFY_TOKEN),
        "/webhooks/whatsapp".to_owned(),
    ] {
        let (status, text) = client.get(&wrong).await;
        assert!(status.is_client_error(), "{wrong}");
        assert!(!text.contains("1158201444"));
    }
}

async fn a_webhook_without_the_right_signature_is_refused_and_nothing_is_stored(workspace: Workspace) {
    let conversation = workspace.conversation_on(&workspace.line, "In", "INBOUND", inbound_flow()).await;
    let hello = text("wamid.1", &wa_id(&phone(0)), "Hi", workspace.server.clock.seconds());
    let signed = body(&Webhook::of("1000").message(hello).payload());
    let right = signature(APP_SECRET, &signed);
    let (short, upper) = (&right[..right.len() - 2], right.to_uppercase());
    for wrong in [
        None,
        Some(""),
        Some("sha256="),
        Some("sha256=zz"),
        Some(&right["sha256=".len()..]),
        Some(short),
        Some(&upper),
        Some(signature("another secret", &signed).as_str()),
        Some(signature(APP_SECRET, b"another body").as_str()),
        Some(format!("sha1={}", &right["sha256=".len()..]).as_str()),
    ] {
        assert_eq!(workspace.server.post_signed(signed.clone(), wrong).await, StatusCode::UNAUTHORIZED, "{wrong:?}");
    }
    assert_eq!(workspace.metrics(&conversation).await["totalUsers"], 0);
    for table in ["contacts", "users", "messages", "parked", "kept"] {
        assert_eq!(workspace.server.database.count(&format!("SELECT count(*) FROM {table}")).await, 0, "{table}");
    }
    assert_eq!(workspace.server.post_signed(signed, Some(&right)).await, StatusCode::OK);
    assert_eq!(workspace.metrics(&conversation).await["totalUsers"], 1);
}

async fn the_signature_is_that_of_the_bytes_as_they_came(workspace: Workspace) {
    let conversation = workspace.conversation_on(&workspace.line, "In", "INBOUND", inbound_flow()).await;
    let at = workspace.server.clock.seconds();
    let payload = Webhook::of("1000").message(text("wamid.1", &wa_id(&phone(0)), "¡Olé! 😀 ñ/\"", at)).payload();
    let escaped = body(&payload);
    assert!(escaped.is_ascii());
    let spaced = serde_json::to_vec_pretty(&payload).unwrap();
    for bytes in [escaped, spaced] {
        let signature = signature(APP_SECRET, &bytes);
        assert_eq!(workspace.server.post_signed(bytes, Some(&signature)).await, StatusCode::OK);
    }
    let user = workspace.user(&conversation, "history { nodes { text } }").await;
    assert_eq!(user["history"]["nodes"], json!([{ "text": "¡Olé! 😀 ñ/\"" }]));
}

async fn malformed_json_is_refused(server: Server) {
    for malformed in ["", "{", "not JSON", "{\"entry\": [}", "{\"a\": 1} trailing", "\u{feff}{}"] {
        let signature = signature(APP_SECRET, malformed.as_bytes());
        let status = server.post_signed(malformed.into(), Some(&signature)).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{malformed}");
    }
    let not_text = vec![b'"', 0xff, b'"'];
    let signature = signature(APP_SECRET, &not_text);
    assert_eq!(server.post_signed(not_text, Some(&signature)).await, StatusCode::BAD_REQUEST);
}

async fn what_is_not_understood_is_kept_and_does_not_spoil_the_rest(workspace: Workspace) {
    let conversation = workspace.conversation("Welcome").await;
    let person = workspace.send_to(&conversation, 0, 1).await.remove(0);
    let at = workspace.server.clock.seconds();
    let own = Some(person.message.as_str());
    let mut without_id = status(&person.wamid, own, "read", at);
    without_id.as_object_mut().unwrap().remove("id");
    let mut nul = text("wamid.2", &wa_id(&person.phone), "a\0b", at);
    nul["unknown_field"] = json!({ "deep": [1, 2, 3] });
    let mut right = status(&person.wamid, own, "delivered", at);
    right["unknown_field"] = json!({ "deep": [1, 2, 3] });
    let system = message("wamid.3", &wa_id(&person.phone), "system", &json!({ "body": "changed" }), at);
    let mut nobodys = text("wamid.4", "", "Hi", at);
    nobodys.as_object_mut().unwrap().remove("from");
    let webhook = Webhook::of("1000")
        .status(status(&person.wamid, own, "teleported", at))
        .status(without_id)
        .status(json!("a text"))
        .status(json!(null))
        .status(right)
        .message(nul)
        .message(system)
        .message(nobodys);
    assert_eq!(workspace.server.post(&webhook.payload()).await, StatusCode::OK);
    for (reason, count) in
        [("unknown_status", 1), ("bad_id", 1), ("foreign_shape", 2), ("bad_text", 1), ("system", 1), ("no_sender", 1)]
    {
        assert_eq!(workspace.server.kept(reason).await, count, "{reason}");
    }
    assert_eq!(workspace.user(&conversation, "deploymentStatus").await["deploymentStatus"], "DELIVERED");
    for odd in [json!({}), json!([]), json!("text"), json!(7), json!({ "entry": {} }), json!({ "entry": [1, null] })] {
        assert_eq!(workspace.server.post(&odd).await, StatusCode::OK, "{odd}");
    }
}

async fn a_change_of_another_field_is_kept(workspace: Workspace) {
    let update = json!({ "field": "message_template_status_update", "value": { "event": "APPROVED" } });
    assert_eq!(workspace.server.post(&change(&update)).await, StatusCode::OK);
    assert_eq!(workspace.server.kept("unknown_field").await, 1);
    let mut errors = Webhook::of("1000").payload();
    errors["entry"][0]["changes"][0]["value"]["errors"] = json!([{ "code": 131_000, "title": "Something" }]);
    assert_eq!(workspace.server.post(&errors).await, StatusCode::OK);
    assert_eq!(workspace.server.kept("provider_error").await, 1);
}

async fn an_unknown_number_is_kept(workspace: Workspace) {
    let at = workspace.server.clock.seconds();
    let webhook =
        Webhook::of("nobody's").status(status("wamid.1", None, "read", at)).message(text("wamid.2", "1", "", at));
    assert_eq!(workspace.server.post(&webhook.payload()).await, StatusCode::OK);
    assert_eq!(workspace.server.kept("unknown_line").await, 2);
}

async fn a_thousand_updates_are_taken_at_once(workspace: Workspace) {
    let conversation = workspace.conversation("Welcome").await;
    let people = workspace.send_to(&conversation, 0, 500).await;
    let at = workspace.server.clock.seconds();
    let webhook = people.iter().fold(Webhook::of("1000"), |webhook, person| {
        let status = |name: &str| status(&person.wamid, Some(&person.message), name, at);
        webhook.status(status("sent")).status(status("read"))
    });
    assert_eq!(workspace.server.post(&webhook.payload()).await, StatusCode::OK);
    assert_eq!(workspace.metrics(&conversation).await["read"], 500);
    assert_eq!(workspace.server.differences().await, []);
}

async fn a_body_of_four_megabytes_is_taken_and_a_larger_one_refused(workspace: Workspace) {
    let conversation = workspace.conversation_on(&workspace.line, "In", "INBOUND", inbound_flow()).await;
    let at = workspace.server.clock.seconds();
    let payload = Webhook::of("1000").message(text("wamid.1", &wa_id(&phone(0)), "Hi", at)).payload();
    for (size, expected, users) in [
        (4 << 20, StatusCode::OK, 1),
        ((4 << 20) + 1, StatusCode::PAYLOAD_TOO_LARGE, 1),
        (6 << 20, StatusCode::PAYLOAD_TOO_LARGE, 1),
    ] {
        let mut bytes = body(&payload);
        // Space behind the value is still JSON.
        bytes.resize(size, b' ');
        let signature = signature(APP_SECRET, &bytes);
        assert_eq!(workspace.server.post_signed(bytes, Some(&signature)).await, expected, "{size} bytes");
        assert_eq!(workspace.metrics(&conversation).await["totalUsers"], users);
    }
}

async fn a_status_that_comes_before_its_message_is_known_waits_for_it(workspace: Workspace) {
    let line = workspace.another_line(true).await;
    let flow = crate::support::workspace::flow();
    let conversation = workspace.conversation_on(&line, "External", "OUTBOUND", flow).await;
    workspace.send(&conversation, recipients(0, 1)).await;
    let at = workspace.server.clock.seconds();
    let early = Webhook::of(&line.phone_number_id).status(status("wamid.first", None, "read", at));
    assert_eq!(workspace.server.post(&early.payload()).await, StatusCode::OK);
    assert_eq!(workspace.metrics(&conversation).await["read"], 0);
    let first = json!({ "lineId": line.id, "phone": phone(0), "sender": "COMPANY", "kind": "TEMPLATE",
        "at": moment(at), "providerMessageId": "wamid.first" });
    workspace.record(json!([{ "message": first }])).await;
    until("the parked status is merged", async || (workspace.metrics(&conversation).await["read"] == 1).then_some(()))
        .await;
    until("nothing is parked any more", async || {
        (workspace.server.database.count("SELECT count(*) FROM parked").await == 0).then_some(())
    })
    .await;
}

async fn a_status_is_found_by_the_callback_data_alone(workspace: Workspace) {
    let conversation = workspace.conversation("Welcome").await;
    let person = workspace.send_to(&conversation, 0, 1).await.remove(0);
    let at = workspace.server.clock.seconds();
    let read = status("wamid.never.heard.of", Some(&person.message), "read", at);
    workspace.server.post(&Webhook::of("1000").status(read).payload()).await;
    let user = workspace.user(&conversation, "deploymentStatus history { nodes { providerMessageId } }").await;
    assert_eq!(user["deploymentStatus"], "READ");
    assert_eq!(user["history"]["nodes"], json!([{ "providerMessageId": "wamid.never.heard.of" }]));
    // From now on it is known by the provider's id too.
    let failure = failed("wamid.never.heard.of", None, 131_026, at);
    workspace.server.post(&Webhook::of("1000").status(failure).payload()).await;
    let user = workspace.user(&conversation, "deployments { nodes { failedAt } }").await;
    assert!(user["deployments"]["nodes"][0]["failedAt"].is_string());
}

async fn a_status_of_nothing_known_waits_seven_days_and_is_dropped(workspace: Workspace) {
    const PARKED: &str = "SELECT count(*) FROM parked";
    const DAY: Duration = Duration::from_secs(24 * 3_600);

    let webhook = Webhook::of("1000").status(status("wamid.unknown", None, "read", workspace.server.clock.seconds()));
    for _ in 0..2 {
        assert_eq!(workspace.server.post(&webhook.payload()).await, StatusCode::OK);
        assert_eq!(workspace.server.database.count(PARKED).await, 1, "it is stored before the answer, and once");
    }
    workspace.server.clock.advance(DAY * 7 - Duration::from_secs(60));
    assert_eq!(workspace.server.database.count(PARKED).await, 1);
    workspace.server.clock.advance(Duration::from_secs(120));
    until("the status is dropped", async || (workspace.server.database.count(PARKED).await == 0).then_some(())).await;
}

async fn a_reply_that_comes_before_what_it_answers_waits_for_it(workspace: Workspace) {
    let conversation = workspace.conversation("Welcome").await;
    let person = workspace.send_to(&conversation, 0, 1).await.remove(0);
    let at = workspace.server.clock.seconds();
    let reply = in_reply_to(text("wamid.reply", &wa_id(&person.phone), "Yes", at + 1), &person.wamid);
    assert_eq!(workspace.server.post(&Webhook::of("1000").message(reply).payload()).await, StatusCode::OK);
    assert_eq!(workspace.metrics(&conversation).await["responses"], 0);
    let sent = status(&person.wamid, Some(&person.message), "sent", at);
    workspace.server.post(&Webhook::of("1000").status(sent).payload()).await;
    until("the reply is an answer", async || (workspace.metrics(&conversation).await["responses"] == 1).then_some(()))
        .await;
    let user = workspace.user(&conversation, "deploymentStatus stage history { nodes { text } }").await;
    assert_eq!((&user["deploymentStatus"], &user["stage"]), (&json!("DELIVERED"), &json!("IN_FLOW")));
    assert_eq!(user["history"]["nodes"], json!([{ "text": null }, { "text": "Yes" }]));
}

async fn a_reply_to_nothing_known_is_attributed_by_its_time_after_ten_minutes(workspace: Workspace) {
    let conversation = workspace.conversation_on(&workspace.line, "In", "INBOUND", inbound_flow()).await;
    let at = workspace.server.clock.seconds();
    let reply = in_reply_to(text("wamid.reply", &wa_id(&phone(0)), "Yes", at), "wamid.unknown");
    assert_eq!(workspace.server.post(&Webhook::of("1000").message(reply).payload()).await, StatusCode::OK);
    assert_eq!(workspace.metrics(&conversation).await["totalUsers"], 0);
    workspace.server.clock.advance(Duration::from_secs(11 * 60));
    until("the reply begins a conversation", async || {
        (workspace.metrics(&conversation).await["totalUsers"] == 1).then_some(())
    })
    .await;
    assert_eq!(workspace.user(&conversation, "history { nodes { text } }").await["history"]["nodes"][0]["text"], "Yes");
}

async fn a_status_of_another_workspaces_message_is_not_believed(workspace: Workspace) {
    let conversation = workspace.conversation("Welcome").await;
    let person = workspace.send_to(&conversation, 0, 1).await.remove(0);
    let stranger = workspace.server.client("stranger", "admin").await;
    crate::support::workspace::create_line(&stranger, "9000", false).await;
    let at = workspace.server.clock.seconds();
    let named = status(&person.wamid, Some(&person.message), "sent", at);
    workspace.server.post(&Webhook::of("1000").status(named).payload()).await;
    let forged = Webhook::of("9000").status(status("wamid.forged", Some(&person.message), "read", at)).status(status(
        &person.wamid,
        None,
        "read",
        at,
    ));
    assert_eq!(workspace.server.post(&forged.payload()).await, StatusCode::OK);
    assert_eq!(workspace.user(&conversation, "deploymentStatus").await["deploymentStatus"], "SENT");
}

async fn a_users_message_begins_an_inbound_conversation(workspace: Workspace) {
    let conversation = workspace.conversation_on(&workspace.line, "In", "INBOUND", inbound_flow()).await;
    let at = workspace.server.clock.seconds() - 10;
    let hello = Webhook::of("1000")
        .message(text("wamid.1", &wa_id(&phone(0)), "Hello?", at))
        .profile(&wa_id(&phone(0)), "Ana María");
    workspace.server.post(&hello.payload()).await;
    let fields = "phone whatsappId name deployedAt deploymentStatus stage lastActivityAt
        deployments { totalCount nodes { send { id } queuedAt } } history { nodes { sender text } }";
    let expected = json!({
        "phone": phone(0), "whatsappId": wa_id(&phone(0)), "name": "Ana María", "deployedAt": moment(at),
        "deploymentStatus": "QUEUED", "stage": null, "lastActivityAt": moment(at),
        "deployments": { "totalCount": 1, "nodes": [{ "send": null, "queuedAt": moment(at) }] },
        "history": { "nodes": [{ "sender": "USER", "text": "Hello?" }] },
    });
    assert_eq!(workspace.user(&conversation, fields).await, expected);
    assert_eq!(workspace.metrics(&conversation).await["responses"], 0, "what begins a conversation answers nothing");
    // Another message of the same person goes on in the same deployment.
    let more = text("wamid.2", &wa_id(&phone(0)), "Anybody?", at + 5);
    workspace.server.post(&Webhook::of("1000").message(more).payload()).await;
    let user = workspace.user(&conversation, "lastActivityAt deployments { totalCount } history { totalCount }").await;
    let expected = json!({ "lastActivityAt": moment(at + 5), "deployments": { "totalCount": 1 },
        "history": { "totalCount": 2 } });
    assert_eq!(user, expected);
    assert_eq!(workspace.server.differences().await, []);
}

async fn without_an_inbound_conversation_a_users_message_is_kept(workspace: Workspace) {
    let conversation = workspace.conversation("Welcome").await;
    let hello = text("wamid.1", &wa_id(&phone(0)), "Hello?", workspace.server.clock.seconds());
    assert_eq!(workspace.server.post(&Webhook::of("1000").message(hello).payload()).await, StatusCode::OK);
    assert_eq!(workspace.metrics(&conversation).await["totalUsers"], 0);
    assert_eq!(workspace.server.kept("unattributed_message").await, 1);
}

async fn a_typed_answer_goes_to_the_latest_deployment_dispatched_before_it(workspace: Workspace) {
    let line = workspace.another_line(true).await;
    let flow = crate::support::workspace::flow;
    let first = workspace.conversation_on(&line, "First", "OUTBOUND", flow()).await;
    let second = workspace.conversation_on(&line, "Second", "OUTBOUND", flow()).await;
    let start = workspace.server.clock.seconds();
    workspace.send(&first, recipients(0, 1)).await;
    workspace.server.clock.advance(Duration::from_secs(100));
    workspace.send(&second, recipients(0, 1)).await;
    workspace.server.clock.advance(Duration::from_secs(100));
    let webhook = Webhook::of(&line.phone_number_id)
        .message(text("wamid.late", &wa_id(&phone(0)), "To the second", start + 150))
        .message(text("wamid.early", &wa_id(&phone(0)), "To the first", start + 50))
        .message(text("wamid.before", &wa_id(&phone(0)), "To nobody", start - 50));
    workspace.server.post(&webhook.payload()).await;
    for (conversation, expected) in [(&first, "To the first"), (&second, "To the second")] {
        let user = workspace.user(conversation, "history { nodes { text } }").await;
        assert_eq!(user["history"]["nodes"], json!([{ "text": expected }]));
    }
    assert_eq!(workspace.server.kept("unattributed_message").await, 1);
}

async fn the_earliest_report_of_a_status_counts(workspace: Workspace) {
    let conversation = workspace.conversation("Welcome").await;
    let person = workspace.send_to(&conversation, 0, 1).await.remove(0);
    let at = workspace.server.clock.seconds();
    for seconds in [5, 2, 9, 2] {
        let delivered = status(&person.wamid, Some(&person.message), "delivered", at + seconds);
        workspace.server.post(&Webhook::of("1000").status(delivered).payload()).await;
    }
    let user = workspace.user(&conversation, "deployments { nodes { deliveredAt } }").await;
    assert_eq!(user["deployments"]["nodes"], json!([{ "deliveredAt": moment(at + 2) }]));
}

async fn a_profile_name_is_the_latest_reported(workspace: Workspace) {
    let conversation = workspace.conversation_on(&workspace.line, "In", "INBOUND", inbound_flow()).await;
    let at = workspace.server.clock.seconds() - 1_000;
    for (minutes, name) in [(3, "Second"), (9, "Last"), (1, "First")] {
        let hello = text(&format!("wamid.{minutes}"), &wa_id(&phone(0)), "Hi", at + minutes * 60);
        workspace.server.post(&Webhook::of("1000").message(hello).profile(&wa_id(&phone(0)), name).payload()).await;
    }
    assert_eq!(workspace.user(&conversation, "name").await["name"], "Last");
}

async fn a_time_out_of_this_world_is_kept(workspace: Workspace) {
    let conversation = workspace.conversation("Welcome").await;
    let person = workspace.send_to(&conversation, 0, 1).await.remove(0);
    let at = workspace.server.clock.seconds();
    let with_time = |timestamp: Value| {
        let mut read = status(&person.wamid, Some(&person.message), "read", at);
        read["timestamp"] = timestamp;
        read
    };
    // The years 0 and 9999, milliseconds for seconds, and what is no time at all.
    let wrong =
        [json!("-62167219200"), json!("253402300799"), json!((at * 1_000).to_string()), json!("soon"), json!(null)];
    let webhook = wrong.iter().fold(Webhook::of("1000"), |webhook, time| webhook.status(with_time(time.clone())));
    let webhook = webhook.status(with_time(json!((at + 3_600).to_string())));
    assert_eq!(workspace.server.post(&webhook.payload()).await, StatusCode::OK);
    assert_eq!(workspace.server.kept("bad_timestamp").await, 5);
    assert_eq!(workspace.server.kept("time_ahead").await, 1);
    assert_eq!(workspace.user(&conversation, "deploymentStatus").await["deploymentStatus"], "QUEUED");
}

async fn one_webhook_may_tell_of_several_lines(workspace: Workspace) {
    let other = workspace.another_line(false).await;
    let at = workspace.server.clock.seconds() - 10;
    let hello = |line: &str| Webhook::of(line).message(text("wamid.1", &wa_id(&phone(0)), "Hi", at)).payload();
    let (mut payload, second) = (hello("1000"), Webhook::of(&other.phone_number_id));
    let second = second.message(text("wamid.2", &wa_id(&phone(1)), "Hi", at)).payload();
    let first_in = workspace.conversation_on(&workspace.line, "First", "INBOUND", inbound_flow()).await;
    let second_in = workspace.conversation_on(&other, "Second", "INBOUND", inbound_flow()).await;
    payload["entry"].as_array_mut().unwrap().push(second["entry"][0].clone());
    assert_eq!(workspace.server.post(&payload).await, StatusCode::OK);
    assert_eq!(workspace.user(&first_in, "phone").await["phone"], phone(0));
    assert_eq!(workspace.user(&second_in, "phone").await["phone"], phone(1));
}

fn moment(seconds: i64) -> String {
    bluetick::domain::clock::Timestamp::from_seconds(seconds).unwrap().to_string()
}
