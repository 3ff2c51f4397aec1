//! A client of the GraphQL API over HTTP.

use reqwest::StatusCode;
use reqwest::header::HeaderMap;
use serde_json::{Value, json};

/// A client with a token, or with none.
#[derive(Clone)]
pub(crate) struct Client {
    http: reqwest::Client,
    /// Where the server is: `http://127.0.0.1:1234`.
    pub(crate) server: String,
    /// Who it says it is.
    pub(crate) token: Option<String>,
}

/// What the server answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

/// A GraphQL error.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) message: String,
    pub(crate) code: String,
}

/// An HTTP client that keeps nothing to itself.
pub(crate) fn http() -> reqwest::Client {
    // Whoever comes second finds one installed already.
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

    /// What a query or mutation answers; the test fails on any error.
    pub(crate) async fn ask(&self, document: &str, variables: Value) -> Value {
        let answer = self.post(document, variables).await;
        assert_eq!(answer.body.get("errors"), None, "{document}");
        answer.body["data"].clone()
    }

    /// What one field answers, whatever it is called; the test fails on any error.
    pub(crate) async fn ask_one(&self, document: &str, variables: Value) -> Value {
        let data = self.ask(document, variables).await;
        data.as_object().and_then(|fields| fields.values().next()).cloned().expect("a field was asked for")
    }

    /// What a mutation answers that refuses nothing.
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

    /// Sends a body as it is.
    pub(crate) async fn post_body(&self, body: String) -> Answer {
        let request = self.http.post(format!("{}/graphql", self.server)).header("content-type", "application/json");
        let request = self.token.iter().fold(request, reqwest::RequestBuilder::bearer_auth);
        let response = request.body(body).send().await.expect("the server answers");
        let (status, headers) = (response.status(), response.headers().clone());
        Answer { status, headers, body: response.json().await.expect("an answer is JSON") }
    }

    /// What a path answers.
    pub(crate) async fn get(&self, path: &str) -> (StatusCode, String) {
        let response = self.http.get(format!("{}{path}", self.server)).send().await.expect("the server answers");
        (response.status(), response.text().await.unwrap())
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
