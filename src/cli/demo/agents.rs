//! The demo's agents, who work with the API as any inbox would: they take whoever waits, write, and close.

use std::time::Duration;

use futures_util::future::try_join_all;
use serde_json::{Value, json};

use super::client::Client;
use crate::cli::failure::Failure;

/// How often the agents look into their inbox.
const INTERVAL: Duration = Duration::from_secs(1);
/// How many sessions they take, and how many they go on with, each time.
const AT_ONCE: usize = 6;

const AGENTS: [&str; 3] = ["Carla", "Tomás", "Inés"];

/// What an agent says last.
const LAST_WORDS: &str = "I have taken care of that. Is there anything else?";

const INBOX: &str = "query Inbox { \
     waiting: sessions(first: 6, filter: { status: [AGENT], unassigned: true }) { nodes { id } } \
     served: sessions(first: 100, filter: { status: [AGENT], unassigned: false }) { nodes { id \
     deployment { messages(last: 4) { nodes { sender text } } } } } }";
// A session may be over by the time that something is done in it, so what is refused is let be.
const TAKE: &str = "mutation Take($id: ID!, $agent: String!, $text: String!) { \
     taken: assignSession(id: $id, agent: $agent) { userErrors { code } } \
     said: sendAgentMessage(input: { sessionId: $id, text: $text }) { userErrors { code } } }";
const WRITE: &str = "mutation Write($id: ID!, $text: String!) { \
     said: sendAgentMessage(input: { sessionId: $id, text: $text }) { userErrors { code } } }";
/// Where the flow asks for a rating it is asked for. Where it does not, the first is refused, and the second closes.
const CLOSE_RATED: &str =
    "mutation Close($id: ID!) { closed: closeSession(id: $id, rating: true) { userErrors { code } } }";
const CLOSE: &str = "mutation Close($id: ID!) { closed: closeSession(id: $id) { userErrors { code } } }";

/// Works until something fails.
pub(super) async fn work(client: &Client) -> Result<(), Failure> {
    let mut ticks = tokio::time::interval(INTERVAL);
    let mut names = AGENTS.iter().cycle();
    loop {
        ticks.tick().await;
        let inbox = client.query(INBOX, json!({})).await?;
        let waiting = sessions(&inbox, "waiting").iter().zip(names.by_ref());
        try_join_all(waiting.map(|(session, agent)| take(client, session, agent))).await?;
        let unanswered = sessions(&inbox, "served").iter().filter(|session| !is_answered(session));
        try_join_all(unanswered.take(AT_ONCE).map(|session| go_on(client, session))).await?;
    }
}

async fn take(client: &Client, session: &Value, agent: &str) -> Result<(), Failure> {
    let text = format!("Hello, I am {agent}. How can I help?");
    client.query(TAKE, json!({ "id": session.get("id"), "agent": agent, "text": text })).await?;
    Ok(())
}

/// Answers a user, or closes the session of one who was answered before.
async fn go_on(client: &Client, session: &Value) -> Result<(), Failure> {
    let id = session.get("id");
    if !messages(session).iter().any(|message| message.get("text").is_some_and(|text| text == LAST_WORDS)) {
        client.query(WRITE, json!({ "id": id, "text": LAST_WORDS })).await?;
        return Ok(());
    }
    let closed = client.query(CLOSE_RATED, json!({ "id": id })).await?;
    if closed.pointer("/closed/userErrors/0").is_some() {
        client.query(CLOSE, json!({ "id": id })).await?;
    }
    Ok(())
}

/// Whether an agent has the last word.
fn is_answered(session: &Value) -> bool {
    messages(session).last().and_then(|message| message.get("sender")).is_some_and(|sender| sender == "AGENT")
}

fn sessions<'a>(inbox: &'a Value, name: &str) -> &'a [Value] {
    list(inbox, &format!("/{name}/nodes"))
}

fn messages(session: &Value) -> &[Value] {
    list(session, "/deployment/messages/nodes")
}

fn list<'a>(value: &'a Value, path: &str) -> &'a [Value] {
    value.pointer(path).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}
