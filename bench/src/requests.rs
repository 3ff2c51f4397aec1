//! What is asked: the same of Bluetick, as GraphQL, and of the limit, by a path.

use bluetick::domain::id::UserId;
use bluetick::domain::page::{Cursors, Key};
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::Result;
use crate::seed::Loaded;

/// A request, ready to be sent any number of times.
pub(crate) type Request = hyper::Request<Full<Bytes>>;

/// The figures that are asked for wherever figures are.
const FIGURES: &str = "totalUsers messagesSent inProcess sendFailure delivered responses responseRate read inFlow finished \
     revision asOf";

const MESSAGE: &str = "id sender kind text status at";

/// The same question to both.
pub(crate) struct Question {
    /// To Bluetick.
    pub(crate) graphql: Request,
    /// To the limit.
    pub(crate) limit: Request,
}

/// The metrics of one conversation.
pub(crate) fn metrics(token: &str, version: Loaded) -> Result<Question> {
    let id = version.conversation();
    let document = format!("query Metrics($id: ID!) {{ conversation(id: $id) {{ id name metrics {{ {FIGURES} }} }} }}");
    Ok(Question {
        graphql: graphql(token, &document, &json!({"id": id.to_string()}))?,
        limit: get(&format!("/metrics/{}", id.0))?,
    })
}

/// The same metrics, counted.
pub(crate) fn counted(version: Loaded) -> Result<Request> {
    get(&format!("/counted/{}", version.conversation().0))
}

/// Fifty conversations with their metrics.
pub(crate) fn conversations(token: &str, workspace: Uuid) -> Result<Question> {
    let document = format!(
        "query Conversations {{ conversations(first: 50) {{ nodes {{ id name direction createdAt metrics {{ {FIGURES} }} }} \
         pageInfo {{ hasNextPage endCursor }} }} }}"
    );
    Ok(Question {
        graphql: graphql(token, &document, &json!({}))?,
        limit: get(&format!("/conversations/{workspace}"))?,
    })
}

/// Fifty users who have read, each with variables and three messages, behind a place in the list or from its beginning.
pub(crate) fn users(token: &str, version: Loaded, after: Option<(i64, Uuid)>) -> Result<Question> {
    let id = version.conversation();
    let document = format!(
        "query Users($id: ID!, $after: String) {{ conversation(id: $id) {{ \
         users(first: 50, after: $after, filter: {{deploymentStatus: [READ]}}) {{ totalCount pageInfo {{ hasNextPage endCursor }} \
         nodes {{ id phone name deploymentStatus stage deployedAt lastActivityAt variables {{ name value updatedAt }} \
         history(first: 3) {{ nodes {{ {MESSAGE} }} }} }} }} }} }}"
    );
    let cursor = after.map(|(at, id)| Cursors::of_numbers("users by deployment").write(&Key::number(at, id)));
    let place = after.map(|(at, id)| format!("?at={at}&id={id}")).unwrap_or_default();
    Ok(Question {
        graphql: graphql(token, &document, &json!({"id": id.to_string(), "after": cursor}))?,
        limit: get(&format!("/users/{}{place}", id.0))?,
    })
}

/// One user's history.
pub(crate) fn history(token: &str, user: UserId) -> Result<Question> {
    let document = format!(
        "query History($id: ID!) {{ node(id: $id) {{ ... on User {{ id phone name deploymentStatus \
         history(first: 50) {{ pageInfo {{ hasNextPage }} nodes {{ {MESSAGE} }} }} }} }} }}"
    );
    Ok(Question {
        graphql: graphql(token, &document, &json!({"id": user.to_string()}))?,
        limit: get(&format!("/history/{}", user.0))?,
    })
}

/// The subscription to a conversation's metrics.
pub(crate) fn subscription(version: Loaded) -> Value {
    let document =
        format!("subscription Watch($id: ID!) {{ metricsChanged(conversationId: $id, everyMs: 50) {{ {FIGURES} }} }}");
    json!({"query": document, "variables": {"id": version.conversation().to_string()}})
}

/// A webhook with its signature.
pub(crate) fn webhook(path: &'static str, body: String, signature: &str) -> Result<Request> {
    let request = hyper::Request::post(path).header(HOST, "bench").header(CONTENT_TYPE, "application/json");
    Ok(request.header(bluetick::whatsapp::signature::HEADER, signature).body(Full::from(body))?)
}

/// A query or mutation.
pub(crate) fn graphql(token: &str, document: &str, variables: &Value) -> Result<Request> {
    let body = json!({"query": document, "variables": variables}).to_string();
    let request = hyper::Request::post("/graphql").header(HOST, "bench").header(CONTENT_TYPE, "application/json");
    let request = request.header(ACCEPT, "application/json").header(AUTHORIZATION, format!("Bearer {token}"));
    Ok(request.body(Full::from(body))?)
}

fn get(path: &str) -> Result<Request> {
    Ok(hyper::Request::get(path).header(HOST, "bench").body(Full::default())?)
}
