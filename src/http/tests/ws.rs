//! `graphql-transport-ws`.

use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;

use super::server::Server;
use super::socket::Socket;

fn next(id: &str, data: &Value) -> Value {
    json!({ "id": id, "type": "next", "payload": { "data": data } })
}

fn complete(id: &str) -> Value {
    json!({ "id": id, "type": "complete" })
}

/// Sends a text as the first message, and returns the code with which the server closes.
async fn closed_after(server: &Server, message: Message) -> u16 {
    let mut socket = Socket::unknown(server).await;
    socket.0.send(message).await.unwrap();
    socket.closed().await
}

#[tokio::test]
async fn a_subscription_tells_its_events_and_completes() {
    let server = Server::start(&[]).await;
    let mut socket = Socket::greeted(&server).await;
    socket.subscribe("a", "subscription Count { count(to: 2) }").await;
    assert_eq!(socket.next().await, next("a", &json!({ "count": 1 })));
    assert_eq!(socket.next().await, next("a", &json!({ "count": 2 })));
    assert_eq!(socket.next().await, complete("a"));
    // Its id is free again.
    socket.subscribe("a", "subscription { count(to: 0) }").await;
    assert_eq!(socket.next().await, complete("a"));
}

#[tokio::test]
async fn queries_and_mutations_are_carried_out_too() {
    let server = Server::start(&[]).await;
    let mut socket = Socket::greeted(&server).await;
    let payload = json!({ "query": "query ($n: String) { hello(name: $n) }", "variables": { "n": "Ada" } });
    socket.send(&json!({ "type": "subscribe", "id": "q", "payload": payload })).await;
    assert_eq!(socket.next().await, next("q", &json!({ "hello": "Hello, Ada!" })));
    assert_eq!(socket.next().await, complete("q"));
    socket.subscribe("m", "mutation { add }").await;
    assert_eq!(socket.next().await, next("m", &json!({ "add": 1 })));
    assert_eq!(socket.next().await, complete("m"));
}

#[tokio::test]
async fn operations_run_side_by_side() {
    let server = Server::start(&[]).await;
    let mut socket = Socket::greeted(&server).await;
    socket.subscribe("waits", "mutation { after(added: 1) }").await;
    socket.subscribe("adds", "mutation { add }").await;
    let mut answered = Vec::new();
    for _ in 0..4 {
        answered.push(socket.next().await["id"].as_str().unwrap().to_owned());
    }
    answered.sort_unstable();
    assert_eq!(answered, ["adds", "adds", "waits", "waits"]);
}

#[tokio::test]
async fn a_refused_document_is_an_error_and_ends_nothing_else() {
    let server = Server::start(&[]).await;
    let mut socket = Socket::greeted(&server).await;
    for query in ["{", "{ unknown }", "subscription { count }"] {
        socket.subscribe("a", query).await;
        let error = socket.next().await;
        assert_eq!((&error["id"], &error["type"]), (&json!("a"), &json!("error")));
        assert!(error["payload"][0]["message"].is_string(), "{error}");
    }
    socket.subscribe("a", "{ hello }").await;
    assert_eq!(socket.next().await["type"], "next");
}

#[tokio::test]
async fn a_failed_field_is_a_result_and_a_panic_an_error() {
    let server = Server::start(&[]).await;
    let mut socket = Socket::greeted(&server).await;
    socket.subscribe("a", "{ fails }").await;
    let result = socket.next().await;
    assert_eq!((&result["type"], &result["payload"]["errors"][0]["path"]), (&json!("next"), &json!(["fails"])));
    assert_eq!(socket.next().await, complete("a"));

    for query in ["{ panics }", "subscription { panics }"] {
        socket.subscribe("b", query).await;
        let mut message = socket.next().await;
        if message["type"] == "next" {
            message = socket.next().await;
        }
        assert_eq!(message["payload"][0]["extensions"]["code"], "INTERNAL", "{message}");
        assert!(!message.to_string().contains("no interest"));
    }
}

#[tokio::test]
async fn a_query_ends_after_a_set_time_and_a_subscription_does_not() {
    let server = Server::start_with(&[], |settings| settings.http.request_timeout = Duration::from_millis(20)).await;
    let mut socket = Socket::greeted(&server).await;
    socket.subscribe("s", "subscription { forever }").await;
    assert_eq!(socket.next().await, next("s", &json!({ "forever": true })));
    socket.subscribe("q", "{ wait }").await;
    let error = socket.next().await;
    assert_eq!((&error["id"], &error["payload"][0]["extensions"]["code"]), (&json!("q"), &json!("TIMEOUT")));
    assert_eq!(*server.seen.waiting.borrow(), 1);
}

#[tokio::test]
async fn a_completed_operation_ends_at_once_and_its_id_is_free() {
    let server = Server::start(&[]).await;
    let mut socket = Socket::greeted(&server).await;
    let mut waiting = server.seen.waiting.subscribe();
    socket.subscribe("a", "subscription { forever }").await;
    assert_eq!(socket.next().await, next("a", &json!({ "forever": true })));
    socket.send(&complete("a")).await;
    waiting.wait_for(|count| *count == 0).await.unwrap();
    socket.send(&complete("never begun")).await;
    socket.subscribe("a", "{ hello }").await;
    assert_eq!(socket.next().await, next("a", &json!({ "hello": "Hello, !" })));
}

#[tokio::test]
async fn operations_end_with_their_socket() {
    let server = Server::start(&[]).await;
    let mut waiting = server.seen.waiting.subscribe();
    for orderly in [true, false] {
        let mut socket = Socket::greeted(&server).await;
        socket.subscribe("a", "subscription { forever }").await;
        socket.subscribe("b", "{ wait }").await;
        waiting.wait_for(|count| *count == 2).await.unwrap();
        if orderly {
            socket.0.close(None).await.unwrap();
        }
        drop(socket);
        waiting.wait_for(|count| *count == 0).await.unwrap();
    }
}

#[tokio::test]
async fn signs_of_life_go_both_ways() {
    let server = Server::start_with(&[], |settings| settings.websocket.keep_alive = Duration::from_millis(100)).await;
    let mut socket = Socket::unknown(&server).await;
    socket.send(&json!({ "type": "ping" })).await;
    assert_eq!(socket.next().await, json!({ "type": "pong" }));

    let mut socket = Socket::greeted(&server).await;
    socket.send(&json!({ "type": "ping", "payload": { "n": 1 } })).await;
    assert_eq!(socket.next().await, json!({ "type": "pong", "payload": { "n": 1 } }));
    socket.send(&json!({ "type": "pong" })).await;
    assert!(matches!(socket.0.next().await, Some(Ok(Message::Ping(_)))));
    socket.0.send(Message::Ping(vec![7].into())).await.unwrap();
    loop {
        match socket.0.next().await {
            Some(Ok(Message::Pong(payload))) => break assert_eq!(payload.as_ref(), [7]),
            Some(Ok(Message::Ping(_))) => {}
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn a_silent_client_is_given_up() {
    let server = Server::start_with(&[], |settings| settings.websocket.keep_alive = Duration::from_millis(100)).await;
    let mut socket = Socket::greeted(&server).await;
    socket.subscribe("a", "subscription { forever }").await;
    let mut waiting = server.seen.waiting.subscribe();
    waiting.wait_for(|count| *count == 1).await.unwrap();
    // A client that reads nothing answers no ping.
    waiting.wait_for(|count| *count == 0).await.unwrap();
}

#[tokio::test]
async fn a_client_that_does_not_read_slows_nobody_but_itself() {
    let server = Server::start(&[]).await;
    let mut slow = Socket::greeted(&server).await;
    slow.subscribe("large", "subscription { large }").await;
    for id in ["a", "b", "c"] {
        slow.subscribe(id, "mutation { add }").await;
    }
    server.seen.added.subscribe().wait_for(|added| *added == 3).await.unwrap();
    let mut quick = Socket::greeted(&server).await;
    quick.subscribe("q", "{ hello }").await;
    assert_eq!(quick.next().await["type"], "next");
    // What the operating system buffers, and one frame more.
    assert!(server.seen.large.load(Ordering::SeqCst) < 256);
    // It finds everything that it asked for, when it reads again.
    slow.send(&complete("large")).await;
    let mut answered = Vec::new();
    while answered.len() < 3 {
        let message = slow.next().await;
        if message["type"] == "next" && message["id"] != "large" {
            answered.push(message["payload"]["data"]["add"].clone());
        }
    }
    assert_eq!(answered, [1, 2, 3]);
}

#[tokio::test]
async fn the_subprotocol_must_be_spoken() {
    let server = Server::start(&[]).await;
    assert_eq!(Socket::open(&server, None).await.closed().await, 4406);
    let plain = server.request("GET", "/graphql/ws").send().await.unwrap();
    assert_eq!((plain.status().as_u16(), &plain.headers()["upgrade"]), (426, &"websocket".parse().unwrap()));
}

/// A strict client gives up in the handshake when none of its sub-protocols is chosen; so this one speaks by hand.
#[tokio::test]
async fn another_subprotocol_is_not_acceptable() {
    let server = Server::start(&[]).await;
    let mut connection = TcpStream::connect(server.address).await.unwrap();
    let head = "GET /graphql/ws HTTP/1.1\r\nhost: here\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
        sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
        sec-websocket-protocol: graphql-ws\r\n\r\n";
    connection.write_all(head.as_bytes()).await.unwrap();
    let close_frame = [&[0x88, 2 + 26], 4406_u16.to_be_bytes().as_slice(), b"Subprotocol not acceptable"].concat();
    let mut answer = Vec::new();
    while !answer.ends_with(&close_frame) {
        assert_ne!(connection.read_buf(&mut answer).await.unwrap(), 0);
    }
    let head = String::from_utf8_lossy(&answer).to_lowercase();
    assert!(head.starts_with("http/1.1 101") && !head.contains("sec-websocket-protocol"));
}

#[tokio::test]
async fn a_client_must_greet_in_time() {
    let server = Server::start_with(&[], |settings| settings.websocket.init = Duration::from_millis(20)).await;
    assert_eq!(Socket::unknown(&server).await.closed().await, 4408);
}

#[tokio::test]
async fn a_client_must_greet_with_a_token_in_force() {
    let server = Server::start(&[]).await;
    for payload in
        [json!({}), json!({ "Authorization": "Bearer bt_unknown" }), json!({ "Authorization": server.token })]
    {
        let init = json!({ "type": "connection_init", "payload": payload }).to_string();
        assert_eq!(closed_after(&server, Message::text(init)).await, 4403, "{payload}");
    }
    assert_eq!(closed_after(&server, Message::text(r#"{"type": "connection_init"}"#)).await, 4403);
    let subscribe = r#"{"type": "subscribe", "id": "1", "payload": {"query": "mutation { add }"}}"#;
    assert_eq!(closed_after(&server, Message::text(subscribe)).await, 4401);
    assert_eq!(*server.seen.added.borrow(), 0);
}

#[tokio::test]
async fn while_tokens_cannot_be_looked_up_a_client_is_asked_to_come_again() {
    let server = Server::start_with(&[], |settings| settings.websocket.recheck = Duration::from_millis(5)).await;
    let mut socket = Socket::greeted(&server).await;
    server.tokens.set_unavailable(true);
    let init = json!({ "type": "connection_init", "payload": { "token": server.token } }).to_string();
    assert_eq!(closed_after(&server, Message::text(init)).await, 1013);
    // Who was known already stays.
    let asked = server.tokens.lookups();
    while server.tokens.lookups() < asked + 3 {
        tokio::task::yield_now().await;
    }
    socket.subscribe("a", "{ hello }").await;
    assert_eq!(socket.next().await["type"], "next");
}

#[tokio::test]
async fn a_second_greeting_is_one_too_many() {
    let server = Server::start(&[]).await;
    let mut socket = Socket::greeted(&server).await;
    socket.send(&json!({ "type": "connection_init" })).await;
    assert_eq!(socket.closed().await, 4429);
}

#[tokio::test]
async fn malformed_messages_close_the_socket() {
    let server = Server::start(&[]).await;
    let mut messages = vec![Message::binary(b"{}".to_vec())];
    messages.extend(["", "{}", "{", r#"{"type": "start"}"#, r#"{"type": "subscribe"}"#].map(Message::text));
    for message in messages {
        assert_eq!(closed_after(&server, message.clone()).await, 4400);
        let mut socket = Socket::greeted(&server).await;
        socket.0.send(message).await.unwrap();
        assert_eq!(socket.closed().await, 4400);
    }
}

#[tokio::test]
async fn an_id_in_use_closes_the_socket() {
    let server = Server::start(&[]).await;
    let mut socket = Socket::greeted(&server).await;
    for _ in 0..2 {
        socket.subscribe("a", "subscription { forever }").await;
    }
    assert_eq!(socket.closed().await, 4409);
}

#[tokio::test]
async fn a_message_is_bounded() {
    let server = Server::start(&[("websocket.message_bytes", "1000")]).await;
    let mut socket = Socket::greeted(&server).await;
    let ping = |length: usize| {
        let empty = json!({ "type": "ping", "payload": { "p": "" } }).to_string().len();
        json!({ "type": "ping", "payload": { "p": "x".repeat(length - empty) } })
    };
    socket.send(&ping(1_000)).await;
    assert_eq!(socket.next().await["type"], "pong");
    socket.send(&ping(1_001)).await;
    assert_eq!(socket.closed().await, 1009);
}

#[tokio::test]
async fn operations_on_a_socket_are_bounded() {
    let server = Server::start(&[("websocket.operations", "2")]).await;
    let mut socket = Socket::greeted(&server).await;
    for id in ["a", "b"] {
        socket.subscribe(id, "subscription { forever }").await;
        assert_eq!(socket.next().await["type"], "next");
    }
    socket.subscribe("c", "{ hello }").await;
    let refused = socket.next().await;
    assert_eq!((&refused["id"], &refused["type"]), (&json!("c"), &json!("error")));
    assert_eq!(refused["payload"][0]["message"], "At most 2 operations may run at once on one socket");
    socket.send(&complete("a")).await;
    socket.subscribe("c", "{ hello }").await;
    assert_eq!(socket.next().await["type"], "next");
}

#[tokio::test]
async fn a_revoked_token_closes_its_sockets() {
    let server = Server::start_with(&[], |settings| settings.websocket.recheck = Duration::from_millis(5)).await;
    let mut socket = Socket::greeted(&server).await;
    socket.subscribe("a", "subscription { forever }").await;
    assert_eq!(socket.next().await["type"], "next");
    server.tokens.revoke(&server.token);
    assert_eq!(socket.closed().await, 4403);
    server.seen.waiting.subscribe().wait_for(|count| *count == 0).await.unwrap();
}

#[tokio::test]
async fn sockets_beyond_the_limits_are_sent_away_and_told_when_to_come_back() {
    let server = Server::start(&[("websocket.sockets", "3"), ("websocket.sockets_per_token", "1")]).await;
    let first = Socket::greeted(&server).await;
    let mut second = Socket::unknown(&server).await;
    second.greet(&server.token).await;
    let (code, reason) = second.closed_because().await;
    assert_eq!(code, 1013);
    assert!(reason.starts_with("Too many sockets are open with this token: try again in "), "{reason}");

    // Another token has room, until the node has none.
    let other = server.tokens.add("read");
    let mut third = Socket::unknown(&server).await;
    third.greet(&other).await;
    assert_eq!(third.next().await, json!({ "type": "connection_ack" }));
    drop(second);
    // What was sent away makes room once its end is read, and then the node is full.
    let mut waiting = Vec::new();
    loop {
        let mut socket = Socket::unknown(&server).await;
        if waiting.len() == 1 {
            let (code, reason) = socket.closed_because().await;
            assert_eq!(code, 1013);
            assert!(reason.starts_with("Too many sockets are open: try again in "), "{reason}");
            break;
        }
        socket.send(&json!({ "type": "ping" })).await;
        if socket.0.next().await.is_some_and(|message| message.is_ok_and(|message| message.is_text())) {
            waiting.push(socket);
        }
    }
    // What is closed makes room.
    drop(first);
    loop {
        let mut socket = Socket::unknown(&server).await;
        socket.greet(&server.token).await;
        if socket.0.next().await.is_some_and(|message| message.is_ok_and(|message| message.is_text())) {
            break;
        }
    }
}

#[tokio::test]
async fn a_socket_on_which_too_much_waits_is_closed() {
    let server = Server::start(&[("websocket.queued_bytes", "1000000")]).await;
    let mut socket = Socket::greeted(&server).await;
    // One frame of each may wait; four have more than a million bytes.
    for id in 0..3 {
        socket.subscribe(&id.to_string(), "subscription { large }").await;
    }
    for _ in 0..50 {
        assert_eq!(socket.next().await["type"], "next");
    }
    for id in 3..9 {
        socket.subscribe(&id.to_string(), "subscription { large }").await;
    }
    let (code, reason) = socket.closed_because().await;
    assert_eq!(code, 1013);
    assert!(reason.starts_with("Too much is waiting to be read"), "{reason}");
}
