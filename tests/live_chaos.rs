//! Watchers on two nodes, while connections break, nodes die and PostgreSQL restarts: nothing is missed, and nothing comes
//! twice.

use std::sync::Arc;

use futures_util::{StreamExt, stream};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};

use crate::support::client::Client;
use crate::support::cluster::Cluster;
use crate::support::database::Database;
use crate::support::process::Binary;
use crate::support::proxy::Proxy;
use crate::support::server::Server;
use crate::support::socket::Socket;
use crate::support::trial::tests;
use crate::support::wait::until;
use crate::support::watcher::{Follows, Watcher, follow_through, shown};
use crate::support::webhook::{Webhook, in_reply_to, status, text};
use crate::support::workspace::{Person, Workspace, recipients, wa_id};

tests! {
    on_both_databases: [
        a_client_that_reconnects_a_hundred_times_misses_nothing,
        a_client_that_stops_reading_is_held_back_alone_and_catches_up,
    ],
    on_postgres: [
        a_client_that_goes_to_and_fro_between_two_nodes_misses_nothing,
        a_node_cut_off_from_the_database_catches_up,
        what_an_interruption_left_untold_is_told_afterwards,
        clients_of_a_killed_node_go_on_at_another,
        a_rolling_restart_loses_no_change,
    ],
    on_a_server_of_its_own: [
        a_restart_of_postgresql_loses_nothing_acknowledged,
    ],
}

/// How many users change.
const USERS: usize = 40;

/// How many webhooks are posted at once.
const AT_ONCE: usize = 4;

/// What arrives: webhooks about the users of one conversation, at nodes that stay.
struct Storm<'w> {
    workspace: &'w Workspace,
    nodes: Vec<&'w Server>,
    conversation: String,
    people: Vec<Person>,
    chance: StdRng,
}

impl<'w> Storm<'w> {
    /// Over a workspace's own node, and others.
    async fn over(workspace: &'w Workspace, others: &[&'w Server]) -> Self {
        let conversation = workspace.conversation("Welcome").await;
        let people = workspace.send_to(&conversation, 0, USERS).await;
        let nodes = [&[&workspace.server], others].concat();
        Self { workspace, nodes, conversation, people, chance: StdRng::seed_from_u64(1) }
    }

    /// Posts so many webhooks, each again and again until it is acknowledged, as the provider does.
    async fn blow(&mut self, webhooks: usize) {
        let posts: Vec<_> = (0..webhooks).map(|_| (self.node(), self.webhook())).collect();
        let posted = stream::iter(posts).for_each_concurrent(AT_ONCE, async |(node, payload)| {
            let acknowledged = async || (node.post(&payload).await == 200).then_some(());
            until("a webhook is acknowledged", acknowledged).await;
        });
        posted.await;
    }

    fn node(&mut self) -> &'w Server {
        self.nodes[self.chance.random_range(0..self.nodes.len())]
    }

    fn webhook(&mut self) -> Value {
        let person = &self.people[self.chance.random_range(0..USERS)];
        let name = ["sent", "delivered", "read"][self.chance.random_range(0..3)];
        let at = self.workspace.server.clock.seconds() - self.chance.random_range(0..1_000);
        let id = format!("wamid.{:x}", rand::random::<u64>());
        let answer = in_reply_to(text(&id, &wa_id(&person.phone), "Hello", at), &person.wamid);
        Webhook::of("1000").status(status(&person.wamid, Some(&person.message), name, at)).message(answer).payload()
    }

    /// Watchers of each kind.
    fn watchers(&self, nodes: &[&Client]) -> Vec<Watcher> {
        let kinds = [Follows::Changes, Follows::Users, Follows::Metrics, Follows::Changes];
        kinds.into_iter().map(|follows| Watcher::of(&self.conversation, nodes, follows)).collect()
    }
}

/// Lets clients follow while something happens.
async fn follow(workspace: &Workspace, watchers: &mut [Watcher], happens: impl Future<Output = ()>) {
    let conversation = watchers[0].conversation.clone();
    let last = async || workspace.metrics(&conversation).await["revision"].as_i64().unwrap();
    follow_through(watchers, happens, last).await;
}

/// Every node and every watcher shows the same figures, and they are right.
async fn settled(storm: &Storm<'_>, watchers: &[Watcher], nodes: &[&Client]) {
    let figures = storm.workspace.metrics(&storm.conversation).await;
    for watcher in watchers.iter().filter(|watcher| watcher.follows == Follows::Metrics) {
        assert_eq!(watcher.seen, figures);
    }
    for node in nodes {
        let present = async || (shown(node, &storm.conversation).await == figures).then_some(());
        until("the node shows the present", present).await;
    }
    assert_eq!(storm.workspace.server.differences().await, []);
}

async fn a_client_that_reconnects_a_hundred_times_misses_nothing(workspace: Workspace) {
    let storm = Storm::over(&workspace, &[]).await;
    reconnect_a_hundred_times(storm, &[&workspace.api]).await;
}

async fn a_client_that_goes_to_and_fro_between_two_nodes_misses_nothing(database: Database) {
    let near = Workspace::on(Server::start(database.clone(), &[]).await).await;
    let far = Server::start(database, &[]).await;
    let far_api = far.client("acme", "personal").await;
    let storm = Storm::over(&near, &[&far]).await;
    reconnect_a_hundred_times(storm, &[&near.api, &far_api]).await;
}

async fn reconnect_a_hundred_times(mut storm: Storm<'_>, nodes: &[&Client]) {
    let mut watchers = storm.watchers(nodes);
    let impatient = [Follows::Changes, Follows::Users];
    watchers.extend(impatient.map(|follows| Watcher::of(&storm.conversation, nodes, follows).impatient()));
    let workspace = storm.workspace;
    follow(workspace, &mut watchers, storm.blow(260)).await;
    let (patient, impatient) = watchers.split_at(watchers.len() - 2);
    for watcher in impatient {
        assert!(watcher.connections >= 100, "{} connections", watcher.connections);
    }
    assert!(patient.iter().all(|watcher| watcher.connections == 1));
    settled(&storm, &watchers, nodes).await;
}

async fn a_client_that_stops_reading_is_held_back_alone_and_catches_up(workspace: Workspace) {
    let storm = &mut Storm::over(&workspace, &[]).await;
    // Four thousand frames of 4 KB are more than the operating system buffers for a socket.
    let names = (0..4).map(|number| format!("{}{number}: revision ", "a".repeat(1_000)));
    let document = format!(
        "subscription($id: ID!, $after: Int) {{
           userChanged(conversationId: $id, afterRevision: $after) {{ number: revision {} }} }}",
        names.collect::<String>()
    );
    let variables = json!({ "id": storm.conversation, "after": 0 });
    let narrow = Socket::open_narrow(&workspace.api).await;
    let mut slow = workspace.api.subscribe_on(narrow, &document, variables).await;
    workspace.send(&storm.conversation, recipients(1_000, 4_000)).await;
    let mut watchers = storm.watchers(&[&workspace.api]);
    follow(&workspace, &mut watchers, storm.blow(40)).await;
    settled(storm, &watchers, &[&workspace.api]).await;
    for expected in 1..=watchers[0].revision {
        assert_eq!(slow.next().await.unwrap()["number"], expected);
    }
}

async fn a_node_cut_off_from_the_database_catches_up(database: Database) {
    let near = Workspace::on(Server::start(database.clone(), &[]).await).await;
    let proxy = Proxy::before(database.url()).await;
    let far = Server::start(database, &[("database.url", &proxy.url)]).await;
    let far_api = far.client("acme", "personal").await;
    let storm = &mut Storm::over(&near, &[]).await;
    let mut watchers = storm.watchers(&[&far_api]);
    let chaos = async {
        for _ in 0..3 {
            storm.blow(20).await;
            proxy.cut();
            storm.blow(20).await;
            proxy.mend();
        }
    };
    follow(&near, &mut watchers, chaos).await;
    settled(storm, &watchers, &[&near.api, &far_api]).await;
}

async fn what_an_interruption_left_untold_is_told_afterwards(database: Database) {
    let near = Workspace::on(Server::start(database.clone(), &[]).await).await;
    let proxy = Proxy::before(database.url()).await;
    let far = Server::start(database, &[("database.url", &proxy.url)]).await;
    let far_api = far.client("acme", "personal").await;
    let conversation = near.conversation("Welcome").await;
    // Each frame takes a statement of its own, so that the cut comes between two of them.
    let last = 1_000;
    near.send(&conversation, recipients(0, 1_000)).await;
    let document = "subscription($id: ID!, $after: Int) { userChanged(conversationId: $id, afterRevision: $after) {
        revision user { phone } } }";
    let after = |revision: i64| json!({ "id": conversation, "after": revision });
    let mut socket = far_api.subscribe(document, after(0)).await;
    let mut events = far_api.events(document, after(0), None).await;
    assert_eq!(socket.next().await.unwrap()["revision"], 1);
    assert_eq!(events.next().await.unwrap()["revision"], 1);
    proxy.cut();
    let seen = interrupted(1, async || socket.result().await).await;
    assert!(seen < last);
    assert_eq!(socket.result().await, None, "it is complete");
    let told = interrupted(1, async || events.result().await).await;
    assert!(events.last_id.as_deref().unwrap().ends_with(&format!(":{told}")));
    assert_eq!((events.result().await, events.completed), (None, false), "it is to be resumed");
    proxy.mend();
    let back = async || (far_api.get("/health/ready").await.0 == 200).then_some(());
    until("the node has its database back", back).await;
    let mut socket = far_api.subscribe(document, after(seen)).await;
    for expected in seen + 1..=last {
        assert_eq!(socket.next().await.unwrap()["revision"], expected);
    }
    let mut events = far_api.events(document, after(0), events.last_id.as_deref()).await;
    for expected in told + 1..=last {
        assert_eq!(events.next().await.unwrap()["revision"], expected);
    }
}

/// Takes frames that follow on a revision until one tells, of the whole change or of a field, that the database is away;
/// returns the last revision before it.
async fn interrupted(mut revision: i64, mut next: impl AsyncFnMut() -> Option<Value>) -> i64 {
    loop {
        let result = next().await.expect("the reason is told first");
        if let Some(code) = result["errors"][0]["extensions"]["code"].as_str() {
            assert_eq!(code, "UNAVAILABLE");
            return revision;
        }
        revision += 1;
        assert_eq!(result["data"]["userChanged"]["revision"], revision);
    }
}

async fn clients_of_a_killed_node_go_on_at_another(database: Database) {
    let near = Workspace::on(Server::start(database.clone(), &[]).await).await;
    let far = Binary::on(database).await;
    let far_api = Client::new(&far.url(), near.api.token.as_deref().unwrap());
    let storm = &mut Storm::over(&near, &[]).await;
    let mut watchers = storm.watchers(&[&far_api, &near.api]);
    let chaos = async {
        for _ in 0..3 {
            let mut process = far.serve().await;
            storm.blow(40).await;
            process.kill();
            storm.blow(10).await;
        }
    };
    follow(&near, &mut watchers, chaos).await;
    assert!(watchers.iter().all(|watcher| watcher.connections > 1));
    let _back = far.serve().await;
    settled(storm, &watchers, &[&near.api, &far_api]).await;
}

async fn a_rolling_restart_loses_no_change(database: Database) {
    let near = Workspace::on(Server::start(database.clone(), &[]).await).await;
    let nodes = [Binary::on(database.clone()).await, Binary::on(database).await];
    let token = near.api.token.as_deref().unwrap();
    let apis = [Client::new(&nodes[0].url(), token), Client::new(&nodes[1].url(), token)];
    let storm = &mut Storm::over(&near, &[]).await;
    let mut running = [nodes[0].serve().await, nodes[1].serve().await];
    let mut watchers = storm.watchers(&[&apis[0], &apis[1]]);
    let chaos = async {
        for _ in 0..2 {
            for (node, process) in nodes.iter().zip(&mut running) {
                storm.blow(15).await;
                process.terminate();
                storm.blow(15).await;
                assert!(process.ended().await.success());
                *process = node.serve().await;
            }
        }
    };
    follow(&near, &mut watchers, chaos).await;
    for watcher in &watchers {
        assert!(watcher.closings.contains(&Some(1001)), "{:?}", watcher.closings);
    }
    settled(storm, &watchers, &[&near.api, &apis[0], &apis[1]]).await;
}

async fn a_restart_of_postgresql_loses_nothing_acknowledged(cluster: Cluster) {
    let cluster = Arc::new(cluster);
    let database = Database::of_server(cluster.url());
    let near = Workspace::on(Server::start(database.clone(), &[]).await).await;
    let far = Server::start(database, &[]).await;
    let far_api = far.client("acme", "personal").await;
    let storm = &mut Storm::over(&near, &[&far]).await;
    let mut watchers = storm.watchers(&[&far_api, &near.api]);
    let chaos = async {
        for _ in 0..2 {
            storm.blow(30).await;
            let server = Arc::clone(&cluster);
            let restart = tokio::task::spawn_blocking(move || {
                server.crash();
                server.start_again();
            });
            let ((), restarted) = tokio::join!(storm.blow(30), restart);
            restarted.unwrap();
        }
    };
    follow(&near, &mut watchers, chaos).await;
    // Every answer that was acknowledged is there.
    let document = "query($id: ID!) { conversation(id: $id) { users(first: 200) { nodes { history(first: 1) { totalCount } } } } }";
    let found = near.api.ask_one(document, json!({ "id": storm.conversation })).await;
    let counts = found["users"]["nodes"].as_array().unwrap().iter().map(|user| user["history"]["totalCount"].as_i64());
    assert_eq!(counts.map(Option::unwrap).sum::<i64>(), 120 + i64::try_from(USERS).unwrap());
    settled(storm, &watchers, &[&near.api, &far_api]).await;
}
