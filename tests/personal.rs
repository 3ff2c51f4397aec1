//! Personal data, which only tokens with the scope PERSONAL show.

use serde_json::{Value, json};

use crate::support::trial::tests;
use crate::support::webhook::{Webhook, in_reply_to, status, text};
use crate::support::workspace::{Workspace, phone, wa_id};

tests! {
    on_both_databases: [
        without_the_scope_nothing_personal_is_shown,
        without_the_scope_nobody_is_found_by_personal_data,
        frames_that_show_personal_data_are_shared_with_nobody_who_may_not_see_it,
    ],
}

const EVERYTHING: &str = "phone whatsappId name deploymentStatus variables { name value } variable(name: \"city\")
    history { nodes { sender kind text payload providerMessageId } }";

/// A user of whom everything is known.
async fn known(workspace: &Workspace) -> String {
    let conversation = workspace.conversation("Welcome").await;
    let variables = json!([{ "name": "city", "value": "Cali" }]);
    workspace.send(&conversation, json!([{ "phone": phone(0), "variables": variables }])).await;
    let person = workspace.people(&conversation).await.remove(0);
    let at = workspace.server.clock.seconds();
    let answer = in_reply_to(text("wamid.answer", &wa_id(&person.phone), "My name is Ana", at), &person.wamid);
    let sent = status(&person.wamid, Some(&person.message), "sent", at - 1);
    let webhook = Webhook::of("1000").status(sent).profile(&wa_id(&person.phone), "Ana").message(answer);
    assert_eq!(workspace.server.post(&webhook.payload()).await, 200);
    conversation
}

/// Every text in a value.
fn texts(value: &Value) -> Vec<&str> {
    match value {
        Value::String(text) => vec![text],
        Value::Array(values) => values.iter().flat_map(texts).collect(),
        Value::Object(members) => members.values().flat_map(texts).collect(),
        _ => Vec::new(),
    }
}

async fn without_the_scope_nothing_personal_is_shown(workspace: Workspace) {
    let conversation = known(&workspace).await;
    let document = format!("query($id: ID!) {{ conversation(id: $id) {{ users {{ nodes {{ {EVERYTHING} }} }} }} }}");
    let shown = workspace.api.ask_one(&document, json!({ "id": conversation })).await["users"]["nodes"][0].clone();
    assert_eq!(
        (&shown["phone"], &shown["name"], &shown["variable"]),
        (&json!(phone(0)), &json!("Ana"), &json!("Cali"))
    );
    assert!(texts(&shown).contains(&"My name is Ana"));
    for scopes in ["read", "admin"] {
        let reader = workspace.server.client("acme", scopes).await;
        let masked = reader.ask_one(&document, json!({ "id": conversation })).await["users"]["nodes"][0].clone();
        assert_eq!(masked["phone"], "+57••••0000");
        for nothing in ["whatsappId", "name", "variable"] {
            assert_eq!(masked[nothing], Value::Null, "{nothing}");
        }
        assert_eq!(masked["variables"], json!([]));
        let mut seen = texts(&masked);
        seen.sort_unstable();
        assert_eq!(seen, ["+57••••0000", "COMPANY", "DELIVERED", "TEMPLATE", "TEXT", "USER"]);
    }
}

async fn without_the_scope_nobody_is_found_by_personal_data(workspace: Workspace) {
    let conversation = known(&workspace).await;
    let reader = workspace.server.client("acme", "admin").await;
    let document =
        "query($id: ID!, $filter: UserFilter) { conversation(id: $id) { users(filter: $filter) { totalCount } } }";
    for (filter, personal) in [
        (json!({ "phone": "57" }), true),
        (json!({ "variables": [{ "name": "city", "equals": "Cali" }] }), true),
        (json!({ "or": [{ "deploymentStatus": ["READ"] }, { "not": { "phone": "57" } }] }), true),
        (json!({ "deploymentStatus": ["DELIVERED"] }), false),
    ] {
        let variables = json!({ "id": conversation, "filter": filter });
        let answer = reader.post(document, variables.clone()).await;
        if personal {
            assert_eq!(answer.refusal().code, "FORBIDDEN", "{filter}");
        } else {
            assert_eq!(answer.body["data"]["conversation"]["users"]["totalCount"], 1);
        }
        assert_eq!(workspace.api.post(document, variables).await.body.get("errors"), None, "{filter}");
    }
}

async fn frames_that_show_personal_data_are_shared_with_nobody_who_may_not_see_it(workspace: Workspace) {
    let conversation = known(&workspace).await;
    let reader = workspace.server.client("acme", "read").await;
    let document =
        "subscription($id: ID!) { userChanged(conversationId: $id, afterRevision: 0) { user { phone name } } }";
    let mut shown = workspace.api.subscribe(document, json!({ "id": conversation })).await;
    assert_eq!(shown.next().await.unwrap()["user"], json!({ "phone": phone(0), "name": "Ana" }));
    let mut masked = reader.subscribe(document, json!({ "id": conversation })).await;
    assert_eq!(masked.next().await.unwrap()["user"], json!({ "phone": "+57••••0000", "name": null }));
}
