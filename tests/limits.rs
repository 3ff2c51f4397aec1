//! What a request may ask for: limits, budgets, documents that are named, and what is switched off.

use sea_orm::{ConnectionTrait, TransactionTrait};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::support::client::{Answer, Client};
use crate::support::database::Database;
use crate::support::server::Server;
use crate::support::socket::Socket;
use crate::support::trial::tests;
use crate::support::wait::until;
use crate::support::workspace::{Workspace, recipients};

tests! {
    on_both_databases: [
        a_response_tells_what_it_cost,
        what_asks_for_too_much_is_refused_on_every_transport,
        a_response_that_is_too_large_is_not_sent,
        a_token_that_spent_its_budget_waits,
        a_document_is_named_by_its_hash_once_it_was_sent,
        trusted_documents_run_and_no_others,
        the_schema_and_the_explorer_can_be_switched_off,
        no_more_operations_than_may_are_carried_out_at_once,
    ],
    on_postgres: [
        an_operation_that_takes_too_long_leaves_no_statement_behind,
    ],
}

const DEEP: &str = "{ conversations(first: 100) { nodes { users(first: 100) { nodes { history(first: 100) { nodes {
    deployment { messages(first: 100) { nodes { id } } } } } } } } } }";

async fn limited(database: Database, settings: &[(&str, &str)]) -> Workspace {
    Workspace::on(Server::start(database, settings).await).await
}

fn code(body: &Value) -> &str {
    body["errors"][0]["extensions"]["code"].as_str().unwrap_or_else(|| panic!("no code in {body}"))
}

async fn a_response_tells_what_it_cost(workspace: Workspace) {
    let conversation = workspace.conversation("Welcome").await;
    workspace.send(&conversation, recipients(0, 3)).await;
    let document = "query($id: ID!) { conversation(id: $id) { users(first: 10) { nodes { id version { number } } } } }";
    let answer = workspace.api.post(document, json!({ "id": conversation })).await;
    // The conversation, the page, and ten users with their versions; of which there are three.
    let cost = json!({ "requested": 1 + 1 + 10 * 2, "actual": 1 + 1 + 3 * 2 });
    assert_eq!(answer.body["extensions"]["cost"], cost);
}

async fn what_asks_for_too_much_is_refused_on_every_transport(workspace: Workspace) {
    let answer = workspace.api.post(DEEP, json!({})).await;
    assert_eq!((code(&answer.body), answer.body.get("data")), ("COST_TOO_HIGH", None));
    let (message, extensions) = (&answer.body["errors"][0]["message"], &answer.body["errors"][0]["extensions"]);
    assert_eq!(extensions["maximum"], 150_000);
    assert!(message.as_str().unwrap().contains("the maximum is 150000"), "{message}");
    let mut events = workspace.api.events(DEEP, json!({}), None).await;
    assert_eq!(code(&events.result().await.unwrap()), "COST_TOO_HIGH");
    let mut socket = Socket::open(&workspace.api).await;
    socket.greet(&workspace.api).await;
    assert_eq!(socket.hear().await.unwrap()["type"], "connection_ack");
    socket.say(&json!({ "id": "1", "type": "subscribe", "payload": { "query": DEEP } })).await;
    let refusal = socket.hear().await.unwrap();
    assert_eq!(
        (&refusal["type"], &refusal["payload"][0]["extensions"]["code"]),
        (&json!("error"), &json!("COST_TOO_HIGH"))
    );
}

async fn a_response_that_is_too_large_is_not_sent(database: Database) {
    let workspace = limited(database, &[("graphql.response_bytes", "3000")]).await;
    let conversation = workspace.conversation("Welcome").await;
    let people = workspace.send_to(&conversation, 0, 5).await;
    let variables = json!({ "id": conversation });
    let document = "query($id: ID!) { conversation(id: $id) { users { nodes { id phone deployments(first: 3) { nodes { id messages(first: 3) { nodes { id providerMessageId } } } } } } } }";
    assert_eq!(workspace.api.post(document, variables.clone()).await.body.get("errors"), None);
    workspace.send(&conversation, recipients(10, 40)).await;
    let refused = workspace.api.post(document, variables).await.body;
    assert_eq!(code(&refused), "RESPONSE_TOO_LARGE");
    // It was carried out: there is data, and it is null.
    assert_eq!((&refused["data"], &refused["errors"][0]["path"]), (&Value::Null, &json!(["conversation"])));
    assert!(refused.as_object().unwrap().contains_key("data"));
    // A frame of a subscription is one too, and the subscription ends with it.
    let long = format!("n{}: user {{ id }}", "a".repeat(1_000));
    let fields = (0..4).map(|number| long.replacen('n', &format!("n{number}"), 1)).collect::<Vec<_>>().join(" ");
    let document =
        format!("subscription($id: ID!) {{ userChanged(conversationId: $id, afterRevision: 0) {{ {fields} }} }}");
    let mut frames = workspace.api.subscribe(&document, json!({ "id": conversation })).await;
    assert_eq!(frames.refusal().await["extensions"]["code"], "RESPONSE_TOO_LARGE");
    assert_eq!(people.len(), 5);
}

async fn a_token_that_spent_its_budget_waits(database: Database) {
    let workspace = limited(database, &[("graphql.cost_per_minute", "120")]).await;
    let document = "{ conversations(first: 99) { nodes { id } } }";
    let paid = workspace.server.client("acme", "read").await;
    let other = workspace.server.client("acme", "read").await;
    let answer = paid.post(document, json!({})).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.headers["ratelimit-policy"], "\"cost\";q=120;w=60");
    assert!(answer.headers["ratelimit"].to_str().unwrap().starts_with("\"cost\";r=20;"));
    let refused = paid.post(document, json!({})).await;
    assert_eq!((refused.status.as_u16(), code(&refused.body)), (429, "RATE_LIMITED"));
    assert!(refused.headers["retry-after"].to_str().unwrap().parse::<u64>().unwrap() <= 60);
    assert_eq!(other.post(document, json!({})).await.status, 200);
}

fn named(query: Option<&str>, hash: &str) -> String {
    let extensions = json!({ "persistedQuery": { "version": 1, "sha256Hash": hash } });
    json!({ "query": query, "extensions": extensions }).to_string()
}

async fn a_document_is_named_by_its_hash_once_it_was_sent(workspace: Workspace) {
    let document = "{ viewer { scopes } }";
    let hash = hex::encode(Sha256::digest(document));
    let unknown = workspace.api.post_body(named(None, &hash)).await;
    assert_eq!(code(&unknown.body), "PERSISTED_QUERY_NOT_FOUND");
    assert_eq!(unknown.body["errors"][0]["message"], "PersistedQueryNotFound");
    let sent = workspace.api.post_body(named(Some(document), &hash)).await;
    let again = workspace.api.post_body(named(None, &hash)).await;
    assert!(sent.body["data"]["viewer"].is_object());
    assert_eq!(sent.body["data"], again.body["data"]);
    let extensions = json!({ "persistedQuery": { "version": 1, "sha256Hash": hash } }).to_string();
    let answer = got(&workspace.api, &[("extensions", &extensions)]).await;
    assert_eq!(answer["data"], sent.body["data"]);
}

async fn got(client: &Client, parameters: &[(&str, &str)]) -> Value {
    let mut url = reqwest::Url::parse(&format!("{}/graphql", client.server)).unwrap();
    url.query_pairs_mut().extend_pairs(parameters);
    let request = reqwest::Client::new().get(url).bearer_auth(client.token.as_deref().unwrap());
    request.send().await.unwrap().json().await.unwrap()
}

async fn trusted_documents_run_and_no_others(database: Database) {
    let file = tempfile::NamedTempFile::new().unwrap();
    let ours = "{ viewer { scopes } }";
    std::fs::write(file.path(), json!({ "viewer-1": ours }).to_string()).unwrap();
    let settings = [("graphql.trusted_documents", file.path().to_str().unwrap()), ("graphql.trusted_only", "true")];
    let server = Server::start(database, &settings).await;
    let api = server.client("acme", "read").await;
    assert!(api.post_body(named(None, "viewer-1")).await.body["data"]["viewer"].is_object());
    assert!(api.post(ours, json!({})).await.body["data"]["viewer"].is_object());
    for other in
        ["{ viewer { workspace { name } } }", "{ __typename }", "subscription { sendProgress(sendId: 1) { count } }"]
    {
        assert_eq!(code(&api.post(other, json!({})).await.body), "DOCUMENT_NOT_TRUSTED", "{other}");
    }
}

async fn the_schema_and_the_explorer_can_be_switched_off(database: Database) {
    let workspace = limited(database, &[("graphql.introspection", "false"), ("graphql.explorer", "false")]).await;
    let refused = workspace.api.post("{ viewer { scopes } __schema { queryType { name } } }", json!({})).await;
    assert_eq!(code(&refused.body), "INTROSPECTION_DISABLED");
    assert_eq!(workspace.api.get("/graphiql").await.0, 404);
    // Nor does an error tell what there is.
    let refused = workspace.api.post("{ viewer { scope } }", json!({})).await;
    let message = refused.body["errors"][0]["message"].as_str().unwrap();
    assert!(!message.contains("scopes"), "{message}");
}

async fn an_operation_that_takes_too_long_leaves_no_statement_behind(database: Database) {
    let workspace = limited(database.clone(), &[("http.request_timeout_seconds", "1")]).await;
    let conversation = workspace.conversation("Welcome").await;
    workspace.send(&conversation, recipients(0, 1)).await;
    let document = "query($id: ID!) { conversation(id: $id) { users { nodes { variables { name } } } } }";
    let variables = json!({ "id": conversation });
    // Nothing in the background reads this table.
    let holder = database.connect().await;
    let held = holder.begin().await.unwrap();
    held.execute_unprepared("LOCK TABLE variables IN ACCESS EXCLUSIVE MODE").await.unwrap();
    let refused = workspace.api.post(document, variables.clone()).await;
    assert_eq!((refused.status.as_u16(), code(&refused.body)), (503, "TIMEOUT"));
    // The lock is still held; what waits for it is canceled.
    let waiting =
        "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()";
    assert!(database.count(waiting).await > 0);
    let gone = async || (database.count(waiting).await == 0).then_some(());
    until("no statement waits", gone).await;
    held.rollback().await.unwrap();
    assert_eq!(workspace.api.post(document, variables).await.status, 200);
}

async fn no_more_operations_than_may_are_carried_out_at_once(database: Database) {
    let workspace = limited(database, &[("http.concurrent_operations", "1")]).await;
    let document = "{ conversations { nodes { users { nodes { id } } } } }";
    let answers = futures_util::future::join_all((0..50).map(|_| workspace.api.post(document, json!({})))).await;
    let (done, refused): (Vec<Answer>, Vec<Answer>) = answers.into_iter().partition(|answer| answer.status == 200);
    assert!(!done.is_empty() && !refused.is_empty());
    for answer in refused {
        assert_eq!((answer.status.as_u16(), code(&answer.body)), (503, "UNAVAILABLE"));
        assert_eq!(answer.headers["retry-after"], "1");
    }
    assert_eq!(workspace.api.post(document, json!({})).await.status, 200);
}
