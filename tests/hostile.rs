//! Clients that mean harm: whatever they do, the server answers others as before.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::json;
use sha2::Digest;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::client::Client;
use crate::support::database::Database;
use crate::support::process::Binary;
use crate::support::server::Server;
use crate::support::socket::Socket;
use crate::support::trial::tests;
use crate::support::wait::soon;
use crate::support::workspace::{CREATE_CONVERSATION, CREATE_LINE, Workspace, flow, id_of};

tests! {
    on_both_databases: [
        connections_that_say_nothing_keep_nobody_out,
        a_head_that_comes_slowly_is_not_waited_for,
        sockets_that_do_not_greet_make_room_again,
        subscriptions_without_end_are_refused_beyond_the_limit,
        garbage_on_every_address_is_refused,
        floods_leave_nothing_in_memory,
    ],
}

const SHORT: [(&str, &str); 3] =
    [("http.head_seconds", "1"), ("http.connections", "50"), ("websocket.init_seconds", "1")];

async fn connect(server: &Server) -> TcpStream {
    TcpStream::connect(server.url.trim_start_matches("http://")).await.unwrap()
}

/// Reads until the server closes the connection.
async fn read_to_end(connection: &mut TcpStream) -> Vec<u8> {
    let mut answer = Vec::new();
    // A reset is an end as well.
    soon("end of the connection", connection.read_to_end(&mut answer)).await.ok();
    answer
}

/// Answers somebody who comes anew: a connection of before may be closing just now.
async fn answers(workspace: &Workspace) {
    let api = Client::new(&workspace.server.url, workspace.api.token.as_deref().unwrap());
    let found = soon("answer", api.ask("{ conversations { totalCount } }", json!({}))).await;
    assert!(found["conversations"]["totalCount"].is_number());
}

async fn connections_that_say_nothing_keep_nobody_out(database: Database) {
    let workspace = Workspace::on(Server::start(database, &SHORT).await).await;
    // Far more than may be open; each says nothing, or the beginning of a head.
    let mut silent = join_all((0..200).map(|_| connect(&workspace.server))).await;
    for connection in silent.iter_mut().step_by(2) {
        connection.write_all(b"POST /graphql HTT").await.ok();
    }
    answers(&workspace).await;
    for connection in &mut silent {
        read_to_end(connection).await;
    }
    answers(&workspace).await;
}

async fn a_head_that_comes_slowly_is_not_waited_for(database: Database) {
    let workspace = Workspace::on(Server::start(database, &SHORT).await).await;
    let mut slow = connect(&workspace.server).await;
    slow.write_all(b"GET /health/live HTTP/1.1\r\nhost: here\r\n").await.unwrap();
    let (mut reader, mut writer) = slow.split();
    let drip = async {
        let mut pause = tokio::time::interval(Duration::from_millis(100));
        loop {
            pause.tick().await;
            if writer.write_all(b"x-more: 1\r\n").await.is_err() {
                return;
            }
        }
    };
    let mut answer = Vec::new();
    let end = async {
        soon("end of the connection", reader.read_to_end(&mut answer)).await.ok();
    };
    tokio::select! {
        () = drip => {}
        () = end => {}
    }
    answers(&workspace).await;
}

async fn sockets_that_do_not_greet_make_room_again(database: Database) {
    let settings = [SHORT.as_slice(), &[("websocket.sockets", "20")]].concat();
    let workspace = Workspace::on(Server::start(database, &settings).await).await;
    let flood: Vec<_> = join_all((0..40).map(|_| Socket::try_open(&workspace.api))).await;
    let codes = join_all(flood.into_iter().flatten().map(async |mut socket| socket.hear().await.unwrap_err())).await;
    // Those for whom there was no room, and those who said nothing.
    assert!(codes.contains(&Some(1013)) && codes.contains(&Some(4408)), "{codes:?}");
    let conversation = workspace.conversation("Welcome").await;
    let document = "subscription($id: ID!) { metricsChanged(conversationId: $id) { revision } }";
    let mut frames = workspace.api.subscribe(document, json!({ "id": conversation })).await;
    assert!(frames.next().await.is_some());
}

async fn subscriptions_without_end_are_refused_beyond_the_limit(database: Database) {
    let workspace = Workspace::on(Server::start(database, &[("websocket.operations", "10")]).await).await;
    let conversation = workspace.conversation("Welcome").await;
    let mut socket = Socket::open(&workspace.api).await;
    socket.greet(&workspace.api).await;
    let document = "subscription($id: ID!) { metricsChanged(conversationId: $id) { revision } }";
    let payload = json!({ "query": document, "variables": { "id": conversation } });
    for number in 0..1_000 {
        socket.say(&json!({ "type": "subscribe", "id": number.to_string(), "payload": payload })).await;
    }
    let (mut refused, mut begun) = (0, 0);
    while refused + begun < 1_000 {
        let message = socket.hear().await.unwrap();
        match message["type"].as_str().unwrap() {
            "error" => {
                assert_eq!(message["payload"][0]["extensions"]["code"], "TOO_MANY_REQUESTS");
                refused += 1;
            }
            "next" => begun += 1,
            _ => {}
        }
    }
    assert_eq!((refused, begun), (990, 10));
    answers(&workspace).await;
}

async fn garbage_on_every_address_is_refused(workspace: Workspace) {
    let long = "x".repeat(1_000_000);
    let heads = [
        "\0\0\0\0\r\n\r\n".to_owned(),
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned(),
        format!("GET /{long} HTTP/1.1\r\nhost: here\r\n\r\n"),
        format!("GET /graphql HTTP/1.1\r\nhost: here\r\nx: {long}\r\n\r\n"),
        format!("GET /graphql HTTP/1.1\r\nhost: here\r\n{}\r\n", "a: b\r\n".repeat(10_000)),
        "POST /graphql HTTP/1.1\r\nhost: here\r\ncontent-length: -1\r\n\r\n".to_owned(),
        "POST /graphql HTTP/1.1\r\nhost: here\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n"
            .to_owned(),
    ];
    for head in heads {
        let mut connection = connect(&workspace.server).await;
        connection.write_all(head.as_bytes()).await.ok();
        connection.shutdown().await.ok();
        let answer = read_to_end(&mut connection).await;
        let answer = String::from_utf8_lossy(&answer).into_owned();
        let begins = answer.get(..12).unwrap_or_default();
        assert!(answer.is_empty() || begins.starts_with("HTTP/1.1 4"), "{answer}");
    }
    answers(&workspace).await;
}

/// Everything at once, and differently each time: sockets, subscriptions, connections that break off, bodies without an end,
/// documents and tokens that nobody has sent before.
async fn flood(api: &Client, conversation: &str, round: usize) {
    let address = api.server.trim_start_matches("http://");
    let sockets = join_all((0..40).map(async |_| {
        let mut socket = Socket::open(api).await;
        socket.greet(api).await;
        let document = "subscription($id: ID!) { userChanged(conversationId: $id, afterRevision: 0) { revision } }";
        let payload = json!({ "query": document, "variables": { "id": conversation } });
        for number in 0..10 {
            socket.try_say(&json!({ "type": "subscribe", "id": number.to_string(), "payload": payload })).await;
        }
        socket
    }));
    drop(sockets.await);
    join_all((0..50).map(async |_| {
        let mut connection = TcpStream::connect(address).await.unwrap();
        let head = format!(
            "POST /graphql HTTP/1.1\r\nhost: here\r\nauthorization: Bearer {}\r\n\
            content-type: application/json\r\ncontent-length: 9000000\r\n\r\n",
            api.token.as_deref().unwrap()
        );
        connection.write_all(head.as_bytes()).await.ok();
        connection.write_all(&vec![b' '; 500_000]).await.ok();
    }))
    .await;
    for number in 0..40 {
        // It is too large to be admitted, or names a field that is not there, or is registered by its hash.
        let name = format!("Flood{round}x{number}");
        let long = format!("query {name} {{ {} }}", "viewer { scopes } ".repeat(1_000));
        let wrong = format!("query {name} {{ nothing }}");
        for document in [long, wrong] {
            api.post_body(json!({ "query": document }).to_string()).await;
        }
        let document = format!("query {name} {{ viewer {{ scopes }} }} # {}", "x".repeat(5_000));
        let hash = hex::encode(sha2::Sha256::digest(&document));
        let extensions = json!({ "persistedQuery": { "version": 1, "sha256Hash": hash } });
        api.post_body(json!({ "query": document, "extensions": extensions }).to_string()).await;
        let unknown = format!("bt_{}", base64(&hash));
        api.with_token(Some(&unknown)).post("{ viewer { scopes } }", json!({})).await;
    }
}

/// 32 bytes of a hash as a token's are written.
fn base64(hash: &str) -> String {
    use base64::Engine;

    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(hex::decode(hash).unwrap())
}

async fn floods_leave_nothing_in_memory(database: Database) {
    let binary = Binary::on(database).await;
    let server = binary.serve().await;
    let api = binary.client("admin");
    let input = json!({ "phone": "+12025550123", "phoneNumberId": "1000", "name": "Line" });
    api.change(CREATE_LINE, json!({ "input": input })).await;
    let input = json!({ "name": "Welcome", "direction": "OUTBOUND", "flow": flow() });
    let conversation = id_of(&api.change(CREATE_CONVERSATION, json!({ "input": input })).await["conversation"]);
    // What may be kept is kept by then: caches have their bounds, and the allocator its own.
    for round in 0..2 {
        flood(&api, &conversation, round).await;
    }
    let before = server.memory();
    for round in 2..5 {
        flood(&api, &conversation, round).await;
    }
    let after = server.memory();
    assert!(after < before + before / 4, "{before} bytes became {after}");
    let found = soon("answer", api.ask("{ conversations { totalCount } }", json!({}))).await;
    assert_eq!(found["conversations"]["totalCount"], 1);
}
