//! The provider's webhooks.

use std::sync::atomic::Ordering;

use serde_json::{Value, json};

use super::server::{KNOWN_LINE, Server};
use crate::http::ingest::MAX_UPDATES;
use crate::whatsapp::signature;

const PATH: &str = "/webhooks/whatsapp";

fn signed(server: &Server, body: &str) -> reqwest::RequestBuilder {
    let signature = signature::sign("app secret", body.as_bytes()).unwrap();
    server.request("POST", PATH).header("x-hub-signature-256", signature).body(body.to_owned())
}

fn statuses(line: &str, count: usize) -> String {
    let status =
        json!({ "id": "wamid.1", "status": "read", "timestamp": "1760000000", "recipient_id": "573001112233" });
    let value = json!({ "metadata": { "phone_number_id": line }, "statuses": vec![status; count] });
    json!({ "object": "whatsapp_business_account", "entry": [{ "changes": [{ "field": "messages", "value": value }] }] })
        .to_string()
}

async fn status(request: reqwest::RequestBuilder) -> u16 {
    request.send().await.unwrap().status().as_u16()
}

fn counts(server: &Server) -> (usize, usize) {
    (server.behind.recorded.lock().unwrap().len(), server.behind.kept.lock().unwrap().len())
}

#[tokio::test]
async fn the_set_up_wants_its_challenge_back() {
    let server = Server::start(&[]).await;
    let ask = |mode: &str, token: &str| {
        let path = format!("{PATH}?hub.mode={mode}&hub.verify_token={token}&hub.challenge=%3C1158201444");
        server.request("GET", &path).send()
    };
    let answer = ask("subscribe", "verify%20token").await.unwrap();
    assert_eq!(
        (answer.status().as_u16(), &answer.headers()["content-type"]),
        (200, &"text/plain; charset=utf-8".parse().unwrap())
    );
    assert_eq!(answer.text().await.unwrap(), "<1158201444");

    for (mode, token) in [("subscribe", "verify"), ("subscribe", ""), ("unsubscribe", "verify%20token")] {
        assert_eq!(ask(mode, token).await.unwrap().status(), 403);
    }
    assert_eq!(status(server.request("GET", PATH)).await, 400);
}

#[tokio::test]
async fn without_secrets_nothing_is_taken() {
    let server = Server::start(&[("whatsapp.app_secret", ""), ("whatsapp.verify_token", "")]).await;
    let asked = format!("{PATH}?hub.mode=subscribe&hub.verify_token=&hub.challenge=1");
    assert_eq!(status(server.request("GET", &asked)).await, 403);
    assert_eq!(status(signed(&server, &statuses(KNOWN_LINE, 1))).await, 401);
    assert_eq!(counts(&server), (0, 0));
}

#[tokio::test]
async fn a_signed_call_is_recorded_for_the_lines_workspace() {
    let server = Server::start(&[]).await;
    assert_eq!(status(signed(&server, &statuses(KNOWN_LINE, 3))).await, 200);
    assert_eq!(counts(&server), (3, 0));
}

#[tokio::test]
async fn what_names_no_line_of_ours_is_kept() {
    let server = Server::start(&[]).await;
    assert_eq!(status(signed(&server, &statuses("1", 2))).await, 200);
    assert_eq!(status(signed(&server, "[1]")).await, 200);
    assert_eq!(counts(&server), (0, 3));
}

#[tokio::test]
async fn a_wrong_signature_stores_nothing() {
    let server = Server::start(&[]).await;
    let body = statuses(KNOWN_LINE, 1);
    let unsigned = || server.request("POST", PATH).body(body.clone());
    let other = signature::sign("another secret", body.as_bytes()).unwrap();
    let longer = format!("{body} ");
    let theirs = signature::sign("app secret", longer.as_bytes()).unwrap();
    for request in [
        unsigned(),
        unsigned().header("x-hub-signature-256", "sha256="),
        unsigned().header("x-hub-signature-256", other),
        unsigned().header("x-hub-signature-256", theirs),
        unsigned().header("x-hub-signature", "sha1=0000"),
    ] {
        assert_eq!(status(request).await, 401);
    }
    assert_eq!(counts(&server), (0, 0));
}

#[tokio::test]
async fn malformed_json_is_a_bad_request() {
    let server = Server::start(&[]).await;
    for body in ["", "{", "{\"entry\": [}"] {
        assert_eq!(status(signed(&server, body)).await, 400, "{body}");
    }
    assert_eq!(counts(&server), (0, 0));
}

#[tokio::test]
async fn a_call_is_bounded() {
    let server = Server::start(&[("http.webhook_body_bytes", "200000")]).await;
    assert_eq!(status(signed(&server, &statuses(KNOWN_LINE, MAX_UPDATES))).await, 200);
    assert_eq!(counts(&server), (MAX_UPDATES, 0));

    let refused = signed(&server, &statuses(KNOWN_LINE, MAX_UPDATES + 1)).send().await.unwrap();
    assert_eq!(refused.status(), 413);
    let refused: Value = refused.json().await.unwrap();
    assert_eq!(refused["errors"][0]["message"], "A call may contain at most 1000 updates; this one contains 1001");
    assert_eq!(status(signed(&server, &" ".repeat(200_001))).await, 413);
    assert_eq!(counts(&server), (MAX_UPDATES, 0));
}

#[tokio::test]
async fn what_cannot_be_recorded_now_comes_again() {
    let server = Server::start(&[]).await;
    let body = statuses(KNOWN_LINE, 1);
    for fault in [&server.behind.full, &server.behind.away] {
        fault.store(true, Ordering::SeqCst);
        let answer = signed(&server, &body).send().await.unwrap();
        assert_eq!((answer.status().as_u16(), &answer.headers()["retry-after"]), (503, &"1".parse().unwrap()));
        fault.store(false, Ordering::SeqCst);
    }
    assert_eq!(status(signed(&server, &body)).await, 200);
    assert_eq!(counts(&server), (1, 0));
}
