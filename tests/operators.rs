//! What operators see, and what browsers may.

use std::future::IntoFuture;
use std::sync::{Arc, Mutex};

use axum::body::Bytes;
use axum::routing::post;
use reqwest::{Method, RequestBuilder};
use serde_json::json;
use tokio::net::TcpListener;

use crate::support::database::Database;
use crate::support::process::Binary;
use crate::support::server::Server;
use crate::support::trial::tests;
use crate::support::webhook::{Webhook, status};
use crate::support::workspace::Workspace;

tests! {
    on_both_databases: [
        what_happens_is_counted_for_whoever_has_the_token,
        without_a_token_there_are_no_figures,
        traces_are_exported_where_that_is_set,
        pages_of_other_origins_may_call_only_where_that_is_set,
    ],
}

/// What receives traces: a stand-in for a collector, which keeps all that is posted to it.
async fn collector() -> (String, Arc<Mutex<Vec<u8>>>) {
    let received = Arc::<Mutex<Vec<u8>>>::default();
    let keep = Arc::clone(&received);
    let receive = post(async move |body: Bytes| keep.lock().unwrap().extend_from_slice(&body));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(axum::serve(listener, axum::Router::new().route("/v1/traces", receive)).into_future());
    (url, received)
}

/// Whether bytes occur somewhere. Names are written as they are, in the binary form of traces, too.
fn holds(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

async fn traces_are_exported_where_that_is_set(database: Database) {
    let (url, received) = collector().await;
    let mut binary = Binary::on(database).await;
    binary.set("BLUETICK_TRACES_ENDPOINT", url);
    let mut server = binary.serve().await;
    let client = binary.client("admin");
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    let named = json!({ "query": "query Who { viewer { scopes } }", "operationName": "Who" });
    let asked = reqwest::Client::new().post(format!("{}/graphql", binary.url())).json(&named);
    let asked = asked.bearer_auth(client.token.as_deref().unwrap());
    let answer = asked.header("traceparent", format!("00-{trace}-00f067aa0ba902b7-01")).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    // The name of what is refused may be anything, such as a phone number.
    let refused = json!({ "query": "query Q573009998877 { nothing }", "operationName": "Q573009998877" }).to_string();
    client.post_body(refused).await;
    client.get("/573009998877").await;
    assert_eq!(binary.post(&Webhook::of("1000").payload()).await.unwrap(), 200);
    server.terminate();
    assert!(server.ended().await.success());
    let told = received.lock().unwrap().clone();
    for name in ["POST /graphql", "operation", "Who", "POST /webhooks/whatsapp", "bluetick"] {
        assert!(holds(&told, name.as_bytes()), "{name}");
    }
    assert!(holds(&told, &hex::decode(trace).unwrap()), "the request is part of its client's trace");
    for secret in ["573009998877", client.token.as_deref().unwrap()] {
        assert!(!holds(&told, secret.as_bytes()), "{secret}");
    }
    let log = server.printed();
    assert!(!log.contains("otel."), "{log}");
}

fn request(server: &Server, method: Method, path: &str) -> RequestBuilder {
    reqwest::Client::new().request(method, format!("{}{path}", server.url))
}

async fn what_happens_is_counted_for_whoever_has_the_token(database: Database) {
    let workspace = Workspace::on(Server::start(database, &[("http.metrics_token", "for prometheus")]).await).await;
    let server = &workspace.server;
    for refused in [None, Some("another"), workspace.api.token.as_deref()] {
        let request = refused.into_iter().fold(request(server, Method::GET, "/metrics"), RequestBuilder::bearer_auth);
        assert_eq!(request.send().await.unwrap().status(), 401, "{refused:?}");
    }
    let conversation = workspace.conversation("Welcome").await;
    let people = workspace.send_to(&conversation, 0, 3).await;
    let at = server.clock.seconds();
    let report = Webhook::of("1000").status(status(&people[0].wamid, Some(&people[0].message), "read", at));
    assert_eq!(server.post(&report.payload()).await, 200);
    let named = json!({ "query": "query Who { viewer { scopes } }", "operationName": "Who" }).to_string();
    workspace.api.post_body(named).await;
    let document = "subscription($id: ID!) { metricsChanged(conversationId: $id) { revision } }";
    let mut open = workspace.api.subscribe(document, json!({ "id": conversation })).await;
    open.next().await.unwrap();
    let answer = request(server, Method::GET, "/metrics").bearer_auth("for prometheus").send().await.unwrap();
    assert!(answer.headers()["content-type"].to_str().unwrap().starts_with("text/plain"));
    let told = answer.text().await.unwrap();
    for line in [
        "bluetick_operations_total{operation=\"Who\",outcome=\"ok\"}",
        "bluetick_operation_duration_seconds_count",
        "bluetick_operation_cost_sum",
        "bluetick_loader_batch_keys_count",
        "bluetick_recorder_batch_facts_count",
        "bluetick_recorder_queued_facts",
        "bluetick_webhook_lag_seconds_count",
        "bluetick_sockets",
    ] {
        assert!(told.lines().any(|told| told.starts_with(line)), "{line} is not in {told}");
    }
    let on_postgres = server.database.url().starts_with("postgres");
    assert_eq!(told.contains("bluetick_database_connections{state=\"idle\"}"), on_postgres);
    assert!(!told.contains("+57300"));
}

async fn without_a_token_there_are_no_figures(server: Server) {
    assert_eq!(request(&server, Method::GET, "/metrics").send().await.unwrap().status(), 404);
    assert_eq!(request(&server, Method::GET, "/metrics").bearer_auth("").send().await.unwrap().status(), 404);
}

async fn pages_of_other_origins_may_call_only_where_that_is_set(database: Database) {
    let ours = "https://app.example.com";
    for (set, origin, allowed) in [
        ("", ours, None),
        (ours, ours, Some(ours)),
        (ours, "https://evil.example.com", None),
        ("https://other.example.com, https://app.example.com", ours, Some(ours)),
        ("*", ours, Some("*")),
        ("https://other.example.com, *", ours, Some("*")),
    ] {
        let server = Server::start(database.clone(), &[("http.cors_origins", set)]).await;
        let preflight = request(&server, Method::OPTIONS, "/graphql")
            .header("origin", origin)
            .header("access-control-request-method", "POST")
            .header("access-control-request-headers", "authorization, content-type");
        let answer = preflight.send().await.unwrap();
        let told = |name: &str| answer.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
        assert_eq!(told("access-control-allow-origin").as_deref(), allowed, "{set} for {origin}");
        assert_eq!(told("access-control-allow-credentials"), None);
        let client = server.client("acme", "read").await;
        let post = request(&server, Method::POST, "/graphql").bearer_auth(client.token.unwrap());
        let post = post.header("origin", origin).json(&json!({ "query": "{ viewer { scopes } }" }));
        let answer = post.send().await.unwrap();
        let told = answer.headers().get("access-control-allow-origin").map(|value| value.to_str().unwrap());
        assert_eq!((answer.status().as_u16(), told), (200, allowed), "{set} for {origin}");
    }
}
