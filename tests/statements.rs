//! How many SQL statements an answer takes: as many for a long page as for a short one.

use serde_json::{Value, json};

use crate::support::database::Database;
use crate::support::proxy::Proxy;
use crate::support::server::Server;
use crate::support::trial::{Fixture, tests};
use crate::support::webhook::{Webhook, in_reply_to, status, text};
use crate::support::workspace::{METRICS, Workspace, phone, recipients, wa_id};

tests! {
    on_postgres: [
        a_page_of_users_takes_as_many_statements_for_fifty_as_for_five,
        fifty_conversations_take_as_many_statements_as_five,
        metrics_take_one_statement_whoever_asks_for_what,
        many_watchers_of_a_version_cost_the_database_what_one_costs,
        many_watchers_of_changes_cost_the_database_what_one_costs,
        many_watchers_of_a_send_cost_the_database_what_one_costs,
        a_list_of_fifty_conversations_is_watched_from_one_statement,
    ],
}

/// A workspace whose statements are counted.
struct Counted {
    workspace: Workspace,
    proxy: Proxy,
}

impl Fixture for Counted {
    async fn make(database: Database) -> Self {
        let proxy = Proxy::before(database.url()).await;
        let settings = [("database.url", proxy.url.as_str()), ("live.poll_ms", "1000")];
        let workspace = Workspace::on(Server::start(database, &settings).await).await;
        Self { workspace, proxy }
    }
}

impl Counted {
    /// How many statements something takes. What the server does by itself now and then is left out, by taking the least of
    /// several turns.
    async fn statements(&self, mut run: impl AsyncFnMut()) -> u64 {
        let mut least = u64::MAX;
        for _ in 0..5 {
            let before = self.proxy.statements();
            run().await;
            least = least.min(self.proxy.statements() - before);
        }
        least
    }

    /// How many statements a query takes for a page of so many.
    async fn of_page(&self, document: &str, id: &str, size: usize) -> u64 {
        let statements = self.statements(async || {
            let found = self.workspace.api.ask(document, json!({ "id": id, "first": size })).await;
            assert_eq!(nodes(&found), size, "{document}");
        });
        statements.await
    }
}

const USERS: &str = "query($id: ID!, $first: Int) { conversation(id: $id) { name metrics { totalUsers }
    users(first: $first, filter: { deploymentStatus: [READ] }) { totalCount nodes { phone deploymentStatus
      version { number metrics { revision } conversation { name } } variables { name value } variable(name: \"city\")
      deployments(first: 5) { totalCount nodes { status send { state progress { count } }
        messages(first: 5) { nodes { id } } } }
      history(first: 10) { totalCount nodes { text status deployment { id } } } } } } }";

const CONVERSATIONS: &str = "query($first: Int) { conversations(first: $first) { totalCount nodes { name
    line { name } currentVersion { number } metrics { totalUsers byStatus { count } }
    versions(first: 3) { nodes { number metrics { totalUsers } } } sends(first: 3) { nodes { state } }
    users(first: 3) { totalCount nodes { phone } } } } }";

async fn a_page_of_users_takes_as_many_statements_for_fifty_as_for_five(counted: Counted) {
    let workspace = &counted.workspace;
    let conversation = workspace.conversation("Welcome").await;
    let users: Value = (0..60)
        .map(|number| json!({ "phone": phone(number), "variables": [{ "name": "city", "value": "Cali" }] }))
        .collect();
    for _ in 0..2 {
        workspace.send(&conversation, users.clone()).await;
    }
    let at = workspace.server.clock.seconds();
    let told = workspace.people(&conversation).await.iter().fold(Webhook::of("1000"), |webhook, person| {
        let answer = text(&format!("answer.{}", person.wamid), &wa_id(&person.phone), "Yes", at + 1);
        webhook
            .status(status(&person.wamid, Some(&person.message), "read", at))
            .message(in_reply_to(answer, &person.wamid))
    });
    workspace.server.post(&told.payload()).await;
    let few = counted.of_page(USERS, &conversation, 5).await;
    let many = counted.of_page(USERS, &conversation, 50).await;
    assert_eq!(few, many);
    assert!((1..25).contains(&many), "{many} statements");
}

async fn fifty_conversations_take_as_many_statements_as_five(counted: Counted) {
    for number in 0..50 {
        let conversation = counted.workspace.conversation(&format!("Conversation {number}")).await;
        counted.workspace.send(&conversation, recipients(number * 3, 3)).await;
    }
    let few = counted.of_page(CONVERSATIONS, "", 5).await;
    let many = counted.of_page(CONVERSATIONS, "", 50).await;
    assert_eq!(few, many);
    assert!((1..15).contains(&many), "{many} statements");
}

async fn metrics_take_one_statement_whoever_asks_for_what(counted: Counted) {
    let conversation = counted.workspace.conversation("Welcome").await;
    counted.workspace.send(&conversation, recipients(0, 10)).await;
    let ask = async |fields: &str| {
        let document = format!("query($id: ID!) {{ conversation(id: $id) {{ id metrics {{ {fields} }} }} }}");
        let statements = counted.statements(async || {
            counted.workspace.api.ask(&document, json!({ "id": conversation })).await;
        });
        statements.await
    };
    assert_eq!([ask("totalUsers").await, ask(METRICS).await], [1, 1]);
}

async fn many_watchers_of_a_version_cost_the_database_what_one_costs(counted: Counted) {
    let workspace = &counted.workspace;
    let conversation = workspace.conversation("Welcome").await;
    let people = workspace.send_to(&conversation, 0, 20).await;
    let at = workspace.server.clock.seconds();
    let document = "subscription($id: ID!) { metricsChanged(conversationId: $id, everyMs: 50) { read } }";
    let mut watchers = Vec::new();
    let mut read = 0;
    let mut costs = Vec::new();
    for count in [1, 30] {
        while watchers.len() < count {
            let mut watcher = workspace.api.subscribe(document, json!({ "id": conversation })).await;
            assert_eq!(watcher.next().await.unwrap()["read"], read);
            watchers.push(watcher);
        }
        let cost = counted.statements(async || {
            let person = &people[read];
            let webhook = Webhook::of("1000").status(status(&person.wamid, Some(&person.message), "read", at));
            workspace.server.post(&webhook.payload()).await;
            read += 1;
            for watcher in &mut watchers {
                watcher.next_where(|frame| frame["read"] == read).await;
            }
        });
        costs.push(cost.await);
    }
    // One reading each would be 29 more; what the server does by itself may be one.
    assert!(costs[1] <= costs[0] + 2, "{costs:?}");
}

async fn many_watchers_of_changes_cost_the_database_what_one_costs(counted: Counted) {
    let workspace = &counted.workspace;
    let conversation = workspace.conversation("Welcome").await;
    let people = workspace.send_to(&conversation, 0, 20).await;
    let at = workspace.server.clock.seconds();
    let document = "subscription($id: ID!) { userChanged(conversationId: $id, afterRevision: 20) { revision kinds
        user { phone variables { name value } history(first: 2) { nodes { text } } } } }";
    let (mut watchers, mut revision, mut costs) = (Vec::new(), 20, Vec::new());
    for count in [1, 30] {
        while watchers.len() < count {
            let mut watcher = workspace.api.subscribe(document, json!({ "id": conversation })).await;
            if revision > 20 {
                watcher.next_where(|change| change["revision"] == revision).await;
            }
            watchers.push(watcher);
        }
        let cost = counted.statements(async || {
            let person = &people[revision - 20];
            let webhook = Webhook::of("1000").status(status(&person.wamid, Some(&person.message), "read", at));
            workspace.server.post(&webhook.payload()).await;
            revision += 1;
            for watcher in &mut watchers {
                watcher.next_where(|change| change["revision"] == revision).await;
            }
        });
        costs.push(cost.await);
    }
    assert!(costs[1] <= costs[0] + 2, "{costs:?}");
}

async fn many_watchers_of_a_send_cost_the_database_what_one_costs(counted: Counted) {
    let workspace = &counted.workspace;
    let conversation = workspace.conversation("Welcome").await;
    let send = workspace.send(&conversation, recipients(0, 20)).await;
    let people = workspace.people(&conversation).await;
    let at = workspace.server.clock.seconds();
    let document = "subscription($id: ID!) { sendProgress(sendId: $id, everyMs: 50) { state progress { count } } }";
    let (mut watchers, mut read, mut costs) = (Vec::new(), 0, Vec::new());
    for count in [1, 30] {
        while watchers.len() < count {
            let mut watcher = workspace.api.subscribe(document, json!({ "id": send })).await;
            assert_eq!(watcher.next().await.unwrap()["progress"][5]["count"], read);
            watchers.push(watcher);
        }
        let cost = counted.statements(async || {
            let person = &people[read];
            let webhook = Webhook::of("1000").status(status(&person.wamid, Some(&person.message), "read", at));
            workspace.server.post(&webhook.payload()).await;
            read += 1;
            for watcher in &mut watchers {
                watcher.next_where(|frame| frame["progress"][5]["count"] == read).await;
            }
        });
        costs.push(cost.await);
    }
    // Two readings each would be 58 more.
    assert!(costs[1] <= costs[0] + 8, "{costs:?}");
}

async fn a_list_of_fifty_conversations_is_watched_from_one_statement(counted: Counted) {
    for number in 0..50 {
        counted.workspace.conversation(&format!("Conversation {number}")).await;
    }
    let document = "subscription($ids: [ID!]) { conversationsChanged(ids: $ids) { id metrics { totalUsers } } }";
    let listed = counted.workspace.api.ask_one("{ conversations(first: 50) { nodes { id } } }", json!({})).await;
    let ids: Vec<_> = listed["nodes"].as_array().unwrap().iter().map(|node| node["id"].clone()).collect();
    let begin = async |count: usize| {
        let statements = counted.statements(async || {
            let mut frames = counted.workspace.api.subscribe(document, json!({ "ids": ids[..count] })).await;
            for _ in 0..count {
                frames.next().await.unwrap();
            }
        });
        statements.await
    };
    let (few, many) = (begin(5).await, begin(50).await);
    assert!(many <= few + 2, "{few} for five, {many} for fifty");
}

/// How many nodes the outermost page has.
fn nodes(data: &Value) -> usize {
    let lists = [&data["conversations"]["nodes"], &data["conversation"]["users"]["nodes"]];
    lists.into_iter().find_map(Value::as_array).unwrap().len()
}
