//! A GraphQL client in a few lines, for the demo's own use.

use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use serde_json::{Value, json};

use crate::cli::failure::Failure;
use crate::whatsapp::transport;

/// Calls the demo's server.
pub(super) struct Client {
    http: reqwest::Client,
    url: String,
    headers: HeaderMap,
}

impl Client {
    pub(super) fn new(server: &str, token: &str) -> Result<Self, Failure> {
        let timeout = std::time::Duration::from_secs(30);
        let headers = HeaderMap::from_iter([(AUTHORIZATION, HeaderValue::try_from(format!("Bearer {token}"))?)]);
        Ok(Self { http: transport::client(timeout, timeout)?, url: format!("{server}/graphql"), headers })
    }

    /// The data of a query or mutation that must succeed.
    pub(super) async fn query(&self, query: &str, variables: Value) -> Result<Value, Failure> {
        let body = json!({ "query": query, "variables": variables });
        let response = self.http.post(&self.url).headers(self.headers.clone()).json(&body).send().await?;
        let mut answer: Value = response.json().await?;
        let errors = answer.get("errors").or_else(|| answer.pointer("/data/payload/userErrors/0"));
        if let Some(errors) = errors {
            return Err(Failure::failed(format!("the demo's own call was refused: {errors}")));
        }
        Ok(answer.get_mut("data").map(Value::take).unwrap_or_default())
    }
}
