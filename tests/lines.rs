//! Lines.

use serde_json::json;

use crate::support::trial::tests;
use crate::support::workspace::{CREATE_LINE, Workspace, create_line};

tests! {
    on_both_databases: [
        a_line_is_created_and_listed,
        a_providers_number_belongs_to_one_line_of_all_workspaces,
        a_line_that_cannot_be_is_refused_with_its_place,
    ],
}

async fn a_line_is_created_and_listed(workspace: Workspace) {
    let input = json!({ "phone": "+57 (300) 111-2233", "phoneNumberId": "2000", "name": "Línea ñ" });
    let payload = workspace.api.change(CREATE_LINE, json!({ "input": input })).await;
    let line = json!({ "id": payload["line"]["id"], "phone": "+573001112233", "phoneNumberId": "2000", "name": "Línea ñ",
        "messagesPerSecond": 80, "external": false });
    assert_eq!(payload["line"], line);
    let lines = workspace.api.ask_one("{ lines { id } }", json!({})).await;
    assert_eq!(lines.as_array().unwrap().len(), 2);
    let document = "query($id: ID!) { node(id: $id) { ... on Line {
        id phone phoneNumberId name messagesPerSecond external } } }";
    assert_eq!(workspace.api.ask_one(document, json!({ "id": line["id"] })).await, line);
}

async fn a_providers_number_belongs_to_one_line_of_all_workspaces(workspace: Workspace) {
    let stranger = workspace.server.client("stranger", "admin").await;
    for client in [&workspace.api, &stranger] {
        let input =
            json!({ "phone": "+573001112233", "phoneNumberId": workspace.line.phone_number_id, "name": "Again" });
        let payload = client.ask_one(CREATE_LINE, json!({ "input": input })).await;
        assert_eq!(payload["line"], json!(null));
        assert_eq!(payload["userErrors"][0]["code"], "CONFLICT");
        assert_eq!(payload["userErrors"][0]["field"], json!(["input", "phoneNumberId"]));
    }
    create_line(&stranger, "2000", true).await;
}

async fn a_line_that_cannot_be_is_refused_with_its_place(workspace: Workspace) {
    for (field, value) in [
        ("phone", json!("")),
        ("phone", json!("call me")),
        ("phone", json!("+1")),
        ("phoneNumberId", json!("")),
        ("phoneNumberId", json!("a\0b")),
        ("name", json!(" ")),
        ("name", json!("n".repeat(1_000_000))),
        ("messagesPerSecond", json!(0)),
        ("messagesPerSecond", json!(-1)),
    ] {
        let mut input = json!({ "phone": "+573001112233", "phoneNumberId": "2000", "name": "Line" });
        input[field] = value;
        let payload = workspace.api.ask_one(CREATE_LINE, json!({ "input": input })).await;
        assert_eq!(payload["userErrors"][0]["code"], "INVALID", "{field}");
        assert_eq!(payload["userErrors"][0]["field"], json!(["input", field]));
    }
    assert_eq!(workspace.api.ask_one("{ lines { id } }", json!({})).await.as_array().unwrap().len(), 1);
}
