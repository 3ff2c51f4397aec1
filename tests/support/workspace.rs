//! A workspace with a line, and the operations that many tests need.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use bluetick::whatsapp::simulator::{Simulator, SimulatorSettings};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::client::Client;
use super::clock::TestClock;
use super::database::Database;
use super::server::Server;
use super::trial::Fixture;
use super::wait::until;

/// A workspace on its own server, with a token that has all scopes.
pub(crate) struct Workspace {
    pub(crate) server: Server,
    pub(crate) api: Client,
    pub(crate) line: Line,
    lines: AtomicU32,
}

/// A line.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    pub(crate) id: String,
    /// The provider's id of it.
    pub(crate) phone_number_id: String,
}

/// One person in a conversation's current version.
#[derive(Debug, Clone)]
pub(crate) struct Person {
    pub(crate) phone: String,
    /// The user's id.
    pub(crate) user: String,
    /// The id of the latest deployment.
    pub(crate) deployment: String,
    /// The id of the latest deployment's first message.
    pub(crate) message: String,
    /// The provider's id of that message, or an invented one if it has none yet.
    pub(crate) wamid: String,
}

/// A flow whose template has no parameters.
pub(crate) fn flow() -> Value {
    flow_with(&json!([]))
}

/// A flow whose template has these parameters.
pub(crate) fn flow_with(parameters: &Value) -> Value {
    let template = json!({ "name": "welcome", "language": "es", "parameters": parameters });
    json!({ "start": "hello", "steps": { "hello": { "template": template } } })
}

/// A flow that an inbound conversation can have.
pub(crate) fn inbound_flow() -> Value {
    json!({ "start": "listen", "steps": { "listen": {} } })
}

/// A valid phone number, another for each number.
pub(crate) fn phone(number: usize) -> String {
    format!("+57300{number:07}")
}

/// The same number as WhatsApp writes it.
pub(crate) fn wa_id(phone: &str) -> String {
    phone.trim_start_matches('+').to_owned()
}

/// As many users to send to, from the first number on.
pub(crate) fn recipients(first: usize, count: usize) -> Value {
    (first..first + count).map(|number| json!({ "phone": phone(number) })).collect()
}

impl Fixture for Workspace {
    async fn make(database: Database) -> Self {
        Self::on(Server::make(database).await).await
    }
}

impl Workspace {
    /// A workspace on a server.
    pub(crate) async fn on(server: Server) -> Self {
        let api = server.client("acme", "admin,personal").await;
        let lines = AtomicU32::new(0);
        let line = create_line(&api, "1000", false).await;
        Self { server, api, line, lines }
    }

    /// A workspace whose line reaches a provider that takes every message, and posts what the settings say.
    pub(crate) async fn with_provider(database: Database, settings: SimulatorSettings) -> (Self, Simulator) {
        Self::with_provider_and(database, settings, &[("whatsapp.access_token", "token")]).await
    }

    /// The same with settings of the server's own, among them whatever authorises its calls.
    pub(crate) async fn with_provider_and(
        database: Database,
        mut settings: SimulatorSettings,
        own: &[(&str, &str)],
    ) -> (Self, Simulator) {
        let (ours, theirs) = (listen().await, listen().await);
        let base_url = format!("http://{}/v25.0", theirs.local_addr().unwrap());
        if let Some(url) = &mut settings.webhook_url {
            *url = format!("http://{}/webhooks/whatsapp", ours.local_addr().unwrap());
        }
        let clock: Arc<TestClock> = Arc::default();
        let simulator = Simulator::start(theirs, settings, clock.clone()).unwrap();
        let settings = [&[("whatsapp.base_url", base_url.as_str())], own].concat();
        let server = Server::start_on(ours, database, clock, &settings).await;
        (Self::on(server).await, simulator)
    }

    /// Another line.
    pub(crate) async fn another_line(&self, external: bool) -> Line {
        let number = 1_001 + self.lines.fetch_add(1, Ordering::Relaxed);
        create_line(&self.api, &number.to_string(), external).await
    }

    /// Another line, at a rate.
    pub(crate) async fn line_at(&self, messages_per_second: u32) -> Line {
        let phone_number_id = (1_001 + self.lines.fetch_add(1, Ordering::Relaxed)).to_string();
        let input = json!({ "phone": "+12025550123", "phoneNumberId": phone_number_id, "name": "At a rate",
            "messagesPerSecond": messages_per_second });
        let payload = self.api.change(CREATE_LINE, json!({ "input": input })).await;
        Line { id: id_of(&payload["line"]), phone_number_id }
    }

    /// A send's progress by status, for the statuses that occur.
    pub(crate) async fn progress(&self, send: &str) -> BTreeMap<String, i64> {
        let document = "query($id: ID!) { send(id: $id) { progress { status count } } }";
        let found = self.api.ask_one(document, json!({ "id": send })).await;
        let counts = found["progress"].as_array().unwrap().iter();
        let counts = counts.map(|one| (one["status"].as_str().unwrap().to_owned(), one["count"].as_i64().unwrap()));
        counts.filter(|(_, count)| *count > 0).collect()
    }

    /// A send's state.
    pub(crate) async fn state(&self, send: &str) -> String {
        let found = self.api.ask_one("query($id: ID!) { send(id: $id) { state } }", json!({ "id": send })).await;
        found["state"].as_str().unwrap().to_owned()
    }

    /// Waits until a send is in a state.
    pub(crate) async fn reaches(&self, send: &str, state: &str) {
        until(&format!("the send is {state}"), async || (self.state(send).await == state).then_some(())).await;
    }

    /// An outbound conversation on the first line.
    pub(crate) async fn conversation(&self, name: &str) -> String {
        self.conversation_on(&self.line, name, "OUTBOUND", flow()).await
    }

    /// A conversation on a line.
    pub(crate) async fn conversation_on(&self, line: &Line, name: &str, direction: &str, flow: Value) -> String {
        let input = json!({ "name": name, "direction": direction, "lineId": line.id, "flow": flow });
        let payload = self.api.change(CREATE_CONVERSATION, json!({ "input": input })).await;
        id_of(&payload["conversation"])
    }

    /// Publishes another version with the same flow, and returns its number.
    pub(crate) async fn publish(&self, conversation: &str) -> i64 {
        let input = json!({ "conversationId": conversation, "flow": flow() });
        let payload = self.api.change(PUBLISH_VERSION, json!({ "input": input })).await;
        payload["version"]["number"].as_i64().unwrap()
    }

    /// Sends to users, and returns the send's id.
    pub(crate) async fn send(&self, conversation: &str, users: Value) -> String {
        let payload = self.try_send(json!({ "conversationId": conversation, "users": users })).await;
        assert_eq!(payload["userErrors"], json!([]));
        id_of(&payload["send"])
    }

    /// The payload of `sendConversation`.
    pub(crate) async fn try_send(&self, input: Value) -> Value {
        self.api.ask_one(SEND_CONVERSATION, json!({ "input": input })).await
    }

    /// The payload of `recordFacts`.
    pub(crate) async fn try_record(&self, facts: Value) -> Value {
        self.api.ask_one(RECORD_FACTS, json!({ "facts": facts })).await
    }

    /// Records facts that are all merged.
    pub(crate) async fn record(&self, facts: Value) {
        let count = facts.as_array().unwrap().len();
        let payload = self.try_record(facts).await;
        assert_eq!(payload, json!({ "recorded": count, "parked": 0, "userErrors": [] }));
    }

    /// A conversation's metrics, all of them.
    pub(crate) async fn metrics(&self, conversation: &str) -> Value {
        let document = format!("query($id: ID!) {{ conversation(id: $id) {{ metrics {{ {METRICS} }} }} }}");
        self.api.ask_one(&document, json!({ "id": conversation })).await["metrics"].clone()
    }

    /// Everybody in a conversation's current version, the first deployed first, with these fields.
    pub(crate) async fn users(&self, conversation: &str, fields: &str) -> Vec<Value> {
        let document = format!(
            "query($id: ID!, $after: String) {{ conversation(id: $id) {{
               users(first: 200, after: $after, orderBy: {{ field: DEPLOYED_AT, direction: ASC }}) {{
                 nodes {{ {fields} }} pageInfo {{ endCursor hasNextPage }} }} }} }}"
        );
        let (mut users, mut after) = (Vec::new(), Value::Null);
        loop {
            let found = self.api.ask_one(&document, json!({ "id": conversation, "after": after })).await;
            users.extend(found["users"]["nodes"].as_array().unwrap().iter().cloned());
            after = found["users"]["pageInfo"]["endCursor"].clone();
            if found["users"]["pageInfo"]["hasNextPage"] == json!(false) {
                return users;
            }
        }
    }

    /// The only user of a conversation's current version, with these fields.
    pub(crate) async fn user(&self, conversation: &str, fields: &str) -> Value {
        let mut users = self.users(conversation, fields).await;
        assert_eq!(users.len(), 1, "the conversation has one user");
        users.remove(0)
    }

    /// Everybody in a conversation, by phone.
    pub(crate) async fn people(&self, conversation: &str) -> Vec<Person> {
        let users = self.users(conversation, PERSON).await;
        let mut people: Vec<_> = users.iter().map(Person::read).collect();
        people.sort_by(|one, other| one.phone.cmp(&other.phone));
        people
    }

    /// The same, once the provider has accepted every message.
    pub(crate) async fn accepted_people(&self, conversation: &str) -> Vec<Person> {
        let accepted = async || {
            let metrics = self.metrics(conversation).await;
            let waiting = metrics["byStatus"][0]["count"] != json!(0);
            (!waiting).then_some(())
        };
        until("the provider took every message", accepted).await;
        self.people(conversation).await
    }

    /// Sends to `count` users, from the first number on, and returns them.
    pub(crate) async fn send_to(&self, conversation: &str, first: usize, count: usize) -> Vec<Person> {
        self.send(conversation, recipients(first, count)).await;
        self.people(conversation).await
    }
}

impl Person {
    fn read(user: &Value) -> Self {
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let deployment = &user["deployments"]["nodes"][0];
        // An answer within the same second is placed before it, as the provider counts in seconds.
        let messages = deployment["messages"]["nodes"].as_array().unwrap();
        let message = messages.iter().find(|one| one["sender"] != "USER").unwrap_or(&Value::Null);
        let made_up = || format!("wamid.{}", message["id"].as_str().unwrap_or_default());
        Self {
            phone: text(&user["phone"]).unwrap_or_default(),
            user: text(&user["id"]).unwrap(),
            deployment: text(&deployment["id"]).unwrap(),
            message: text(&message["id"]).unwrap_or_default(),
            wamid: text(&message["providerMessageId"]).unwrap_or_else(made_up),
        }
    }
}

/// The id of something that is there.
pub(crate) fn id_of(thing: &Value) -> String {
    thing["id"].as_str().unwrap_or_else(|| panic!("no id in {thing}")).to_owned()
}

/// A line of a workspace.
pub(crate) async fn create_line(api: &Client, phone_number_id: &str, external: bool) -> Line {
    let input = json!({
        "phone": "+12025550123", "phoneNumberId": phone_number_id, "name": format!("Line {phone_number_id}"),
        "external": external, "messagesPerSecond": 1000,
    });
    let payload = api.change(CREATE_LINE, json!({ "input": input })).await;
    Line { id: id_of(&payload["line"]), phone_number_id: phone_number_id.to_owned() }
}

async fn listen() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").await.unwrap()
}

/// Every field of metrics.
pub(crate) const METRICS: &str = "versionNumber totalUsers messagesSent inProcess sendFailure delivered responses
    responseRate read inFlow finished byStatus { status count } byFailure { reason count } asOf revision
    totalDeployments";

const PERSON: &str = "id phone deployments(first: 1) { nodes { id
    messages(first: 3) { nodes { id sender providerMessageId } } } }";

pub(crate) const CREATE_LINE: &str = "mutation($input: CreateLineInput!) { createLine(input: $input) {
    line { id phone phoneNumberId name messagesPerSecond external } userErrors { field code message } } }";
pub(crate) const CREATE_CONVERSATION: &str = "mutation($input: CreateConversationInput!) {
    createConversation(input: $input) { conversation { id } userErrors { field code message } } }";
pub(crate) const PUBLISH_VERSION: &str = "mutation($input: PublishVersionInput!) { publishVersion(input: $input) {
    version { id number } conversation { id } userErrors { field code message } } }";
pub(crate) const SEND_CONVERSATION: &str =
    "mutation($input: SendConversationInput!) { sendConversation(input: $input) {
    send { id totalUsers state } conversation { id } userErrors { field code message } } }";
pub(crate) const PAUSE_SEND: &str = "mutation($id: ID!) { pauseSend(id: $id) {
    send { id state pausedAt } userErrors { field code message } } }";
pub(crate) const RESUME_SEND: &str = "mutation($id: ID!) { resumeSend(id: $id) {
    send { id state pausedAt } userErrors { field code message } } }";
pub(crate) const CANCEL_SEND: &str = "mutation($id: ID!) { cancelSend(id: $id) {
    send { id state canceledAt } userErrors { field code message } } }";
pub(crate) const RETRY_SEND: &str =
    "mutation($id: ID!, $reasons: [FailureReason!], $dryRun: Boolean, $idempotencyKey: String) {
    retrySend(id: $id, reasons: $reasons, dryRun: $dryRun, idempotencyKey: $idempotencyKey) { send { id }
    conversation { id } retries { reason outcome count } userErrors { field code message } } }";
pub(crate) const UPDATE_LINE: &str = "mutation($input: UpdateLineInput!) { updateLine(input: $input) {
    line { id name messagesPerSecond defaultConversation { id } } userErrors { field code message } } }";
pub(crate) const RESUME_LINE: &str = "mutation($id: ID!) { resumeLine(id: $id) {
    line { id state stateReason stateCode stateSince } userErrors { field code message } } }";
pub(crate) const ARCHIVE_CONVERSATION: &str = "mutation($id: ID!) { archiveConversation(id: $id) {
    conversation { id archivedAt } userErrors { field code message } } }";
pub(crate) const ASSIGN_SESSION: &str = "mutation($id: ID!, $agent: String!, $only: Boolean) {
    assignSession(id: $id, agent: $agent, onlyUnassigned: $only) {
    session { id status agent } userErrors { field code message } } }";
pub(crate) const SEND_AGENT_MESSAGE: &str =
    "mutation($input: SendAgentMessageInput!) { sendAgentMessage(input: $input) {
    message { id sender kind text payload } session { id status } userErrors { field code message } } }";
pub(crate) const CLOSE_SESSION: &str = "mutation($id: ID!, $rating: Boolean) { closeSession(id: $id, rating: $rating) {
    session { id status step } userErrors { field code message } } }";
pub(crate) const RECORD_FACTS: &str = "mutation($facts: [FactInput!]!) { recordFacts(facts: $facts) {
    recorded parked userErrors { field code message } } }";
