//! Conversations and their versions.

use serde_json::{Value, json};

use crate::support::pages;
use crate::support::trial::tests;
use crate::support::workspace::{
    ARCHIVE_CONVERSATION, CREATE_CONVERSATION, PUBLISH_VERSION, Workspace, flow, id_of, inbound_flow, recipients,
};

tests! {
    on_both_databases: [
        a_conversation_begins_with_its_first_version,
        versions_are_numbered_and_the_last_is_the_current_one,
        each_version_has_its_own_users_and_figures,
        an_archived_conversation_stays_as_it_was,
        the_line_may_be_left_out_where_there_is_one,
        a_flow_is_kept_as_it_was_published,
        a_flow_that_cannot_start_is_refused,
        conversations_are_found_by_a_part_of_their_name_in_any_case,
        conversations_are_found_by_direction_and_archive,
        conversations_are_paged_both_ways_in_every_order,
        versions_are_paged_both_ways,
        an_error_below_a_list_keeps_its_path,
    ],
}

async fn an_error_below_a_list_keeps_its_path(workspace: Workspace) {
    workspace.conversation("Welcome").await;
    let users = "users(filter: { deployedAt: { from: \"0000-01-01T00:00:00Z\" } }) { totalCount }";
    let document = format!("{{ conversations {{ edges {{ node {{ them: {users} }} }} }} }}");
    let answer = workspace.api.post(&document, json!({})).await;
    assert_eq!(answer.body["errors"][0]["path"], json!(["conversations", "edges", 0, "node", "them"]));
}

async fn a_conversation_begins_with_its_first_version(workspace: Workspace) {
    let conversation = workspace.conversation("Welcome").await;
    let document = "query($id: ID!) { conversation(id: $id) { id name direction archivedAt createdAt line { id }
        currentVersion { number flow variableNames publishedAt conversation { id } }
        versions { totalCount nodes { number } } metrics { totalUsers versionNumber revision asOf responseRate }
        users { totalCount nodes { id } } sends { totalCount } } }";
    let found = workspace.api.ask_one(document, json!({ "id": conversation })).await;
    let created_at = &found["createdAt"];
    let expected = json!({
        "id": conversation, "name": "Welcome", "direction": "OUTBOUND", "archivedAt": null, "createdAt": created_at,
        "line": { "id": workspace.line.id },
        "currentVersion": { "number": 1, "flow": flow(), "variableNames": [], "publishedAt": created_at,
            "conversation": { "id": conversation } },
        "versions": { "totalCount": 1, "nodes": [{ "number": 1 }] },
        "metrics": { "totalUsers": 0, "versionNumber": 1, "revision": 0, "asOf": created_at, "responseRate": null },
        "users": { "totalCount": 0, "nodes": [] }, "sends": { "totalCount": 0 },
    });
    assert_eq!(found, expected);
}

async fn versions_are_numbered_and_the_last_is_the_current_one(workspace: Workspace) {
    let conversation = workspace.conversation("Welcome").await;
    assert_eq!(workspace.publish(&conversation).await, 2);
    assert_eq!(workspace.publish(&conversation).await, 3);
    let document = "query($id: ID!) { conversation(id: $id) { currentVersion { number }
        one: version(number: 1) { number } three: version(number: 3) { number }
        none: version(number: 4) { number } zero: version(number: 0) { number } negative: version(number: -1) { id } } }";
    let found = workspace.api.ask_one(document, json!({ "id": conversation })).await;
    let number = |number: i64| json!({ "number": number });
    let expected = json!({ "currentVersion": number(3), "one": number(1), "three": number(3), "none": null, "zero": null,
        "negative": null });
    assert_eq!(found, expected);
}

async fn each_version_has_its_own_users_and_figures(workspace: Workspace) {
    let conversation = workspace.conversation("Welcome").await;
    workspace.send(&conversation, recipients(0, 3)).await;
    workspace.publish(&conversation).await;
    assert_eq!(workspace.metrics(&conversation).await["totalUsers"], 0);
    workspace.send(&conversation, recipients(2, 2)).await;
    let document = "query($id: ID!) { conversation(id: $id) { metrics { versionNumber totalUsers } users { totalCount }
        sends { totalCount nodes { version { number } } }
        version(number: 1) { metrics { versionNumber totalUsers } users { totalCount nodes { version { number } } } } } }";
    let found = workspace.api.ask_one(document, json!({ "id": conversation })).await;
    assert_eq!(found["metrics"], json!({ "versionNumber": 2, "totalUsers": 2 }));
    assert_eq!(found["users"]["totalCount"], 2);
    assert_eq!(found["version"]["metrics"], json!({ "versionNumber": 1, "totalUsers": 3 }));
    let of_first = json!({ "version": { "number": 1 } });
    assert_eq!(found["version"]["users"], json!({ "totalCount": 3, "nodes": [of_first, of_first, of_first] }));
    let of_second = json!({ "version": { "number": 2 } });
    assert_eq!(found["sends"], json!({ "totalCount": 2, "nodes": [of_second, of_first] }));
}

async fn an_archived_conversation_stays_as_it_was(workspace: Workspace) {
    let conversation = workspace.conversation("Welcome").await;
    workspace.send(&conversation, recipients(0, 2)).await;
    let first = workspace.api.change(ARCHIVE_CONVERSATION, json!({ "id": conversation })).await;
    assert!(first["conversation"]["archivedAt"].is_string());
    let again = workspace.api.change(ARCHIVE_CONVERSATION, json!({ "id": conversation })).await;
    assert_eq!(again, first);
    assert_eq!(workspace.metrics(&conversation).await["totalUsers"], 2);
    let payload = workspace.try_send(json!({ "conversationId": conversation, "users": recipients(2, 1) })).await;
    assert_eq!(payload["send"], json!(null));
    assert_eq!(payload["userErrors"][0]["field"], json!(["input", "conversationId"]));
    assert_eq!(workspace.metrics(&conversation).await["totalUsers"], 2);
}

async fn the_line_may_be_left_out_where_there_is_one(workspace: Workspace) {
    let input = json!({ "name": "Only", "direction": "OUTBOUND", "flow": flow() });
    workspace.api.change(CREATE_CONVERSATION, json!({ "input": input })).await;
    workspace.another_line(false).await;
    let payload = workspace.api.ask_one(CREATE_CONVERSATION, json!({ "input": input })).await;
    assert_eq!(payload["conversation"], json!(null));
    assert_eq!(payload["userErrors"][0]["code"], "INVALID");
    assert_eq!(payload["userErrors"][0]["field"], json!(["input", "lineId"]));
}

async fn a_flow_is_kept_as_it_was_published(workspace: Workspace) {
    let flow = json!({
        "start": "hello", "colour": "blue", "big": 9_007_199_254_740_993_i64, "nested": { "list": [1, 2.5, null, "ñ 😀"] },
        "steps": {
            "hello": { "template": { "name": "welcome", "language": "es", "parameters": ["{{name}}"], "extra": true },
                "later": { "anything": ["goes"] } },
        },
    });
    let conversation = workspace.conversation_on(&workspace.line, "Kept", "OUTBOUND", flow.clone()).await;
    let document = "query($id: ID!) { conversation(id: $id) { currentVersion { flow } } }";
    let found = workspace.api.ask_one(document, json!({ "id": conversation })).await;
    assert_eq!(found["currentVersion"]["flow"], flow);
}

async fn a_flow_that_cannot_start_is_refused(workspace: Workspace) {
    let conversation = workspace.conversation("Welcome").await;
    let template = |template: Value| json!({ "start": "a", "steps": { "a": { "template": template } } });
    for wrong in [
        json!(null),
        json!([]),
        json!("flow"),
        json!({}),
        json!({ "start": "a" }),
        json!({ "start": "a", "steps": [] }),
        json!({ "start": "a", "steps": { "b": {} } }),
        json!({ "start": "a", "steps": { "a": {} } }),
        json!({ "start": "a", "steps": { "a": [] } }),
        template(json!({ "name": "welcome" })),
        template(json!({ "language": "es" })),
        template(json!({ "name": "welcome", "language": "es", "parameters": "{{name}}" })),
        template(json!({ "name": "welcome", "language": "es", "parameters": [1] })),
        template(json!({ "name": "a\0b", "language": "es" })),
        template(json!({ "name": "welcome", "language": "es", "parameters": ["x".repeat(1_000_000)] })),
    ] {
        let version = json!({ "conversationId": conversation, "flow": wrong });
        let new = json!({ "name": "New", "direction": "OUTBOUND", "flow": wrong });
        for (mutation, input) in [(PUBLISH_VERSION, version), (CREATE_CONVERSATION, new)] {
            let answer = workspace.api.post(mutation, json!({ "input": input })).await;
            if wrong.is_null() {
                assert!(answer.refusal().message.contains("flow"), "{}", answer.body);
                continue;
            }
            let payload = answer.body["data"].as_object().unwrap().values().next().unwrap();
            assert_eq!(payload["userErrors"][0]["code"], "INVALID", "{wrong}: {payload}");
            let field = payload["userErrors"][0]["field"].as_array().unwrap();
            assert_eq!(field[..2], [json!("input"), json!("flow")], "{payload}");
        }
    }
    let found =
        workspace.api.ask("{ conversations { totalCount nodes { currentVersion { number } } } }", json!({})).await;
    let only = json!({ "totalCount": 1, "nodes": [{ "currentVersion": { "number": 1 } }] });
    assert_eq!(found["conversations"], only);
}

async fn conversations_are_found_by_a_part_of_their_name_in_any_case(workspace: Workspace) {
    for name in ["Recordatorio de Ñandú", "recordatorio", "100% off_er", "Bienvenida"] {
        workspace.conversation(name).await;
    }
    for (part, names) in [
        ("RECORDATORIO", vec!["Recordatorio de Ñandú", "recordatorio"]),
        ("ñAND", vec!["Recordatorio de Ñandú"]),
        ("%", vec!["100% off_er"]),
        ("_", vec!["100% off_er"]),
        ("nandu", vec![]),
        ("", vec!["100% off_er", "Bienvenida", "Recordatorio de Ñandú", "recordatorio"]),
    ] {
        let document = "query($part: String) { conversations(filter: { name: $part },
            orderBy: { field: NAME, direction: ASC }) { totalCount nodes { name } } }";
        let found = workspace.api.ask_one(document, json!({ "part": part })).await;
        let found_names: Vec<_> = found["nodes"].as_array().unwrap().iter().map(|one| one["name"].clone()).collect();
        assert_eq!(json!(found_names), json!(names), "{part}");
        assert_eq!(found["totalCount"], names.len(), "{part}");
    }
}

async fn conversations_are_found_by_direction_and_archive(workspace: Workspace) {
    let out = workspace.conversation("Out").await;
    let archived = workspace.conversation("Archived").await;
    let inbound = workspace.conversation_on(&workspace.line, "In", "INBOUND", inbound_flow()).await;
    workspace.api.change(ARCHIVE_CONVERSATION, json!({ "id": archived })).await;
    for (filter, expected) in [
        (json!({ "direction": "INBOUND" }), vec![&inbound]),
        (json!({ "direction": "OUTBOUND" }), vec![&archived, &out]),
        (json!({ "archived": true }), vec![&archived]),
        (json!({ "archived": false }), vec![&inbound, &out]),
        (json!({ "direction": "OUTBOUND", "archived": false }), vec![&out]),
        (json!({ "direction": "INBOUND", "archived": true }), vec![]),
        (json!({}), vec![&inbound, &archived, &out]),
        (json!({ "direction": null, "archived": null, "name": null }), vec![&inbound, &archived, &out]),
    ] {
        let document =
            "query($filter: ConversationFilter) { conversations(filter: $filter) { totalCount nodes { id } } }";
        let found = workspace.api.ask_one(document, json!({ "filter": filter })).await;
        let ids: Vec<_> = found["nodes"].as_array().unwrap().iter().map(id_of).collect();
        assert_eq!(ids, expected.iter().map(|id| (*id).clone()).collect::<Vec<_>>(), "{filter}");
        assert_eq!(found["totalCount"], expected.len());
    }
}

async fn conversations_are_paged_both_ways_in_every_order(workspace: Workspace) {
    let mut created = Vec::new();
    for name in ["b", "a", "c", "a", "ä", "B", "Z"] {
        created.push((name, workspace.conversation(name).await));
    }
    let mut by_name = created.clone();
    // By name bytewise, on both databases; equal names by their age.
    by_name.sort_by(|(one, _), (other, _)| one.as_bytes().cmp(other.as_bytes()));
    for (order, expected) in [("CREATED_AT", created), ("NAME", by_name)] {
        let ids: Vec<_> = expected.into_iter().map(|(_, id)| id).collect();
        let document = |arguments: &str, direction: &str| {
            format!(
                "query($cursor: String) {{ conversations({arguments}, orderBy: {{ field: {order}, direction: {direction} }})
                 {{ totalCount edges {{ cursor node {{ id }} }}
                    pageInfo {{ startCursor endCursor hasNextPage hasPreviousPage }} }} }}"
            )
        };
        for (direction, expected) in [("ASC", ids.clone()), ("DESC", ids.iter().rev().cloned().collect::<Vec<_>>())] {
            let forward = pages::read(&workspace.api, &document("first: 2, after: $cursor", direction)).await;
            assert_eq!(forward, expected, "{order} {direction} forwards");
            let backward = pages::read(&workspace.api, &document("last: 2, before: $cursor", direction)).await;
            assert_eq!(backward, expected, "{order} {direction} backwards");
        }
    }
}

async fn versions_are_paged_both_ways(workspace: Workspace) {
    let conversation = workspace.conversation("Welcome").await;
    for _ in 0..4 {
        workspace.publish(&conversation).await;
    }
    let document = |arguments: &str| {
        format!(
            "query($cursor: String) {{ conversation(id: \"{conversation}\") {{ versions({arguments}) {{ totalCount
               edges {{ cursor node {{ id }} }} pageInfo {{ startCursor endCursor hasNextPage hasPreviousPage }} }} }} }}"
        )
    };
    let all = workspace.api.ask_one(&document("first: 200, after: $cursor"), json!({})).await;
    let ids: Vec<_> = all["versions"]["edges"].as_array().unwrap().iter().map(|edge| id_of(&edge["node"])).collect();
    assert_eq!(ids.len(), 5);
    assert_eq!(pages::read(&workspace.api, &document("first: 2, after: $cursor")).await, ids);
    assert_eq!(pages::read(&workspace.api, &document("last: 2, before: $cursor")).await, ids);
}
