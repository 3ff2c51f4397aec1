//! Health.

use std::sync::atomic::Ordering;

use serde_json::{Value, json};

use super::server::Server;

async fn ask(server: &Server, path: &str) -> (u16, Value) {
    let response = server.request("GET", path).send().await.unwrap();
    (response.status().as_u16(), response.json().await.unwrap())
}

#[tokio::test]
async fn a_server_is_ready_while_its_database_answers() {
    let server = Server::start(&[]).await;
    assert_eq!(ask(&server, "/health/ready").await, (200, json!({ "ready": true })));

    let missing = json!({ "ready": false, "missing": ["the database does not respond"] });
    server.behind.away.store(true, Ordering::SeqCst);
    assert_eq!(ask(&server, "/health/ready").await, (503, missing.clone()));
    assert_eq!(ask(&server, "/health/live").await, (200, json!({ "live": true })));

    server.behind.away.store(false, Ordering::SeqCst);
    server.behind.silent.store(true, Ordering::SeqCst);
    assert_eq!(ask(&server, "/health/ready").await, (503, missing));

    server.behind.silent.store(false, Ordering::SeqCst);
    assert_eq!(ask(&server, "/health/ready").await, (200, json!({ "ready": true })));
}
