//! A user's messages, either way.

use serde_json::{Value, json};

use crate::support::pages;
use crate::support::trial::tests;
use crate::support::webhook::{Webhook, failed, in_reply_to, message, status, text};
use crate::support::workspace::{Workspace, inbound_flow, phone, wa_id};

tests! {
    on_both_databases: [
        a_message_carries_its_own_status,
        every_kind_of_message_is_shown_with_what_it_carries,
        the_history_is_in_the_order_in_which_it_was_written,
        the_history_is_paged_both_ways,
        a_message_belongs_to_the_deployment_that_it_answers,
        a_message_reported_twice_is_one,
    ],
}

const HISTORY: &str = "history(first: 200) { totalCount
    nodes { sender kind text payload status at providerMessageId deployment { id } } }";

async fn a_message_carries_its_own_status(workspace: Workspace) {
    let line = workspace.another_line(true).await;
    let flow = crate::support::workspace::flow();
    let conversation = workspace.conversation_on(&line, "External", "OUTBOUND", flow).await;
    workspace.send_to(&conversation, 0, 1).await;
    let at = workspace.server.clock.seconds() + 1;
    let fact = |id: &str, sender: &str, at: i64| {
        json!({ "message": { "lineId": line.id, "phone": phone(0), "sender": sender, "kind": "TEXT", "text": id,
            "at": moment(at), "providerMessageId": id } })
    };
    workspace
        .record(json!([
            fact("first", "COMPANY", at),
            fact("second", "BOT", at + 1),
            fact("third", "AGENT", at + 2),
            fact("answer", "USER", at + 3)
        ]))
        .await;
    let webhook = Webhook::of(&line.phone_number_id)
        .status(status("first", None, "delivered", at + 1))
        .status(failed("second", None, 131_026, at + 2))
        .status(status("third", None, "read", at + 3));
    workspace.server.post(&webhook.payload()).await;
    let user = workspace.user(&conversation, &format!("deploymentStatus {HISTORY}")).await;
    let shown: Vec<_> = user["history"]["nodes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| json!([one["text"], one["sender"], one["status"]]))
        .collect();
    let expected = [
        json!(["first", "COMPANY", "DELIVERED"]),
        json!(["second", "BOT", "FAILED"]),
        json!(["third", "AGENT", "READ"]),
        json!(["answer", "USER", null]),
    ];
    assert_eq!(shown, expected);
    assert_eq!(user["deploymentStatus"], "DELIVERED", "only the first message tells how the deployment stands");
}

async fn every_kind_of_message_is_shown_with_what_it_carries(workspace: Workspace) {
    let conversation = workspace.conversation_on(&workspace.line, "In", "INBOUND", inbound_flow()).await;
    let media =
        |kind: &str| json!({ "id": "1", "mime_type": format!("{kind}/x"), "sha256": "ab", "caption": "Look ñ" });
    let button = json!({ "payload": "YES", "text": "Yes!" });
    let pressed = json!({ "type": "button_reply", "button_reply": { "id": "yes", "title": "Yes" } });
    let chosen = json!({ "type": "list_reply", "list_reply": { "id": "2", "title": "Two", "description": "2nd" } });
    let form = json!({ "type": "nfm_reply", "nfm_reply": { "name": "flow", "body": "Sent", "response_json": "{}" } });
    let place = json!({ "latitude": 4.6, "longitude": -74.1, "name": "Bogotá" });
    let cards = json!([{ "name": { "formatted_name": "Ana" }, "phones": [{ "phone": "+57 1" }] }]);
    let reaction = json!({ "message_id": "wamid.0", "emoji": "👍" });
    let cases = [
        ("text", json!({ "body": "Hola 😀" }), "TEXT", json!("Hola 😀"), Value::Null),
        ("button", button.clone(), "BUTTON", json!("Yes!"), button),
        ("interactive", pressed.clone(), "BUTTON", json!("Yes"), pressed["button_reply"].clone()),
        ("interactive", chosen.clone(), "LIST", json!("Two"), chosen["list_reply"].clone()),
        ("interactive", form.clone(), "BUTTON", json!("Sent"), form["nfm_reply"].clone()),
        ("image", media("image"), "IMAGE", json!("Look ñ"), media("image")),
        ("video", media("video"), "VIDEO", json!("Look ñ"), media("video")),
        ("audio", media("audio"), "AUDIO", json!("Look ñ"), media("audio")),
        ("document", media("document"), "DOCUMENT", json!("Look ñ"), media("document")),
        ("sticker", media("sticker"), "STICKER", json!("Look ñ"), media("sticker")),
        ("location", place.clone(), "LOCATION", Value::Null, place),
        ("contacts", cards.clone(), "CONTACTS", Value::Null, cards),
        ("reaction", reaction.clone(), "REACTION", json!("👍"), reaction),
    ];
    let at = workspace.server.clock.seconds() - 100;
    let webhook = cases.iter().zip(0..).fold(Webhook::of("1000"), |webhook, ((kind, content, ..), place)| {
        webhook.message(message(&format!("wamid.{place}"), &wa_id(&phone(0)), kind, content, at + place))
    });
    let unknown = message("wamid.unknown", &wa_id(&phone(0)), "hologram", &json!({ "depth": 3 }), at + 50);
    workspace.server.post(&webhook.message(unknown.clone()).payload()).await;
    let user = workspace.user(&conversation, HISTORY).await;
    let shown = user["history"]["nodes"].as_array().unwrap();
    assert_eq!(shown.len(), cases.len() + 1);
    for (shown, (_, _, kind, text, payload)) in shown.iter().zip(&cases) {
        assert_eq!((&shown["kind"], &shown["text"], &shown["payload"]), (&json!(kind), text, payload));
    }
    assert_eq!((&shown[cases.len()]["kind"], &shown[cases.len()]["payload"]), (&json!("UNSUPPORTED"), &unknown));
}

async fn the_history_is_in_the_order_in_which_it_was_written(workspace: Workspace) {
    let conversation = workspace.conversation_on(&workspace.line, "In", "INBOUND", inbound_flow()).await;
    let at = workspace.server.clock.seconds() - 100;
    for place in [3, 1, 4, 0, 2] {
        let one = text(&format!("wamid.{place}"), &wa_id(&phone(0)), &place.to_string(), at + place);
        workspace.server.post(&Webhook::of("1000").message(one).payload()).await;
    }
    let user = workspace.user(&conversation, &format!("deployedAt {HISTORY}")).await;
    let texts: Vec<_> = user["history"]["nodes"].as_array().unwrap().iter().map(|one| one["text"].clone()).collect();
    assert_eq!(texts, ["0", "1", "2", "3", "4"]);
    assert_eq!(user["deployedAt"], moment(at), "it began with the message written first");
}

async fn the_history_is_paged_both_ways(workspace: Workspace) {
    let conversation = workspace.conversation_on(&workspace.line, "In", "INBOUND", inbound_flow()).await;
    let at = workspace.server.clock.seconds() - 100;
    // Some were written in the same second.
    let webhook = (0..23).fold(Webhook::of("1000"), |webhook, place| {
        webhook.message(text(&format!("wamid.{place}"), &wa_id(&phone(0)), "Hi", at + place / 4))
    });
    workspace.server.post(&webhook.payload()).await;
    let user = workspace.user(&conversation, "id").await["id"].clone();
    let document = |arguments: &str| {
        format!(
            "query($cursor: String) {{ node(id: {user}) {{ ... on User {{ history({arguments}) {{ totalCount
               edges {{ cursor node {{ id }} }} pageInfo {{ startCursor endCursor hasNextPage hasPreviousPage }} }} }} }} }}"
        )
    };
    let all = pages::read(&workspace.api, &document("first: 200, after: $cursor")).await;
    assert_eq!(all.len(), 23);
    assert_eq!(pages::read(&workspace.api, &document("first: 5, after: $cursor")).await, all);
    assert_eq!(pages::read(&workspace.api, &document("last: 5, before: $cursor")).await, all);
}

async fn a_message_belongs_to_the_deployment_that_it_answers(workspace: Workspace) {
    let conversation = workspace.conversation("Welcome").await;
    let first = workspace.send_to(&conversation, 0, 1).await.remove(0);
    let second = workspace.send_to(&conversation, 0, 1).await.remove(0);
    let at = workspace.server.clock.seconds();
    let webhook = Webhook::of("1000")
        .status(status(&first.wamid, Some(&first.message), "delivered", at))
        .status(status(&second.wamid, Some(&second.message), "delivered", at))
        .message(in_reply_to(text("wamid.a", &wa_id(&phone(0)), "To the first", at + 1), &first.wamid))
        .message(in_reply_to(text("wamid.b", &wa_id(&phone(0)), "To the second", at + 2), &second.wamid));
    workspace.server.post(&webhook.payload()).await;
    let user = workspace.user(&conversation, HISTORY).await;
    let answers: Vec<_> = user["history"]["nodes"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|one| one["sender"] == "USER")
        .map(|one| json!([one["text"], one["deployment"]["id"]]))
        .collect();
    let expected = [json!(["To the first", first.deployment]), json!(["To the second", second.deployment])];
    assert_eq!(answers, expected);
}

async fn a_message_reported_twice_is_one(workspace: Workspace) {
    let conversation = workspace.conversation_on(&workspace.line, "In", "INBOUND", inbound_flow()).await;
    let at = workspace.server.clock.seconds() - 100;
    let hello = Webhook::of("1000").message(text("wamid.1", &wa_id(&phone(0)), "Hi", at));
    for _ in 0..3 {
        workspace.server.post(&hello.clone().message(text("wamid.1", &wa_id(&phone(0)), "Hi", at)).payload()).await;
    }
    let before = workspace.metrics(&conversation).await;
    workspace.server.post(&hello.payload()).await;
    assert_eq!(workspace.user(&conversation, "history { totalCount }").await["history"]["totalCount"], 1);
    assert_eq!(workspace.metrics(&conversation).await, before, "what is known already is no change");
}

fn moment(seconds: i64) -> String {
    bluetick::domain::clock::Timestamp::from_seconds(seconds).unwrap().to_string()
}
