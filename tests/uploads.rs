//! Lists of users of any length: what is taken, what is refused, and what is left of those that were not completed.

use std::time::Duration;

use bluetick::whatsapp::simulator::SimulatorSettings;
use futures_util::future::join;
use futures_util::stream;
use reqwest::{Body, StatusCode};
use sea_orm::ConnectionTrait;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::support::client::{Answer, Client, http};
use crate::support::database::Database;
use crate::support::server::Server;
use crate::support::trial::tests;
use crate::support::wait::until;
use crate::support::workspace::{
    ARCHIVE_CONVERSATION, Workspace, create_line, flow_with, inbound_flow, phone, recipients,
};

tests! {
    on_both_databases: [
        a_list_as_csv_is_sent_to_everybody_in_it,
        a_list_as_json_lines_is_sent_to_everybody_in_it,
        a_listed_user_fares_like_a_submitted_one,
        a_refused_row_is_told_with_its_line_and_nothing_is_sent,
        refused_rows_are_left_out_if_that_is_asked_for,
        a_thousand_refused_rows_are_told_and_all_are_counted,
        a_phone_listed_twice_is_one_user,
        a_list_without_users_is_refused,
        a_repeated_list_returns_the_first_send,
        another_list_under_the_same_key_is_a_conflict,
        a_list_that_was_cut_off_leaves_nothing_and_can_be_repeated,
        what_a_dead_receiver_left_is_swept,
        a_list_that_pauses_too_long_is_given_up,
        only_so_many_lists_are_received_at_once,
        what_cannot_be_sent_is_refused,
        parameters_and_types_that_mean_nothing_are_refused,
        a_row_without_an_end_is_refused,
        preparing_goes_on_after_a_restart,
        two_servers_make_each_deployment_once,
        a_send_that_is_canceled_while_it_is_prepared_makes_no_more_deployments,
        a_send_is_not_completed_before_it_is_prepared,
        a_scheduled_list_waits_for_its_time,
        staged_retries_are_made_of_what_is_still_failed,
    ],
}

const CSV: &str = "text/csv";
const NDJSON: &str = "application/x-ndjson; charset=utf-8";

const SEND: &str = "query($id: ID!) { send(id: $id) { state totalUsers scheduledAt completedAt
    progress { status count } } }";

async fn a_list_as_csv_is_sent_to_everybody_in_it(workspace: Workspace) {
    let conversation = workspace.conversation("Welcome").await;
    let rows = lines(0..2_500, |number| format!("{},\"Ana, \"\"{number}\"\"\"\r\n", phone(number)));
    let answer = workspace.upload(&conversation, CSV, format!("\u{feff}phone,first_name\r\n{rows}")).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.body);
    let send = answer.body["sendId"].as_str().unwrap().to_owned();
    let refused = json!({ "count": 0, "rows": [] });
    let expected = json!({ "sendId": send, "totalUsers": 2_500, "duplicates": 0, "refused": refused });
    assert_eq!(answer.body, expected);
    workspace.prepared(&send).await;
    let metrics = workspace.metrics(&conversation).await;
    assert_eq!((&metrics["totalUsers"], &metrics["inProcess"]), (&json!(2_500), &json!(2_500)));
    let users = workspace.users(&conversation, "phone variables { name value }").await;
    let told: std::collections::BTreeMap<_, _> =
        users.iter().map(|user| (user["phone"].to_string(), user["variables"][0]["value"].clone())).collect();
    for number in [0, 999, 1_000, 2_499] {
        assert_eq!(told[&json!(phone(number)).to_string()], format!("Ana, \"{number}\""));
    }
    assert_eq!(workspace.left().await, 0);
    assert_eq!(workspace.server.differences().await, []);
}

async fn a_list_as_json_lines_is_sent_to_everybody_in_it(database: Database) {
    let (workspace, provider) = Workspace::with_provider(database, SimulatorSettings::default()).await;
    let conversation = workspace.conversation("Welcome").await;
    let list = "{\"phone\":\"+573000000001\",\"variables\":{\"city\":\"Bogotá\"}}\n\n{\"phone\":\"+573000000002\"}";
    let send = workspace.uploaded(&conversation, NDJSON, list).await;
    let found = workspace.completed(&send).await;
    assert_eq!((&found["totalUsers"], &found["progress"][1]["count"]), (&json!(2), &json!(2)));
    let users = workspace.users(&conversation, "phone variables { name value }").await;
    let city = json!([{ "name": "city", "value": "Bogotá" }]);
    assert!(users.contains(&json!({ "phone": "+573000000001", "variables": city })), "{users:?}");
    assert_eq!(provider.counters().calls, 2);
}

async fn a_listed_user_fares_like_a_submitted_one(workspace: Workspace) {
    let flow = flow_with(&json!(["Hi {{first_name}}"]));
    let fields = "phone deploymentStatus failure { reason } variables { name value }
        history { nodes { payload status } } deployments { nodes { status } }";
    let list = "phone,first_name\n2025550123,Ana\n+12,Luis\n+573001112233,\n";
    let named = |name: &str| json!([{ "name": "first_name", "value": name }]);
    let submitted = json!([{ "phone": "2025550123", "variables": named("Ana") },
        { "phone": "+12", "variables": named("Luis") }, { "phone": "+573001112233" }]);
    let mut shown = Vec::new();
    for way in ["listed", "submitted"] {
        let conversation = workspace.conversation_on(&workspace.line, way, "OUTBOUND", flow.clone()).await;
        if way == "listed" {
            let send = workspace.uploaded(&conversation, CSV, list).await;
            workspace.prepared(&send).await;
        } else {
            workspace.send(&conversation, submitted.clone()).await;
        }
        let mut users = workspace.users(&conversation, fields).await;
        users.sort_by_key(|user| user["phone"].to_string());
        shown.push((users, workspace.metrics(&conversation).await["byFailure"].clone()));
    }
    assert_eq!(shown[0], shown[1]);
    assert_eq!(shown[0].0[0]["failure"], json!({ "reason": "INVALID_PHONE" }));
    assert_eq!(shown[0].0[2]["failure"], json!({ "reason": "TEMPLATE_PARAMETERS" }));
    assert_eq!(workspace.server.differences().await, []);
}

async fn a_refused_row_is_told_with_its_line_and_nothing_is_sent(workspace: Workspace) {
    let conversation = workspace.conversation("Welcome").await;
    let long = "x".repeat(8_193);
    let list = format!("phone,name\n+573000000001,Ana\nnobody,Eva\n\n+573000000002\n+573000000003,\"{long}\"\n");
    let answer = workspace.upload(&conversation, CSV, list).await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(answer.refusal().code, "UNPROCESSABLE");
    let rows = json!([
        { "line": 3, "reason": "the phone has no digit, so it is not a phone number" },
        { "line": 5, "reason": "the row has 1 fields, and the header 2" },
        { "line": 6, "reason": "the variable \"name\" is 8193 bytes long; the maximum is 8192" },
    ]);
    assert_eq!(answer.body["errors"][0]["extensions"]["refused"], json!({ "count": 3, "rows": rows }));
    let many: serde_json::Map<_, _> = (0..101).map(|number| (format!("v{number}"), json!("x"))).collect();
    let list = format!("{{\"phone\":\"1\"}}\n{}\n{{}}", json!({ "phone": "2", "variables": many }));
    let answer = workspace.upload(&conversation, NDJSON, list).await;
    let refused = &answer.body["errors"][0]["extensions"]["refused"];
    assert_eq!((&refused["count"], &refused["rows"][1]["line"]), (&json!(2), &json!(3)));
    assert_eq!(refused["rows"][0]["reason"], "the row has 101 variables; the maximum is 100");
    assert_eq!(workspace.metrics(&conversation).await["totalUsers"], 0);
    assert_eq!(workspace.count("sends").await, 0);
    workspace.nothing_left().await;
}

async fn refused_rows_are_left_out_if_that_is_asked_for(workspace: Workspace) {
    let conversation = workspace.conversation("Welcome").await;
    let query = format!("conversationId={conversation}&skipInvalid=true");
    let answer = workspace.post(&query, CSV, "phone\nnobody\n+573000000001\n\"no\none\"\n+573000000002").await;
    assert_eq!(answer.status, StatusCode::CREATED);
    assert_eq!((&answer.body["totalUsers"], &answer.body["refused"]["count"]), (&json!(2), &json!(2)));
    assert_eq!(answer.body["refused"]["rows"][1]["line"], 4);
    workspace.prepared(answer.body["sendId"].as_str().unwrap()).await;
    assert_eq!(workspace.metrics(&conversation).await["totalUsers"], 2);
    let answer = workspace.post(&query, CSV, "phone\nnobody\n").await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(answer.body["errors"][0]["extensions"]["refused"]["count"], 1);
}

async fn a_thousand_refused_rows_are_told_and_all_are_counted(workspace: Workspace) {
    let conversation = workspace.conversation("Welcome").await;
    let rows = lines(0..3_000, |number| format!("{}\nnobody\n", phone(number)));
    let answer = workspace.upload(&conversation, CSV, format!("phone\n{rows}")).await;
    let refused = &answer.body["errors"][0]["extensions"]["refused"];
    assert_eq!((&refused["count"], refused["rows"].as_array().unwrap().len()), (&json!(3_000), 1_000));
    workspace.nothing_left().await;
}

async fn a_phone_listed_twice_is_one_user(workspace: Workspace) {
    let conversation = workspace.conversation("Welcome").await;
    let many = lines(0..1_500, |number| format!("{}\n", phone(number)));
    let list = format!("phone\n{many}0057 {}\n+1 (202) 555-0123\n2025550123\n", phone(7).trim_start_matches("+57"));
    let answer = workspace.upload(&conversation, CSV, list).await;
    assert_eq!((&answer.body["totalUsers"], &answer.body["duplicates"]), (&json!(1_501), &json!(2)));
    workspace.prepared(answer.body["sendId"].as_str().unwrap()).await;
    assert_eq!(workspace.metrics(&conversation).await["totalUsers"], 1_501);
    assert_eq!(workspace.server.differences().await, []);
}

async fn a_list_without_users_is_refused(workspace: Workspace) {
    let conversation = workspace.conversation("Welcome").await;
    for (content_type, list) in [(CSV, "phone,name\n\n"), (NDJSON, ""), (NDJSON, "\n\n")] {
        let answer = workspace.upload(&conversation, content_type, list).await;
        assert_eq!(
            (answer.status, answer.refusal().code.as_str()),
            (StatusCode::UNPROCESSABLE_ENTITY, "UNPROCESSABLE")
        );
    }
    assert_eq!(workspace.upload(&conversation, CSV, "").await.refusal().message, "Line 1: the header is missing");
    workspace.nothing_left().await;
}

async fn a_repeated_list_returns_the_first_send(workspace: Workspace) {
    let conversation = workspace.conversation("Welcome").await;
    let query = format!("conversationId={conversation}&idempotencyKey=spring&skipInvalid=true");
    let list = "phone\n+573000000001\nnobody\n+573000000001\n";
    let first = workspace.post(&query, CSV, list).await;
    workspace.prepared(first.body["sendId"].as_str().unwrap()).await;
    workspace.api.change(ARCHIVE_CONVERSATION, json!({ "id": conversation })).await;
    let pieces = list.as_bytes().chunks(7).map(|piece| Ok::<_, std::io::Error>(piece.to_vec()));
    let again = workspace.post(&query, CSV, Body::wrap_stream(stream::iter(pieces.collect::<Vec<_>>()))).await;
    assert_eq!((first.status, again.status), (StatusCode::CREATED, StatusCode::OK));
    assert_eq!(again.body, first.body);
    assert_eq!(again.body["duplicates"], 1);
    assert_eq!(workspace.count("sends").await, 1);
    assert_eq!(workspace.left().await, 0);
    let at_once = workspace.conversation("At once").await;
    let query = format!("conversationId={at_once}&idempotencyKey=summer");
    let both = join(workspace.post(&query, CSV, "phone\n1\n2\n"), workspace.post(&query, CSV, "phone\n1\n2\n")).await;
    assert_eq!(both.0.body["sendId"], both.1.body["sendId"]);
    assert_eq!(workspace.count("sends").await, 2);
    workspace.prepared(both.0.body["sendId"].as_str().unwrap()).await;
    workspace.nothing_left().await;
}

async fn another_list_under_the_same_key_is_a_conflict(workspace: Workspace) {
    let conversation = workspace.conversation("Welcome").await;
    let query = format!("conversationId={conversation}&idempotencyKey=spring");
    workspace.post(&query, CSV, "phone\n+573000000001\n").await;
    for (query, list) in [
        (query.clone(), "phone\n+573000000002\n"),
        (query.clone(), "phone\n+573000000001\n+573000000002\n"),
        (query.clone(), "phone\n"),
        (format!("{query}&timeToLiveSeconds=60"), "phone\n+573000000001\n"),
    ] {
        let answer = workspace.post(&query, CSV, list).await;
        assert_eq!((answer.status, answer.refusal().code.as_str()), (StatusCode::CONFLICT, "CONFLICT"), "{list}");
    }
    let input = json!({ "conversationId": conversation, "users": recipients(1, 1), "idempotencyKey": "spring" });
    assert_eq!(workspace.try_send(input).await["userErrors"][0]["code"], "CONFLICT");
    assert_eq!(workspace.count("sends").await, 1);
}

async fn a_list_that_was_cut_off_leaves_nothing_and_can_be_repeated(workspace: Workspace) {
    let conversation = workspace.conversation("Welcome").await;
    let query = format!("conversationId={conversation}&idempotencyKey=spring");
    let rows = lines(0..3_000, |number| format!("{}\n", phone(number)));
    let list = format!("phone\n{rows}");
    let mut begun = workspace.begin(&query, list.len()).await;
    begun.write_all(&list.as_bytes()[..list.len() - 20]).await.unwrap();
    until("rows are staged", async || (workspace.count("staged").await > 0).then_some(())).await;
    drop(begun);
    workspace.nothing_left().await;
    assert_eq!(workspace.count("sends").await, 0);
    let answer = workspace.post(&query, CSV, list).await;
    assert_eq!((answer.status, &answer.body["totalUsers"]), (StatusCode::CREATED, &json!(3_000)));
}

async fn what_a_dead_receiver_left_is_swept(workspace: Workspace) {
    let (workspace_id, now) = ("(SELECT id FROM workspaces)", workspace.server.clock.seconds() * 1_000_000);
    let id = workspace.uuid("0123456789abcdef0123456789abcdef");
    workspace.execute(&format!("INSERT INTO uploads VALUES ({id}, {workspace_id}, {now})")).await;
    for number in 1..=7 {
        let row = format!("{id}, {number}, {workspace_id}, '+5730000000{number}'");
        workspace.execute(&format!("INSERT INTO staged (send_id, number, workspace_id, phone) VALUES ({row})")).await;
    }
    workspace.server.clock.advance(Duration::from_mins(11));
    workspace.nothing_left().await;
}

async fn a_list_that_pauses_too_long_is_given_up(database: Database) {
    let workspace = Workspace::on(Server::start(database.clone(), &[]).await).await;
    let conversation = workspace.conversation("Welcome").await;
    let impatient = Server::start(database, &[("http.request_timeout_seconds", "1")]).await;
    let client = impatient.client("acme", "write").await;
    let begun = stream::iter([Ok::<_, std::io::Error>("phone\n+573000000001\n")]);
    let body = Body::wrap_stream(futures_util::StreamExt::chain(begun, stream::pending()));
    let answer = post(&client, &query(&conversation), CSV, body).await;
    assert_eq!((answer.status, answer.refusal().code.as_str()), (StatusCode::REQUEST_TIMEOUT, "REQUEST_TIMEOUT"));
    workspace.nothing_left().await;
}

async fn only_so_many_lists_are_received_at_once(workspace: Workspace) {
    let conversation = workspace.conversation("Welcome").await;
    let query = query(&conversation);
    let mut begun = Vec::new();
    for number in 1..=4 {
        begun.push(workspace.begin(&query, 100).await);
        until("the list is received", async || (workspace.count("uploads").await == number).then_some(())).await;
    }
    let answer = workspace.post(&query, CSV, "phone\n1\n").await;
    assert_eq!((answer.status, answer.refusal().code.as_str()), (StatusCode::SERVICE_UNAVAILABLE, "UNAVAILABLE"));
    assert_eq!(answer.headers["retry-after"], "5");
    drop(begun);
    until("there is room again", async || {
        let answer = workspace.post(&query, CSV, "phone\n1\n").await;
        (answer.status == StatusCode::CREATED).then_some(())
    })
    .await;
    workspace.nothing_left().await;
}

async fn what_cannot_be_sent_is_refused(workspace: Workspace) {
    let list = "phone\n+573000000001\n";
    let conversation = workspace.conversation("Welcome").await;
    let stranger = workspace.server.client("stranger", "admin").await;
    create_line(&stranger, "9000", false).await;
    let reader = workspace.server.client("acme", "read").await;
    let query = query(&conversation);
    for (client, status, code) in [
        (&stranger, StatusCode::NOT_FOUND, "NOT_FOUND"),
        (&reader, StatusCode::FORBIDDEN, "FORBIDDEN"),
        (&reader.with_token(None), StatusCode::UNAUTHORIZED, "UNAUTHENTICATED"),
        (&reader.with_token(Some("unknown")), StatusCode::UNAUTHORIZED, "UNAUTHENTICATED"),
    ] {
        let answer = post(client, &query, CSV, list).await;
        assert_eq!((answer.status, answer.refusal().code.as_str()), (status, code));
    }
    let inbound = workspace.conversation_on(&workspace.line, "In", "INBOUND", inbound_flow()).await;
    let answer = workspace.upload(&inbound, CSV, list).await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
    workspace.api.change(ARCHIVE_CONVERSATION, json!({ "id": conversation })).await;
    let answer = workspace.upload(&conversation, CSV, list).await;
    assert_eq!((answer.status, answer.refusal().code.as_str()), (StatusCode::CONFLICT, "CONFLICT"));
    assert_eq!(workspace.count("sends").await + workspace.left().await, 0);
}

async fn parameters_and_types_that_mean_nothing_are_refused(workspace: Workspace) {
    let conversation = workspace.conversation("Welcome").await;
    let line = workspace.line.id.clone();
    for (query, status, words) in [
        (String::new(), 400, "conversationId is required"),
        ("conversationId=nonsense".to_owned(), 400, "conversationId is not an id"),
        (format!("conversationId={line}"), 404, "conversationId does not name"),
        (format!("conversationId={conversation}&colour=blue"), 400, "There is no parameter \"colour\""),
        (format!("conversationId={conversation}&conversationId={conversation}"), 400, "conversationId is given twice"),
        (format!("conversationId={conversation}&scheduledAt=tomorrow"), 400, "scheduledAt must be"),
        (format!("conversationId={conversation}&timeToLiveSeconds=29"), 400, "timeToLiveSeconds must be"),
        (format!("conversationId={conversation}&timeToLiveSeconds=x"), 400, "timeToLiveSeconds must be"),
        (format!("conversationId={conversation}&idempotencyKey="), 400, "idempotencyKey must not be empty"),
        (format!("conversationId={conversation}&skipInvalid=yes"), 400, "skipInvalid must be"),
    ] {
        let answer = workspace.post(&query, CSV, "phone\n1\n").await;
        assert_eq!(answer.status.as_u16(), status, "{query}");
        assert!(answer.refusal().message.starts_with(words), "{query}: {}", answer.body);
    }
    for content_type in ["application/json", "text/plain", "text/csv; charset=latin1", ""] {
        let answer = workspace.upload(&conversation, content_type, "phone\n1\n").await;
        assert_eq!(answer.status, StatusCode::UNSUPPORTED_MEDIA_TYPE, "{content_type}");
    }
    assert_eq!(workspace.count("sends").await + workspace.left().await, 0);
}

async fn a_row_without_an_end_is_refused(workspace: Workspace) {
    let conversation = workspace.conversation("Welcome").await;
    for (content_type, beginning) in [(CSV, "phone,name\n1,\""), (NDJSON, "{\"phone\":\"")] {
        // More than is ever read of it.
        let pieces = (0..640).map(|_| Ok::<_, std::io::Error>("x\n".repeat(32 * 1_024).replace('\n', "y")));
        let body = stream::iter(std::iter::once(Ok(beginning.to_owned())).chain(pieces));
        let Ok(answer) = try_post(&workspace.api, &query(&conversation), content_type, Body::wrap_stream(body)).await
        else {
            // The server may close the connection while the client still writes.
            continue;
        };
        assert_eq!((answer.status, answer.refusal().code.as_str()), (StatusCode::PAYLOAD_TOO_LARGE, "TOO_LARGE"));
    }
    let list = format!("phone,name\n1,\"{}", "x".repeat(2_000_000));
    let answer = workspace.upload(&conversation, CSV, list).await;
    assert_eq!((answer.status, answer.refusal().code.as_str()), (StatusCode::PAYLOAD_TOO_LARGE, "TOO_LARGE"));
    assert!(answer.refusal().message.starts_with("Line 2: the row is longer than 1048576 bytes"));
    workspace.nothing_left().await;
}

async fn preparing_goes_on_after_a_restart(database: Database) {
    let workspace = Workspace::on(Server::start(database.clone(), &[]).await).await;
    let conversation = workspace.conversation("Welcome").await;
    let rows = lines(0..6_000, |number| format!("{}\n", phone(number)));
    let send = workspace.uploaded(&conversation, CSV, format!("phone\n{rows}")).await;
    workspace.server.shutdown().await;
    let next = Server::start(database, &[]).await;
    let api = next.client("acme", "admin,personal").await;
    until("the send is prepared", async || {
        (api.ask_one(SEND, json!({ "id": send })).await["state"] == "SENDING").then_some(())
    })
    .await;
    let document = "query($id: ID!) { conversation(id: $id) { metrics { totalUsers totalDeployments } } }";
    let found = api.ask_one(document, json!({ "id": conversation })).await;
    assert_eq!(found["metrics"], json!({ "totalUsers": 6_000, "totalDeployments": 6_000 }));
    assert_eq!(next.database.count("SELECT count(*) FROM outbox").await, 6_000);
    assert_eq!(next.differences().await, []);
}

async fn two_servers_make_each_deployment_once(database: Database) {
    let workspace = Workspace::on(Server::start(database.clone(), &[]).await).await;
    let _other = Server::start(database, &[]).await;
    let conversation = workspace.conversation("Welcome").await;
    let rows = lines(0..6_000, |number| format!("{}\n", phone(number)));
    let send = workspace.uploaded(&conversation, CSV, format!("phone\n{rows}")).await;
    let found = workspace.prepared(&send).await;
    assert_eq!(found["totalUsers"], 6_000);
    let metrics = workspace.metrics(&conversation).await;
    assert_eq!((&metrics["totalUsers"], &metrics["totalDeployments"]), (&json!(6_000), &json!(6_000)));
    assert_eq!(workspace.count("outbox").await, 6_000);
    assert_eq!(workspace.left().await, 0);
    assert_eq!(workspace.server.differences().await, []);
}

async fn a_send_that_is_canceled_while_it_is_prepared_makes_no_more_deployments(workspace: Workspace) {
    let conversation = workspace.conversation("Welcome").await;
    let rows = lines(0..20_000, |number| format!("{}\n", phone(number)));
    let send = workspace.uploaded(&conversation, CSV, format!("phone\n{rows}")).await;
    let now = workspace.server.clock.seconds() * 1_000_000;
    workspace.execute(&format!("UPDATE sends SET canceled_at = {now}")).await;
    until("nothing is prepared any more", async || {
        let preparing = workspace.server.database.count("SELECT count(*) FROM sends WHERE prepared IS NOT NULL").await;
        (preparing == 0).then_some(())
    })
    .await;
    let found = workspace.api.ask_one(SEND, json!({ "id": send })).await;
    let metrics = workspace.metrics(&conversation).await;
    assert_eq!((&found["state"], &found["totalUsers"]), (&json!("CANCELED"), &metrics["totalUsers"]));
    assert!(metrics["totalUsers"].as_i64().unwrap() < 20_000);
    assert_eq!(workspace.left().await, 0);
    assert_eq!(workspace.server.differences().await, []);
}

async fn a_send_is_not_completed_before_it_is_prepared(database: Database) {
    let (workspace, provider) = Workspace::with_provider(database, SimulatorSettings::default()).await;
    let conversation = workspace.conversation("Welcome").await;
    let wrong = lines(0..1_001, |number| format!("+1{number}\n"));
    let rows = lines(0..1_500, |number| format!("{}\n", phone(number)));
    let document = "subscription($id: ID!) { sendProgress(sendId: $id, everyMs: 50) { state totalUsers completedAt } }";
    let send = workspace.uploaded(&conversation, CSV, format!("phone\n{wrong}{rows}")).await;
    let mut frames = workspace.api.subscribe(document, json!({ "id": send })).await;
    while let Some(frame) = frames.next().await {
        if frame["completedAt"] != Value::Null {
            assert_eq!(provider.counters().calls, 1_500);
        }
    }
    let found = workspace.api.ask_one(SEND, json!({ "id": send })).await;
    assert_eq!((&found["state"], &found["totalUsers"]), (&json!("COMPLETED"), &json!(2_501)));
    assert_eq!(workspace.server.differences().await, []);
}

async fn a_scheduled_list_waits_for_its_time(database: Database) {
    let (workspace, provider) = Workspace::with_provider(database, SimulatorSettings::default()).await;
    let conversation = workspace.conversation("Welcome").await;
    let now = bluetick::domain::clock::Clock::now(&*workspace.server.clock);
    let due = now.plus(Duration::from_hours(1)).to_string();
    let query = format!("conversationId={conversation}&scheduledAt={due}");
    let answer = workspace.post(&query, CSV, "phone\n+573000000001\n").await;
    let send = answer.body["sendId"].as_str().unwrap();
    let found = until("the send is prepared", async || {
        let found = workspace.api.ask_one(SEND, json!({ "id": send })).await;
        (found["state"] == "SCHEDULED").then_some(found)
    })
    .await;
    assert_eq!(found["scheduledAt"], json!(due));
    assert_eq!(workspace.user(&conversation, "deployedAt").await["deployedAt"], json!(due));
    assert_eq!(provider.counters().calls, 0);
    workspace.server.clock.advance(Duration::from_hours(1));
    workspace.completed(send).await;
    assert_eq!(provider.counters().calls, 1);
}

async fn staged_retries_are_made_of_what_is_still_failed(workspace: Workspace) {
    let conversation =
        workspace.conversation_on(&workspace.line, "Named", "OUTBOUND", flow_with(&json!(["{{n}}"]))).await;
    let named = json!([{ "name": "n", "value": "Ana" }]);
    let users: Value = (0..3).map(|number| json!({ "phone": phone(number), "variables": named })).collect();
    let first = workspace.send(&conversation, users).await;
    let people = workspace.people(&conversation).await;
    let failed = |place: usize| {
        let at = workspace.server.clock.seconds();
        crate::support::webhook::failed(&people[place].wamid, Some(&people[place].message), 131_026, at)
    };
    let webhook = crate::support::webhook::Webhook::of("1000").status(failed(0)).status(failed(1));
    workspace.server.post(&webhook.payload()).await;
    // The second one was sent to again since.
    workspace.send(&conversation, json!([{ "phone": phone(1), "variables": named }])).await;
    let retry = workspace.uuid("0123456789abcdef0123456789abcdef");
    let due = (workspace.server.clock.seconds() + 3_600) * 1_000_000;
    let first = workspace.uuid(first.trim_start_matches("send_"));
    let staged: Vec<_> = (1..)
        .zip(&people)
        .map(|(number, person)| {
            let deployment = workspace.uuid(person.deployment.trim_start_matches("dep_"));
            let row = format!("{retry}, {number}, (SELECT id FROM workspaces), {deployment}, {due}");
            format!("INSERT INTO staged (send_id, number, workspace_id, retry_of, due_at) VALUES ({row})")
        })
        .collect();
    workspace.execute(&staged.join(";")).await;
    let row = format!("{retry}, workspace_id, conversation_id, version_id, 3, created_at, 0, id");
    workspace
        .execute(&format!(
            "INSERT INTO sends (id, workspace_id, conversation_id, version_id, total_users, created_at, prepared, retry_of)
             SELECT {row} FROM sends WHERE id = {first}"
        ))
        .await;
    let send = "send_0123456789abcdef0123456789abcdef";
    let found = workspace.prepared(send).await;
    assert_eq!((&found["totalUsers"], &found["progress"][0]["count"]), (&json!(1), &json!(1)));
    let users = workspace.users(&conversation, "phone variables { value } deployments { totalCount }").await;
    let again = users.iter().find(|user| user["phone"] == phone(0)).unwrap();
    assert_eq!((&again["deployments"]["totalCount"], &again["variables"][0]["value"]), (&json!(2), &json!("Ana")));
    let count = format!("SELECT count(*) FROM deployments WHERE retries AND queued_at = {due}");
    assert_eq!(workspace.server.database.count(&count).await, 1);
    assert_eq!(workspace.server.database.count(&format!("SELECT count(*) FROM outbox WHERE due_at = {due}")).await, 1);
    assert_eq!(workspace.server.differences().await, []);
}

impl Workspace {
    /// Posts a list, with these parameters.
    async fn post(&self, query: &str, content_type: &str, body: impl Into<Body>) -> Answer {
        post(&self.api, query, content_type, body).await
    }

    /// Posts a list to a conversation.
    async fn upload(&self, conversation: &str, content_type: &str, body: impl Into<Body>) -> Answer {
        self.post(&query(conversation), content_type, body).await
    }

    /// Posts a list that must be taken, and returns the send's id.
    async fn uploaded(&self, conversation: &str, content_type: &str, body: impl Into<Body>) -> String {
        let answer = self.upload(conversation, content_type, body).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.body);
        answer.body["sendId"].as_str().unwrap().to_owned()
    }

    /// Begins to post a list of so many bytes.
    async fn begin(&self, query: &str, length: usize) -> TcpStream {
        let token = self.api.token.as_deref().unwrap();
        let head = format!(
            "POST /sends?{query} HTTP/1.1\r\nhost: bluetick\r\nauthorization: Bearer {token}\r\n\
             content-type: text/csv\r\ncontent-length: {length}\r\n\r\n"
        );
        let mut stream = TcpStream::connect(self.server.url.trim_start_matches("http://")).await.unwrap();
        stream.write_all(head.as_bytes()).await.unwrap();
        stream
    }

    /// A send, once its deployments are made.
    async fn prepared(&self, send: &str) -> Value {
        until("the send is prepared", async || {
            let found = self.api.ask_one(SEND, json!({ "id": send })).await;
            (found["state"] != "PREPARING").then_some(found)
        })
        .await
    }

    /// A send, once it is completed.
    async fn completed(&self, send: &str) -> Value {
        until("the send is completed", async || {
            let found = self.api.ask_one(SEND, json!({ "id": send })).await;
            (found["state"] == "COMPLETED").then_some(found)
        })
        .await
    }

    async fn count(&self, table: &str) -> i64 {
        self.server.database.count(&format!("SELECT count(*) FROM {table}")).await
    }

    /// How much is left of lists.
    async fn left(&self) -> i64 {
        self.count("staged").await + self.count("uploads").await
    }

    /// Returns once nothing is left of lists.
    async fn nothing_left(&self) {
        until("nothing is left of lists", async || (self.left().await == 0).then_some(())).await;
    }

    async fn execute(&self, sql: &str) {
        let db = self.server.database.connect().await;
        db.execute_unprepared(sql).await.unwrap();
        db.close().await.unwrap();
    }

    /// An id as this database writes it.
    fn uuid(&self, digits: &str) -> String {
        if self.server.database.url().starts_with("sqlite") {
            format!("x'{digits}'")
        } else {
            format!("'{digits}'::uuid")
        }
    }
}

/// Lines of a list.
fn lines(numbers: std::ops::Range<usize>, line: impl Fn(usize) -> String) -> String {
    numbers.map(line).collect::<Vec<_>>().concat()
}

fn query(conversation: &str) -> String {
    format!("conversationId={conversation}")
}

async fn post(client: &Client, query: &str, content_type: &str, body: impl Into<Body>) -> Answer {
    try_post(client, query, content_type, body).await.expect("the server answers, in JSON")
}

async fn try_post(client: &Client, query: &str, content_type: &str, body: impl Into<Body>) -> reqwest::Result<Answer> {
    let request = http().post(format!("{}/sends?{query}", client.server)).header("content-type", content_type);
    let request = client.token.iter().fold(request, reqwest::RequestBuilder::bearer_auth);
    let response = request.body(body).send().await?;
    let (status, headers) = (response.status(), response.headers().clone());
    Ok(Answer { status, headers, body: response.json().await? })
}
