//! Operations over server-sent events.

use std::time::Duration;

use reqwest::{Response, StatusCode};
use serde_json::{Value, json};

use super::server::Server;
use crate::domain::id::{VersionId, new_key};

/// An event: its name, id and data.
type Event = (String, Option<String>, String);

/// A stream of events, read as a browser does.
struct Events {
    response: Response,
    buffer: String,
    comments: usize,
}

impl Events {
    async fn open(server: &Server, query: &str) -> Self {
        Self::of(request(server, query).send().await.unwrap())
    }

    fn of(response: Response) -> Self {
        assert_eq!(response.status(), 200);
        let head = |name: &str| response.headers()[name].to_str().unwrap().to_owned();
        assert!(head("content-type").starts_with("text/event-stream"));
        assert_eq!((head("cache-control"), head("x-accel-buffering")), ("no-store".to_owned(), "no".to_owned()));
        Self { response, buffer: String::new(), comments: 0 }
    }

    /// The next event; `None` at the end of the stream.
    async fn next(&mut self) -> Option<Event> {
        loop {
            let Some((event, rest)) = self.buffer.split_once("\n\n") else {
                let chunk = self.response.chunk().await.unwrap()?;
                self.buffer.push_str(std::str::from_utf8(&chunk).unwrap());
                continue;
            };
            let fields: Vec<_> = event.lines().filter_map(|line| line.split_once(':')).collect();
            let field = |wanted: &str| {
                let mut found = fields.iter().filter(|(name, _)| *name == wanted);
                found.next().map(|(_, value)| value.strip_prefix(' ').unwrap_or(value).to_owned())
            };
            let (name, id, data) = (field("event"), field("id"), field("data"));
            self.buffer = rest.to_owned();
            match (name, data) {
                (Some(name), Some(data)) => return Some((name, id, data)),
                _ => self.comments += 1,
            }
        }
    }

    /// The payload of the next event, which must be a result.
    async fn result(&mut self) -> Value {
        let (name, _, data) = self.next().await.expect("the stream goes on");
        assert_eq!(name, "next");
        serde_json::from_str(&data).unwrap()
    }

    async fn completes(&mut self) {
        assert_eq!(self.next().await, Some(("complete".to_owned(), None, "null".to_owned())));
        assert_eq!(self.next().await, None);
    }
}

fn request(server: &Server, query: &str) -> reqwest::RequestBuilder {
    let request = server.request("POST", "/graphql/sse").bearer_auth(&server.token);
    request.header("accept", "text/event-stream").json(&json!({ "query": query }))
}

#[tokio::test]
async fn every_result_is_an_event_and_the_end_is_one_too() {
    let server = Server::start(&[]).await;
    let mut events = Events::open(&server, "subscription { count(to: 3) }").await;
    for number in 1..=3 {
        assert_eq!(events.result().await, json!({ "data": { "count": number } }));
    }
    events.completes().await;
    for query in ["{ hello }", "mutation { add }"] {
        let mut events = Events::open(&server, query).await;
        assert!(events.result().await["data"].is_object());
        events.completes().await;
    }
}

#[tokio::test]
async fn a_get_carries_queries_and_subscriptions_only() {
    let server = Server::start(&[]).await;
    let get = |query: &str| {
        let path = format!("/graphql/sse?query={}", query.replace(' ', "%20"));
        server.request("GET", &path).bearer_auth(&server.token).send()
    };
    let mut events = Events::of(get("subscription { count(to: 1) }").await.unwrap());
    assert_eq!(events.result().await, json!({ "data": { "count": 1 } }));
    events.completes().await;
    let refused = get("mutation { add }").await.unwrap();
    assert_eq!(
        (refused.status(), &refused.headers()["allow"]),
        (StatusCode::METHOD_NOT_ALLOWED, &"POST".parse().unwrap())
    );
    assert_eq!(*server.seen.added.borrow(), 0);
}

#[tokio::test]
async fn what_is_wrong_with_the_document_is_a_result() {
    let server = Server::start(&[]).await;
    for query in ["subscription { nonsense }", "{", "{ nonsense }"] {
        let mut events = Events::open(&server, query).await;
        assert!(events.result().await["errors"][0]["message"].is_string());
        events.completes().await;
    }
    let mut events = Events::open(&server, "subscription { panics }").await;
    assert_eq!(events.result().await, json!({ "data": { "panics": true } }));
    assert_eq!(events.result().await["errors"][0]["extensions"]["code"], "INTERNAL");
    events.completes().await;
}

#[tokio::test]
async fn what_is_wrong_with_the_request_is_told_by_its_status() {
    let server = Server::start(&[("http.graphql_body_bytes", "1000")]).await;
    let post = || server.request("POST", "/graphql/sse").bearer_auth(&server.token);
    let good = json!({ "query": "{ hello }" });
    for (request, status) in [
        (post().json(&good).header("accept", "application/json"), 406),
        (post().body("{}").header("content-type", "text/plain"), 415),
        (post().body("{").header("content-type", "application/json"), 400),
        (post().json(&json!({ "query": "x".repeat(1_000) })), 413),
        (post().json(&good).header("last-event-id", "1"), 400),
        (server.request("POST", "/graphql/sse").json(&good), 401),
        (server.request("POST", "/graphql/sse").bearer_auth("bt_unknown").json(&good), 401),
        (server.request("PUT", "/graphql/sse").json(&good), 405),
    ] {
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), status);
        assert!(response.json::<Value>().await.unwrap()["errors"][0]["extensions"]["code"].is_string());
    }
}

#[tokio::test]
async fn an_operation_ends_when_its_client_leaves() {
    let server = Server::start(&[]).await;
    let mut events = Events::open(&server, "subscription { forever }").await;
    assert_eq!(events.result().await, json!({ "data": { "forever": true } }));
    let mut waiting = server.seen.waiting.subscribe();
    waiting.wait_for(|count| *count == 1).await.unwrap();
    drop(events);
    waiting.wait_for(|count| *count == 0).await.unwrap();
}

#[tokio::test]
async fn a_client_resumes_where_it_names_the_event_it_received_last() {
    let server = Server::start(&[]).await;
    let version = VersionId(new_key());
    let resumed = request(&server, "subscription { count(to: 2) }").header("last-event-id", format!("{version}:7"));
    let mut events = Events::of(resumed.send().await.unwrap());
    for revision in [8, 9] {
        assert_eq!(events.next().await.unwrap().1, Some(format!("{version}:{revision}")));
    }
    events.completes().await;
    // An empty id is that of a client that has been given none.
    let anew = request(&server, "subscription { count(to: 1) }").header("last-event-id", "");
    assert_eq!(Events::of(anew.send().await.unwrap()).next().await.unwrap().1, None);
}

#[tokio::test]
async fn a_stream_without_news_shows_that_it_is_alive_and_ends_when_its_token_is_revoked() {
    let brief = Duration::from_millis(5);
    let server = Server::start_with(&[], |settings| {
        (settings.websocket.keep_alive, settings.websocket.recheck) = (brief, brief);
    })
    .await;
    let mut events = Events::open(&server, "subscription { forever }").await;
    events.result().await;
    while events.comments < 3 {
        let chunk = events.response.chunk().await.unwrap().unwrap();
        assert_eq!(chunk, ":\n\n");
        events.comments += 1;
    }
    server.tokens.revoke(&server.token);
    // Without `complete`, so that it comes back and is told why it may not.
    assert_eq!(events.next().await, None);
    assert_eq!(request(&server, "{ hello }").send().await.unwrap().status(), 401);
}

#[tokio::test]
async fn a_server_that_ends_gives_last_frames_and_completes_nothing() {
    let mut server = Server::start(&[]).await;
    let mut events = Events::open(&server, "subscription { forever }").await;
    assert_eq!(events.result().await, json!({ "data": { "forever": true } }));
    server.shutdown.cancel();
    assert_eq!(events.result().await, json!({ "data": { "forever": false } }));
    assert_eq!(events.next().await, None);
    drop(events);
    server.tasks.join_next().await.unwrap().unwrap();
}

#[tokio::test]
async fn streams_count_with_sockets_and_are_told_when_to_come_back() {
    let server = Server::start(&[("websocket.sockets", "2"), ("websocket.sockets_per_token", "1")]).await;
    let mut first = Events::open(&server, "subscription { forever }").await;
    first.result().await;
    let beyond = |token: &str| {
        let request = server.request("POST", "/graphql/sse").bearer_auth(token);
        request.json(&json!({ "query": "subscription { forever }" })).send()
    };
    let refused = beyond(&server.token).await.unwrap();
    assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS);
    assert!((5..=30).contains(&refused.headers()["retry-after"].to_str().unwrap().parse::<u64>().unwrap()));
    let (second, third) = (server.tokens.add("read"), server.tokens.add("read"));
    let _second = beyond(&second).await.unwrap();
    assert_eq!(beyond(&third).await.unwrap().status(), StatusCode::SERVICE_UNAVAILABLE);
}

#[tokio::test]
async fn a_client_that_does_not_read_holds_one_frame() {
    let server = Server::start(&[]).await;
    let _events = Events::open(&server, "subscription { large }").await;
    let mut others = Events::open(&server, "subscription { count(to: 2) }").await;
    for number in [1, 2] {
        assert_eq!(others.result().await, json!({ "data": { "count": number } }));
    }
    others.completes().await;
    // What the operating system buffers, and some frames more.
    assert!(server.seen.large.load(std::sync::atomic::Ordering::SeqCst) < 256);
}
