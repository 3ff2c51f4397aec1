//! The client against servers that answer oddly, break off, or are not there.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap as Headers, StatusCode, Uri};
use axum::response::{IntoResponse, Response as Reply};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::*;
use crate::domain::id::{MessageId, new_key};
use crate::domain::outgoing::{FilledTemplate, Outgoing};
use crate::domain::phone::Phone;
use crate::whatsapp::answer::{Accepted, Action, Trouble};
use crate::whatsapp::outgoing::Recipient;

/// A stand-in for the provider: its address, and the tasks that end with it.
struct Stub {
    base_url: String,
    _tasks: JoinSet<()>,
}

/// What a stub does with a connection after it has written.
#[derive(Clone, Copy)]
enum End {
    HangUp,
    Reset,
    Stay,
}

/// An answer that breaks off behind the id that it promises.
const CUT: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"messages\": [{\"id\": \"wamid.A\"}]}";

type Calls = Arc<Mutex<Vec<(Uri, Headers, Value)>>>;

impl Stub {
    /// One that gives each call the same answer, and notes the calls.
    async fn answering(reply: impl Fn() -> Reply + Clone + Send + Sync + 'static) -> (Self, Calls) {
        let calls = Calls::default();
        let note = move |State(calls): State<Calls>, uri: Uri, headers: Headers, body: Bytes| {
            calls.lock().unwrap().push((uri, headers, serde_json::from_slice(&body).unwrap()));
            std::future::ready(reply())
        };
        let router = Router::new().fallback(note).with_state(calls.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base_url = format!("http://{}/v25.0", listener.local_addr().unwrap());
        let mut tasks = JoinSet::new();
        tasks.spawn(async move { axum::serve(listener, router).await.unwrap() });
        (Self { base_url, _tasks: tasks }, calls)
    }

    /// One that reads the call's first bytes, writes `bytes`, and then does with the connection what `end` says.
    async fn writing(bytes: &'static [u8], end: End) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base_url = format!("http://{}", listener.local_addr().unwrap());
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut held = Vec::new();
            while let Ok((mut stream, _)) = listener.accept().await {
                stream.read_exact(&mut [0; 16]).await.unwrap();
                stream.write_all(bytes).await.unwrap();
                match end {
                    End::HangUp => drop(stream),
                    End::Reset => stream.set_zero_linger().unwrap(),
                    End::Stay => held.push(stream),
                }
            }
        });
        Self { base_url, _tasks: tasks }
    }

    async fn call(&self) -> Answer {
        api(&self.base_url).send("1065", &message()).await
    }
}

fn api(base_url: &str) -> CloudApi {
    CloudApi::new(&settings(base_url, "EAAB-secret")).unwrap()
}

fn settings(base_url: &str, token: &str) -> CloudApiSettings {
    CloudApiSettings::new(base_url, Secret::new(token))
}

fn message() -> OutgoingMessage {
    let template = FilledTemplate {
        name: "welcome".into(),
        language: "es".into(),
        parameters: vec!["Ana".into()],
        replies: Vec::new(),
    };
    OutgoingMessage {
        recipient: Recipient::Phone(Phone::of_whatsapp_id("573001234567").unwrap()),
        content: Outgoing::Template(template),
        callback: MessageId(new_key()),
    }
}

#[tokio::test]
async fn an_accepted_call_went_to_the_line_with_token_and_message() {
    let body =
        json!({"contacts": [{"input": "+573001234567", "wa_id": "573001234567"}], "messages": [{"id": "wamid.A"}]});
    let (stub, calls) = Stub::answering(move || axum::Json(body.clone()).into_response()).await;
    let api = api(&format!("{}/", stub.base_url));
    let message = message();
    let accepted = Accepted {
        provider_message_id: "wamid.A".into(),
        wa_id: Some("573001234567".into()),
        provider_user_id: None,
        held: false,
    };
    assert_eq!(api.send("10/65", &message).await, Answer::Accepted(accepted));
    let (uri, headers, sent) = calls.lock().unwrap().pop().unwrap();
    assert_eq!(uri.path(), "/v25.0/10%2F65/messages");
    assert_eq!(headers["authorization"], "Bearer EAAB-secret");
    assert_eq!(headers["content-type"], "application/json");
    assert_eq!(sent, message.body());
}

#[tokio::test]
async fn a_refusal_carries_code_words_and_wait() {
    let body = json!({"error": {"message": "(#131056) Too fast", "code": 131_056}});
    let reply = move || (StatusCode::BAD_REQUEST, [("retry-after", "7")], body.to_string()).into_response();
    let (stub, _) = Stub::answering(reply).await;
    let Answer::Rejected(rejected) = stub.call().await else { panic!() };
    assert_eq!((rejected.code, rejected.text.as_str()), (131_056, "(#131056) Too fast"));
    assert_eq!((rejected.action, rejected.retry_after), (Action::Retry(Trouble::Pair), Some(Duration::from_secs(7))));
}

#[tokio::test]
async fn too_many_requests_without_a_code_was_not_sent() {
    let reply = || (StatusCode::TOO_MANY_REQUESTS, [("retry-after", "2")], "<html>").into_response();
    let (stub, calls) = Stub::answering(reply).await;
    assert_eq!(stub.call().await, Answer::NotSent { retry_after: Some(Duration::from_secs(2)) });
    assert_eq!(calls.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn answers_that_cannot_be_understood_are_unknown_outcomes_of_one_call() {
    let endless = "x".repeat(MAX_ANSWER_BYTES + 1);
    for (status, body) in [
        (StatusCode::OK, "{}"),
        (StatusCode::OK, "garbage"),
        (StatusCode::OK, endless.as_str()),
        (StatusCode::INTERNAL_SERVER_ERROR, ""),
        (StatusCode::BAD_GATEWAY, "<html>"),
        (StatusCode::SERVICE_UNAVAILABLE, "{}"),
        (StatusCode::GATEWAY_TIMEOUT, "{\"error\": {}}"),
        (StatusCode::NOT_FOUND, ""),
    ] {
        let body = body.to_owned();
        let (stub, calls) = Stub::answering(move || (status, body.clone()).into_response()).await;
        assert_eq!(stub.call().await, Answer::Unknown, "{status}");
        assert_eq!(calls.lock().unwrap().len(), 1);
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let (elsewhere, calls) = Stub::answering(|| StatusCode::OK.into_response()).await;
    let location = elsewhere.base_url.clone();
    let reply = move || (StatusCode::TEMPORARY_REDIRECT, [("location", location.clone())]).into_response();
    let (stub, _) = Stub::answering(reply).await;
    assert_eq!(stub.call().await, Answer::Unknown);
    assert!(calls.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_call_that_breaks_off_after_it_was_written_is_an_unknown_outcome() {
    for stub in [
        Stub::writing(b"", End::HangUp).await,
        Stub::writing(b"", End::Reset).await,
        Stub::writing(b"not http at all\r\n\r\n", End::HangUp).await,
        Stub::writing(b"HTTP/1.1 200 OK\r\n", End::HangUp).await,
        Stub::writing(CUT, End::HangUp).await,
    ] {
        assert_eq!(stub.call().await, Answer::Unknown);
    }
}

#[tokio::test]
async fn an_answer_that_takes_too_long_is_an_unknown_outcome() {
    for stub in [Stub::writing(b"", End::Stay).await, Stub::writing(CUT, End::Stay).await] {
        let impatient =
            CloudApiSettings { call_timeout: Duration::from_millis(100), ..settings(&stub.base_url, "token") };
        let api = CloudApi::new(&impatient).unwrap();
        assert_eq!(api.send("1065", &message()).await, Answer::Unknown);
    }
}

#[tokio::test]
async fn a_429_whose_body_breaks_off_was_not_sent() {
    let stub = Stub::writing(b"HTTP/1.1 429 Too Many Requests\r\ncontent-length: 9\r\n\r\n", End::HangUp).await;
    assert_eq!(stub.call().await, Answer::NotSent { retry_after: None });
}

#[tokio::test]
async fn a_connection_that_was_never_made_sent_nothing() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let not_sent = Answer::NotSent { retry_after: None };
    assert_eq!(api(&format!("http://{address}")).send("1065", &message()).await, not_sent);
    // A server that does not speak TLS ends the handshake before anything of the call is written.
    let stub = Stub::writing(b"HTTP/1.1 400 Bad Request\r\n\r\n", End::HangUp).await;
    let tls = stub.base_url.replace("http:", "https:");
    assert_eq!(api(&tls).send("1065", &message()).await, not_sent);
}

#[tokio::test]
async fn each_line_is_called_with_its_own_token_or_else_with_the_common_one() {
    let (stub, calls) = Stub::answering(|| "{}".into_response()).await;
    let of_lines = || BTreeMap::from([("1066".to_owned(), Secret::new("of the line"))]);
    for (common, line, expected) in [
        (Some("common"), "1065", Some("Bearer common")),
        (Some("common"), "1066", Some("Bearer of the line")),
        (None, "1066", Some("Bearer of the line")),
        (None, "1065", None),
    ] {
        let settings = CloudApiSettings::new(&stub.base_url, common.map(Secret::new));
        let api = CloudApi::new(&CloudApiSettings { line_tokens: of_lines(), ..settings }).unwrap();
        let answer = api.send(line, &message()).await;
        let called = calls.lock().unwrap().pop().map(|(_, headers, _)| headers["authorization"].clone());
        assert_eq!(called.as_ref().map(|header| header.to_str().unwrap()), expected, "{line}");
        let stopped = matches!(&answer, Answer::Rejected(rejected) if rejected.action == Action::StopLine);
        assert_eq!(stopped, expected.is_none(), "{answer:?}");
    }
}

#[test]
fn the_token_never_shows() {
    let line_tokens = BTreeMap::from([("1066".to_owned(), Secret::new("EAAB-other"))]);
    let settings = CloudApiSettings { line_tokens, ..settings("http://localhost/v25.0", "EAAB-secret") };
    let api = CloudApi::new(&settings).unwrap();
    assert!(!format!("{settings:?} {api:?}").contains("EAAB"));
}

#[test]
fn settings_that_cannot_work_are_refused() {
    for url in ["", "graph.facebook.com", "ftp://graph.facebook.com", "mailto:a@b", "http://"] {
        assert!(matches!(CloudApi::new(&settings(url, "t")), Err(ClientError::BaseUrl)), "{url}");
    }
    for token in ["", " ", "a\nb"] {
        let refused = CloudApi::new(&settings("http://localhost", token));
        assert!(matches!(refused, Err(ClientError::AccessToken)), "{token:?}");
        let line_tokens = BTreeMap::from([("1066".to_owned(), Secret::new(token))]);
        let refused = CloudApi::new(&CloudApiSettings { line_tokens, ..settings("http://localhost", "t") });
        assert!(matches!(refused, Err(ClientError::LineAccessToken(line)) if line == "1066"), "{token:?}");
    }
}
