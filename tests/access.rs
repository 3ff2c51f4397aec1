//! Who may do what: tokens, scopes, and the wall between workspaces.

use std::time::Duration;

use bluetick::domain::clock::Clock;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::support::client::{Client, http};
use crate::support::database::Database;
use crate::support::events::Events;
use crate::support::login;
use crate::support::server::Server;
use crate::support::socket::Socket;
use crate::support::trial::tests;
use crate::support::workspace::{
    ARCHIVE_CONVERSATION, ASSIGN_SESSION, CANCEL_SEND, CLOSE_SESSION, CREATE_CONVERSATION, CREATE_LINE, PAUSE_SEND,
    PUBLISH_VERSION, Person, RECORD_FACTS, RESUME_LINE, RESUME_SEND, RETRY_SEND, SEND_AGENT_MESSAGE, SEND_CONVERSATION,
    UPDATE_LINE, Workspace, flow, id_of, recipients,
};

tests! {
    on_both_databases: [
        a_request_without_a_token_in_force_is_refused,
        a_socket_without_a_token_in_force_is_closed,
        a_revoked_token_opens_nothing,
        a_token_of_another_login_opens_its_workspace_until_it_expires,
        a_stream_token_opens_streams_and_nothing_else,
        a_stream_token_opens_nothing_after_a_minute,
        what_a_stream_token_opened_ends_with_the_token_it_was_made_for,
        a_token_has_so_many_stream_tokens_and_no_more,
        the_viewer_is_the_tokens_workspace_and_scopes,
        a_token_that_only_reads_changes_nothing,
        a_token_that_writes_creates_and_changes_no_lines,
        another_workspaces_things_are_not_found,
        another_workspaces_things_cannot_be_changed,
        another_workspaces_things_cannot_be_followed,
        an_id_of_another_type_is_not_found,
    ],
}

const VIEWER: &str = "{ viewer { workspace { name } scopes } }";

async fn a_request_without_a_token_in_force_is_refused(server: Server) {
    let client = server.client("acme", "read").await;
    for token in [None, Some(""), Some("unknown"), Some("unknown token with spaces")] {
        let answer = client.with_token(token).post(VIEWER, json!({})).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{token:?}");
        assert_eq!(answer.refusal().code, "UNAUTHENTICATED");
        assert_eq!(answer.body.get("data"), None);
    }
}

async fn a_socket_without_a_token_in_force_is_closed(server: Server) {
    let client = server.client("acme", "read").await;
    for token in [None, Some("unknown")] {
        let client = client.with_token(token);
        let mut socket = Socket::open(&client).await;
        socket.greet(&client).await;
        assert_eq!(socket.hear().await, Err(Some(4403)), "{token:?}");
    }
}

async fn a_revoked_token_opens_nothing(server: Server) {
    let client = server.client("acme", "read").await;
    client.ask(VIEWER, json!({})).await;
    let db = server.database.connect().await;
    sea_orm::ConnectionTrait::execute_unprepared(&db, "UPDATE tokens SET revoked_at = 1").await.unwrap();
    db.close().await.unwrap();
    crate::support::wait::until("the token opens nothing", async || {
        (client.post(VIEWER, json!({})).await.status == StatusCode::UNAUTHORIZED).then_some(())
    })
    .await;
}

async fn a_token_of_another_login_opens_its_workspace_until_it_expires(database: Database) {
    let settings = [login::SETTINGS.as_slice(), &[("websocket.recheck_seconds", "1")]].concat();
    let workspace = Workspace::on(Server::start(database, &settings).await).await;
    let ana = login::ana(&workspace.api, "acme", "read", 600);
    let viewer = json!({ "workspace": { "name": "acme" }, "scopes": ["READ"] });
    assert_eq!(ana.ask_one(VIEWER, json!({})).await, viewer);
    assert_eq!(
        ana.refusal(CREATE_LINE, json!({ "input": { "phone": "+1", "phoneNumberId": "1", "name": "x" } })).await.code,
        "FORBIDDEN"
    );
    let nowhere = login::ana(&workspace.api, "nowhere", "read", 600);
    assert_eq!(nowhere.post(VIEWER, json!({})).await.status, StatusCode::UNAUTHORIZED);
    let conversation = workspace.conversation("Welcome").await;
    let brief = login::ana(&workspace.api, "acme", "read", 5);
    let document = "subscription($id: ID!) { metricsChanged(conversationId: $id) { revision } }";
    let mut open = brief.subscribe(document, json!({ "id": conversation })).await;
    open.next().await.unwrap();
    assert_eq!(open.closed().await, Some(4403));
    assert_eq!(brief.post(VIEWER, json!({})).await.status, StatusCode::UNAUTHORIZED);
}

const METRICS_CHANGED: &str = "subscription($id: ID!) { metricsChanged(conversationId: $id) { revision } }";

/// What `POST /stream-tokens` answers.
async fn ask_for_stream_token(client: &Client) -> (StatusCode, Value) {
    let request = http().post(format!("{}/stream-tokens", client.server));
    let request = client.token.iter().fold(request, reqwest::RequestBuilder::bearer_auth);
    let answer = request.send().await.unwrap();
    (answer.status(), answer.json().await.unwrap())
}

/// A client with a stream token of another's.
async fn streaming(client: &Client) -> Client {
    let (status, made) = ask_for_stream_token(client).await;
    assert_eq!(status, StatusCode::CREATED, "{made}");
    client.with_token(made["token"].as_str())
}

/// Opens a stream as a browser's `EventSource` does, with a token in the address.
async fn event_source(client: &Client, conversation: &str) -> reqwest::Response {
    let variables = json!({ "id": conversation }).to_string();
    let mut address = reqwest::Url::parse(&format!("{}/graphql/sse", client.server)).unwrap();
    let token = client.token.as_deref().unwrap();
    address.query_pairs_mut().extend_pairs([("query", METRICS_CHANGED), ("variables", &variables), ("token", token)]);
    http().get(address).header("accept", "text/event-stream").send().await.unwrap()
}

async fn a_stream_token_opens_streams_and_nothing_else(workspace: Workspace) {
    let conversation = workspace.conversation("Welcome").await;
    let stream = streaming(&workspace.api).await;
    let mut events = Events::of(event_source(&stream, &conversation).await);
    assert!(events.next().await.is_some());
    let mut frames = stream.subscribe(METRICS_CHANGED, json!({ "id": conversation })).await;
    assert!(frames.next().await.is_some());
    // A mutation over such a stream lacks the scope, and other doors stay closed.
    let document = "mutation($id: ID!) { archiveConversation(id: $id) { userErrors { code } } }";
    let mut refused = stream.events(document, json!({ "id": conversation }), None).await;
    assert_eq!(refused.result().await.unwrap()["errors"][0]["extensions"]["code"], "FORBIDDEN");
    assert_eq!(stream.post(VIEWER, json!({})).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(ask_for_stream_token(&stream).await.0, StatusCode::UNAUTHORIZED);
    // Any other token has no place in an address.
    assert_eq!(event_source(&workspace.api, &conversation).await.status(), StatusCode::UNAUTHORIZED);
    // It shows what the token shows that it was made for, and no more.
    for (scopes, shown) in [("read", json!(["READ"])), ("admin,personal", json!(["READ", "PERSONAL"]))] {
        let stream = streaming(&workspace.server.client("acme", scopes).await).await;
        let mut events = stream.events(VIEWER, json!({}), None).await;
        assert_eq!(events.result().await.unwrap()["data"]["viewer"]["scopes"], shown);
    }
}

async fn a_stream_token_opens_nothing_after_a_minute(workspace: Workspace) {
    let conversation = workspace.conversation("Welcome").await;
    let (_, made) = ask_for_stream_token(&workspace.api).await;
    let stream = workspace.api.with_token(made["token"].as_str());
    let mut events = Events::of(event_source(&stream, &conversation).await);
    assert!(events.next().await.is_some());
    let latest = workspace.server.clock.now().plus(Duration::from_mins(1)).to_string();
    assert!(made["expiresAt"].as_str().unwrap() <= latest.as_str());
    workspace.server.clock.advance(Duration::from_mins(1));
    assert_eq!(event_source(&stream, &conversation).await.status(), StatusCode::UNAUTHORIZED);
    // What it has opened goes on.
    workspace.send(&conversation, json!([{ "phone": "+573000000000" }])).await;
    assert!(events.next().await.is_some());
}

async fn what_a_stream_token_opened_ends_with_the_token_it_was_made_for(database: Database) {
    let settings = [login::SETTINGS.as_slice(), &[("websocket.recheck_seconds", "1")]].concat();
    let workspace = Workspace::on(Server::start(database, &settings).await).await;
    let conversation = workspace.conversation("Welcome").await;
    let follow = async |client: &Client| {
        let mut frames = client.subscribe(METRICS_CHANGED, json!({ "id": conversation })).await;
        frames.next().await.unwrap();
        frames
    };
    let reader = workspace.server.client("acme", "read").await;
    let mut of_reader = follow(&streaming(&reader).await).await;
    let mut of_ana = follow(&streaming(&login::ana(&workspace.api, "acme", "read", 8)).await).await;
    let unopened = streaming(&reader).await;
    let db = workspace.server.database.connect().await;
    let revoke = "UPDATE tokens SET revoked_at = 1 WHERE scopes = 1";
    sea_orm::ConnectionTrait::execute_unprepared(&db, revoke).await.unwrap();
    db.close().await.unwrap();
    assert_eq!(of_reader.closed().await, Some(4403));
    assert_eq!(event_source(&unopened, &conversation).await.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(of_ana.closed().await, Some(4403));
}

async fn a_token_has_so_many_stream_tokens_and_no_more(workspace: Workspace) {
    for _ in 0..100 {
        assert_eq!(ask_for_stream_token(&workspace.api).await.0, StatusCode::CREATED);
    }
    let (status, refused) = ask_for_stream_token(&workspace.api).await;
    assert_eq!(status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(refused["errors"][0]["extensions"]["code"], "TOO_MANY_REQUESTS");
    let other = workspace.server.client("acme", "read").await;
    assert_eq!(ask_for_stream_token(&other).await.0, StatusCode::CREATED);
    workspace.server.clock.advance(Duration::from_mins(1));
    assert_eq!(ask_for_stream_token(&workspace.api).await.0, StatusCode::CREATED);
}

async fn the_viewer_is_the_tokens_workspace_and_scopes(server: Server) {
    for (scopes, listed) in [
        ("read", json!(["READ"])),
        ("write", json!(["READ", "WRITE"])),
        ("read,admin", json!(["READ", "WRITE", "ADMIN"])),
        ("personal", json!(["READ", "PERSONAL"])),
    ] {
        let viewer = server.client("Acmé & Co", scopes).await.ask_one(VIEWER, json!({})).await;
        assert_eq!(viewer, json!({ "workspace": { "name": "Acmé & Co" }, "scopes": listed }));
    }
}

async fn a_token_that_only_reads_changes_nothing(workspace: Workspace) {
    let conversation = workspace.conversation("Welcome").await;
    let reader = workspace.server.client("acme", "read").await;
    let send = workspace.send(&conversation, json!([{ "phone": "+12" }])).await;
    let session = workspace.people(&conversation).await[0].deployment.replace("dep_", "sess_");
    for (mutation, variables) in changes(&conversation, &workspace.line.id, &send, &session) {
        assert_eq!(reader.refusal(mutation, variables).await.code, "FORBIDDEN", "{mutation}");
    }
    assert_eq!(workspace.users(&conversation, "id").await.len(), 1);
    let found = reader.ask("{ conversations { nodes { archivedAt } totalCount } lines { id } }", json!({})).await;
    assert_eq!(found["conversations"], json!({ "nodes": [{ "archivedAt": null }], "totalCount": 1 }));
    assert_eq!(found["lines"].as_array().unwrap().len(), 1);
}

async fn a_token_that_writes_creates_and_changes_no_lines(workspace: Workspace) {
    let writer = workspace.server.client("acme", "write").await;
    let input = json!({ "phone": "+12025550124", "phoneNumberId": "2000", "name": "Another" });
    assert_eq!(writer.refusal(CREATE_LINE, json!({ "input": input })).await.code, "FORBIDDEN");
    let input = json!({ "id": workspace.line.id, "name": "Renamed" });
    assert_eq!(writer.refusal(UPDATE_LINE, json!({ "input": input })).await.code, "FORBIDDEN");
    let input = json!({ "name": "Written", "direction": "OUTBOUND", "flow": flow() });
    writer.change(CREATE_CONVERSATION, json!({ "input": input })).await;
    assert_eq!(writer.ask_one("{ lines { id } }", json!({})).await.as_array().unwrap().len(), 1);
}

async fn another_workspaces_things_are_not_found(workspace: Workspace) {
    let things = Things::make(&workspace).await;
    let stranger = workspace.server.client("stranger", "admin").await;
    let ids = things.all();
    let found = stranger.ask_one("query($ids: [ID!]!) { nodes(ids: $ids) { id } }", json!({ "ids": ids })).await;
    assert_eq!(found, Value::Array(vec![Value::Null; ids.len()]));
    let own = workspace.api.ask_one("query($ids: [ID!]!) { nodes(ids: $ids) { id } }", json!({ "ids": ids })).await;
    assert_eq!(own, ids.iter().map(|id| json!({ "id": id })).collect::<Value>());
    let document =
        "query($conversation: ID!, $send: ID!) { conversation(id: $conversation) { id } send(id: $send) { id }
        node(id: $send) { id } conversations { totalCount nodes { id } } lines { id } }";
    let found = stranger.ask(document, json!({ "conversation": things.conversation, "send": things.send })).await;
    let nothing = json!({ "conversation": null, "send": null, "node": null,
        "conversations": { "totalCount": 0, "nodes": [] }, "lines": [] });
    assert_eq!(found, nothing);
}

async fn another_workspaces_things_cannot_be_changed(workspace: Workspace) {
    let things = Things::make(&workspace).await;
    let before = workspace.metrics(&things.conversation).await;
    let stranger = workspace.server.client("stranger", "admin").await;
    let creates_line = 1;
    for (mutation, variables) in
        changes(&things.conversation, &things.line, &things.send, &things.session).into_iter().skip(creates_line)
    {
        let payload = stranger.ask_one(mutation, variables).await;
        assert_eq!(payload["userErrors"][0]["code"], "NOT_FOUND", "{mutation}: {payload}");
    }
    let fact = json!({ "deploymentId": things.person.deployment, "status": "READ", "at": "2026-01-01T00:00:00Z" });
    let payload = stranger.ask_one(RECORD_FACTS, json!({ "facts": [{ "status": fact }] })).await;
    assert_eq!(payload["userErrors"][0]["code"], "NOT_FOUND");
    assert_eq!(payload["userErrors"][0]["field"], json!(["facts", "0", "status", "deploymentId"]));
    // A filter may name whatever it likes: nobody of theirs matches.
    let theirs = Workspace::conversation_of(&stranger, "9000").await;
    let document =
        "query($id: ID!, $send: ID!) { conversation(id: $id) { users(filter: { sendId: $send }) { totalCount } } }";
    let found = stranger.ask_one(document, json!({ "id": theirs, "send": things.send })).await;
    assert_eq!(found["users"]["totalCount"], 0);
    assert_eq!(workspace.metrics(&things.conversation).await, before);
}

async fn another_workspaces_things_cannot_be_followed(workspace: Workspace) {
    let things = Things::make(&workspace).await;
    let stranger = workspace.server.client("stranger", "admin").await;
    for (subscription, id) in [
        ("subscription($id: ID!) { metricsChanged(conversationId: $id) { totalUsers } }", &things.conversation),
        (
            "subscription($id: ID!) { userChanged(conversationId: $id, afterRevision: 0) { revision } }",
            &things.conversation,
        ),
        ("subscription($id: ID!) { sendProgress(sendId: $id) { state } }", &things.send),
        ("subscription($id: ID!) { sessionChanged(conversationIds: [$id]) { id } }", &things.conversation),
        ("subscription($id: ID!) { messageAdded(userId: $id) { id } }", &things.person.user),
    ] {
        let refusal = stranger.subscribe(subscription, json!({ "id": id })).await.refusal().await;
        assert_eq!(refusal["extensions"]["code"], "NOT_FOUND", "{subscription}");
    }
}

async fn an_id_of_another_type_is_not_found(workspace: Workspace) {
    let things = Things::make(&workspace).await;
    for id in things.all() {
        let document = "query($id: ID!) { conversation(id: $id) { id } send(id: $id) { id } }";
        let found = workspace.api.ask(document, json!({ "id": id })).await;
        assert_eq!(found["conversation"].is_null(), id != things.conversation, "{id}");
        assert_eq!(found["send"].is_null(), id != things.send, "{id}");
        let payload = workspace.api.ask_one(ARCHIVE_CONVERSATION, json!({ "id": id })).await;
        assert_eq!(payload["userErrors"] == json!([]), id == things.conversation, "{id}");
    }
}

/// One thing of each type that has an id.
pub(crate) struct Things {
    workspace: String,
    line: String,
    pub(crate) conversation: String,
    version: String,
    send: String,
    session: String,
    person: Person,
}

impl Things {
    pub(crate) async fn make(workspace: &Workspace) -> Self {
        let conversation = workspace.conversation("Welcome").await;
        let send = workspace.send(&conversation, recipients(0, 1)).await;
        let document =
            "query($id: ID!) { conversation(id: $id) { currentVersion { id } } viewer { workspace { id } } }";
        let found = workspace.api.ask(document, json!({ "id": conversation })).await;
        let person = workspace.people(&conversation).await.remove(0);
        let now = workspace.server.clock.now().to_string();
        let session = json!({ "deploymentId": person.deployment, "sessionStatus": "AGENT", "at": now });
        workspace.record(json!([{ "session": session }])).await;
        Self {
            workspace: id_of(&found["viewer"]["workspace"]),
            line: workspace.line.id.clone(),
            version: id_of(&found["conversation"]["currentVersion"]),
            session: person.deployment.replace("dep_", "sess_"),
            person,
            conversation,
            send,
        }
    }

    /// The ids of all.
    pub(crate) fn all(&self) -> Vec<&str> {
        let Self { workspace, line, conversation, version, send, session, person } = self;
        vec![workspace, line, conversation, version, send, session, &person.user, &person.deployment, &person.message]
    }
}

impl Workspace {
    /// A conversation of another workspace's, on a line of its own.
    async fn conversation_of(client: &Client, phone_number_id: &str) -> String {
        let line = crate::support::workspace::create_line(client, phone_number_id, false).await;
        let input = json!({ "name": "Theirs", "direction": "OUTBOUND", "lineId": line.id, "flow": flow() });
        let payload = client.change(CREATE_CONVERSATION, json!({ "input": input })).await;
        id_of(&payload["conversation"])
    }
}

/// Every mutation, about a conversation, a line, a send and a session.
fn changes(conversation: &str, line: &str, send_id: &str, session: &str) -> Vec<(&'static str, Value)> {
    let new_line = json!({ "phone": "+12025550124", "phoneNumberId": "2000", "name": "Another" });
    let new = json!({ "name": "Another", "direction": "OUTBOUND", "lineId": line, "flow": flow() });
    let version = json!({ "conversationId": conversation, "flow": flow() });
    let send = json!({ "conversationId": conversation, "users": recipients(5, 1) });
    let fact = json!({ "lineId": line, "phone": "+573001112233", "sender": "USER", "kind": "TEXT", "text": "Hi",
        "at": "2026-01-01T00:00:00Z", "providerMessageId": "wamid.1" });
    vec![
        (CREATE_LINE, json!({ "input": new_line })),
        (CREATE_CONVERSATION, json!({ "input": new })),
        (PUBLISH_VERSION, json!({ "input": version })),
        (SEND_CONVERSATION, json!({ "input": send })),
        (ARCHIVE_CONVERSATION, json!({ "id": conversation })),
        (PAUSE_SEND, json!({ "id": send_id })),
        (RESUME_SEND, json!({ "id": send_id })),
        (CANCEL_SEND, json!({ "id": send_id })),
        (RETRY_SEND, json!({ "id": send_id })),
        (UPDATE_LINE, json!({ "input": { "id": line, "name": "Renamed" } })),
        (RESUME_LINE, json!({ "id": line })),
        (ASSIGN_SESSION, json!({ "id": session, "agent": "Eve" })),
        (SEND_AGENT_MESSAGE, json!({ "input": { "sessionId": session, "text": "Hi" } })),
        (CLOSE_SESSION, json!({ "id": session })),
        (RECORD_FACTS, json!({ "facts": [{ "message": fact }] })),
    ]
}
