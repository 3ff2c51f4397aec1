//! A client of the GraphQL API over HTTP.

use reqwest::StatusCode;
use reqwest::header::HeaderMap;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::wait::soon;

/// A client with a token, or with none.
#[derive(Clone)]
pub(crate) struct Client {
    pub(super) http: reqwest::Client,
    /// The server's URL: `http://127.0.0.1:1234`.
    pub(crate) server: String,
    /// Who it says it is.
    pub(crate) token: Option<String>,
}

/// A server's answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

/// A request whose head the server has read, and whose body is still to come.
pub(crate) struct Begun {
    stream: TcpStream,
    body: String,
}

/// A GraphQL error.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) message: String,
    pub(crate) code: String,
}

/// How a server asks for the body of a request with `Expect: 100-continue`.
const CONTINUE: [u8; 25] = *b"HTTP/1.1 100 Continue\r\n\r\n";

/// An HTTP client.
pub(crate) fn http() -> reqwest::Client {
    // It is installed already if another test was first.
    rustls::crypto::ring::default_provider().install_default().ok();
    reqwest::Client::builder().no_proxy().build().unwrap()
}

impl Client {
    /// A client of a server, with a token.
    pub(crate) fn new(server: &str, token: &str) -> Self {
        Self { http: http(), server: server.to_owned(), token: Some(token.to_owned()) }
    }

    /// The same client with another token, or with none.
    pub(crate) fn with_token(&self, token: Option<&str>) -> Self {
        Self { token: token.map(str::to_owned), ..self.clone() }
    }

    /// The data of a query or mutation; the test fails on any error.
    pub(crate) async fn ask(&self, document: &str, variables: Value) -> Value {
        let answer = self.post(document, variables).await;
        assert_eq!(answer.body.get("errors"), None, "{document}");
        answer.body["data"].clone()
    }

    /// The single field of a query's data; the test fails on any error.
    pub(crate) async fn ask_one(&self, document: &str, variables: Value) -> Value {
        let data = self.ask(document, variables).await;
        data.as_object().and_then(|fields| fields.values().next()).cloned().expect("a field was asked for")
    }

    /// The payload of a mutation, which must have no user errors.
    pub(crate) async fn change(&self, document: &str, variables: Value) -> Value {
        let payload = self.ask_one(document, variables).await;
        assert_eq!(payload["userErrors"], json!([]), "{document}");
        payload
    }

    /// The first error of a request that has one.
    pub(crate) async fn refusal(&self, document: &str, variables: Value) -> Refusal {
        self.post(document, variables).await.refusal()
    }

    /// Sends a request.
    pub(crate) async fn post(&self, document: &str, variables: Value) -> Answer {
        self.post_body(json!({ "query": document, "variables": variables }).to_string()).await
    }

    /// Sends a request to a server that may be unavailable; `None` if there is no answer.
    pub(crate) async fn try_post(&self, document: &str, variables: Value) -> Option<Answer> {
        self.send("application/json", json!({ "query": document, "variables": variables }).to_string()).await.ok()
    }

    /// Sends a body as it is.
    pub(crate) async fn post_body(&self, body: String) -> Answer {
        self.send("application/json", body).await.expect("the server answers, in JSON")
    }

    /// Sends a body of whatever type; an error where the server does not answer.
    pub(crate) async fn send(&self, content_type: &str, body: impl Into<reqwest::Body>) -> reqwest::Result<Answer> {
        let request = self.http.post(format!("{}/graphql", self.server)).header("content-type", content_type);
        let request = self.token.iter().fold(request, reqwest::RequestBuilder::bearer_auth);
        let response = request.body(body).send().await?;
        let (status, headers) = (response.status(), response.headers().clone());
        Ok(Answer { status, headers, body: response.json().await? })
    }

    /// Begins a request; the server is processing it when this returns.
    pub(crate) async fn begin(&self, document: &str, variables: Value) -> Begun {
        let body = json!({ "query": document, "variables": variables }).to_string();
        let head = format!(
            "POST /graphql HTTP/1.1\r\nhost: bluetick\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\n\
             content-length: {}\r\nexpect: 100-continue\r\n\r\n",
            self.token.as_deref().unwrap_or_default(),
            body.len()
        );
        let mut stream = TcpStream::connect(self.server.trim_start_matches("http://")).await.unwrap();
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut asked = [0; CONTINUE.len()];
        soon("wish for the body", stream.read_exact(&mut asked)).await.unwrap();
        assert_eq!(asked, CONTINUE);
        Begun { stream, body }
    }

    /// The status and body of a path.
    pub(crate) async fn get(&self, path: &str) -> (StatusCode, String) {
        let response = self.http.get(format!("{}{path}", self.server)).send().await.expect("the server answers");
        (response.status(), response.text().await.unwrap())
    }
}

impl Begun {
    /// Sends the body, and returns the whole answer of a server that then closes the connection.
    pub(crate) async fn finish(mut self) -> String {
        self.stream.write_all(self.body.as_bytes()).await.unwrap();
        let mut answer = String::new();
        soon("answer", self.stream.read_to_string(&mut answer)).await.unwrap();
        answer
    }
}

impl Answer {
    /// The first error.
    pub(crate) fn refusal(&self) -> Refusal {
        let error = &self.body["errors"][0];
        let text = |value: &Value| value.as_str().map(str::to_owned);
        Refusal {
            message: text(&error["message"]).unwrap_or_else(|| panic!("no error in {}", self.body)),
            code: text(&error["extensions"]["code"]).unwrap_or_else(|| panic!("no code in {}", self.body)),
        }
    }
}
