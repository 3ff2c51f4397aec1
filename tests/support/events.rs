//! A client of the GraphQL API over server-sent events.

use reqwest::Response;
use serde_json::{Value, json};

use super::client::Client;
use super::wait::soon;

/// A stream of events.
pub(crate) struct Events {
    response: Response,
    buffer: String,
    /// The id of the event that was received last.
    pub(crate) last_id: Option<String>,
    /// Whether the operation has completed.
    pub(crate) completed: bool,
}

impl Client {
    /// Begins an operation over server-sent events; behind the event of this id, if one is given.
    pub(crate) async fn events(&self, document: &str, variables: Value, last_id: Option<&str>) -> Events {
        let request = self.http.post(format!("{}/graphql/sse", self.server)).header("accept", "text/event-stream");
        let request = self.token.iter().fold(request, reqwest::RequestBuilder::bearer_auth);
        let request = last_id.into_iter().fold(request, |request, id| request.header("last-event-id", id));
        let sent = request.json(&json!({ "query": document, "variables": variables })).send().await;
        Events { last_id: last_id.map(str::to_owned), ..Events::of(sent.expect("the server answers")) }
    }
}

impl Events {
    /// The events of a response.
    pub(crate) const fn of(response: Response) -> Self {
        Self { response, buffer: String::new(), last_id: None, completed: false }
    }

    /// The next result; `None` when the stream has ended, whether complete or not.
    pub(crate) async fn result(&mut self) -> Option<Value> {
        loop {
            if let Some((event, rest)) = self.buffer.split_once("\n\n") {
                let field = |name: &str| {
                    event.lines().filter_map(|line| line.split_once(": ")).find(|(field, _)| *field == name)
                };
                let (id, data) = (field("id"), field("data"));
                self.last_id = id.map(|(_, id)| id.to_owned()).or(self.last_id.take());
                self.completed |= event.contains("event: complete");
                let result = data.filter(|_| event.contains("event: next"));
                let result = result.map(|(_, data)| serde_json::from_str(data).expect("a result is JSON"));
                self.buffer = String::from(rest);
                if result.is_some() {
                    return result;
                }
                continue;
            }
            let chunk = soon("event", self.response.chunk()).await.ok()??;
            self.buffer.push_str(std::str::from_utf8(&chunk).expect("events are UTF-8"));
        }
    }

    /// The single field of the next result.
    pub(crate) async fn next(&mut self) -> Option<Value> {
        let result = self.result().await?;
        assert_eq!(result.get("errors"), None);
        Some(result["data"].as_object().expect("a result has data").values().next().expect("a field").clone())
    }
}
