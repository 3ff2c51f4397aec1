//! Watchers on two nodes, while connections break, nodes die and PostgreSQL restarts: nothing is missed, and nothing comes
//! twice.

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::json;

use crate::support::client::Client;
use crate::support::cluster::Cluster;
use crate::support::database::Database;
use crate::support::process::Binary;
use crate::support::proxy::Proxy;
use crate::support::server::Server;
use crate::support::trial::tests;
use crate::support::wait::until;
use crate::support::watcher::{Watcher, follow_through, shown};
use crate::support::webhook::{Webhook, in_reply_to, status, text};
use crate::support::workspace::{METRICS, Person, Workspace, wa_id};

tests! {
    on_both_databases: [
        a_client_that_reconnects_a_hundred_times_misses_nothing,
    ],
    on_postgres: [
        a_node_cut_off_from_the_database_catches_up,
        clients_of_a_killed_node_go_on_at_another,
        a_rolling_restart_loses_no_change,
        a_restart_of_postgresql_loses_nothing_acknowledged,
    ],
}

/// How many users change.
const USERS: usize = 40;

/// What arrives: webhooks about the users of one conversation, at a node that stays.
struct Storm<'w> {
    workspace: &'w Workspace,
    conversation: String,
    people: Vec<Person>,
    chance: StdRng,
}

impl<'w> Storm<'w> {
    async fn over(workspace: &'w Workspace) -> Self {
        let conversation = workspace.conversation("Welcome").await;
        let people = workspace.send_to(&conversation, 0, USERS).await;
        Self { workspace, conversation, people, chance: StdRng::seed_from_u64(1) }
    }

    /// Posts so many webhooks, each again and again until it is acknowledged, as the provider does.
    async fn blow(&mut self, webhooks: usize) {
        let at = self.workspace.server.clock.seconds();
        for _ in 0..webhooks {
            let person = &self.people[self.chance.random_range(0..USERS)];
            let name = ["sent", "delivered", "read"][self.chance.random_range(0..3)];
            let at = at - self.chance.random_range(0..1_000);
            let id = format!("wamid.{:x}", rand::random::<u64>());
            let answer = in_reply_to(text(&id, &wa_id(&person.phone), "Hello", at), &person.wamid);
            let webhook =
                Webhook::of("1000").status(status(&person.wamid, Some(&person.message), name, at)).message(answer);
            let payload = webhook.payload();
            until("a webhook is acknowledged", async || {
                (self.workspace.server.post(&payload).await == 200).then_some(())
            })
            .await;
        }
    }
}

fn watchers(count: u32, storm: &Storm<'_>, nodes: &[&Client]) -> Vec<Watcher> {
    (0..count).map(|_| Watcher::of(&storm.conversation, nodes)).collect()
}

async fn revision(workspace: &Workspace, conversation: &str) -> i64 {
    workspace.metrics(conversation).await["revision"].as_i64().unwrap()
}

/// Every node shows the same figures, and they are right.
async fn settled(storm: &Storm<'_>, nodes: &[&Client]) {
    let figures = storm.workspace.metrics(&storm.conversation).await;
    for node in nodes {
        until("the node shows the present", async || {
            (shown(node, &storm.conversation, METRICS).await == figures).then_some(())
        })
        .await;
    }
    assert_eq!(storm.workspace.server.differences().await, []);
}

async fn a_client_that_reconnects_a_hundred_times_misses_nothing(workspace: Workspace) {
    let storm = &mut Storm::over(&workspace).await;
    let mut watchers = vec![
        Watcher::of(&storm.conversation, &[&workspace.api]).impatient(3),
        Watcher::of(&storm.conversation, &[&workspace.api]),
    ];
    let conversation = storm.conversation.clone();
    follow_through(&mut watchers, storm.blow(260), async || revision(&workspace, &conversation).await).await;
    assert!(watchers[0].connections >= 100, "{} connections", watchers[0].connections);
    assert_eq!(watchers[1].connections, 1);
    settled(storm, &[&workspace.api]).await;
}

async fn a_node_cut_off_from_the_database_catches_up(database: Database) {
    let near = Workspace::on(Server::start(database.clone(), &[]).await).await;
    let proxy = Proxy::before(database.url()).await;
    let far = Server::start(database, &[("database.url", &proxy.url)]).await;
    let far_api = far.client("acme", "read").await;
    let storm = &mut Storm::over(&near).await;
    let mut watchers = watchers(3, storm, &[&far_api]);
    let conversation = storm.conversation.clone();
    let chaos = async {
        for _ in 0..3 {
            storm.blow(20).await;
            proxy.cut();
            storm.blow(20).await;
            proxy.mend();
        }
    };
    follow_through(&mut watchers, chaos, async || revision(&near, &conversation).await).await;
    settled(storm, &[&near.api, &far_api]).await;
}

async fn clients_of_a_killed_node_go_on_at_another(database: Database) {
    let near = Workspace::on(Server::start(database.clone(), &[]).await).await;
    let far = Binary::on(database).await;
    let far_api = Client::new(&far.url(), near.api.token.as_deref().unwrap());
    let storm = &mut Storm::over(&near).await;
    let mut watchers = watchers(3, storm, &[&far_api, &near.api]);
    let conversation = storm.conversation.clone();
    let chaos = async {
        for _ in 0..3 {
            let mut process = far.serve().await;
            storm.blow(40).await;
            process.kill();
            storm.blow(10).await;
        }
    };
    follow_through(&mut watchers, chaos, async || revision(&near, &conversation).await).await;
    assert!(watchers.iter().all(|watcher| watcher.connections > 1));
    settled(storm, &[&near.api]).await;
}

async fn a_rolling_restart_loses_no_change(database: Database) {
    let near = Workspace::on(Server::start(database.clone(), &[]).await).await;
    let nodes = [Binary::on(database.clone()).await, Binary::on(database).await];
    let token = near.api.token.as_deref().unwrap();
    let apis = [Client::new(&nodes[0].url(), token), Client::new(&nodes[1].url(), token)];
    let storm = &mut Storm::over(&near).await;
    let mut running = [nodes[0].serve().await, nodes[1].serve().await];
    let mut watchers = watchers(4, storm, &[&apis[0], &apis[1]]);
    let conversation = storm.conversation.clone();
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
    follow_through(&mut watchers, chaos, async || revision(&near, &conversation).await).await;
    for watcher in &watchers {
        assert!(watcher.closings.contains(&Some(1001)), "{:?}", watcher.closings);
    }
    settled(storm, &[&near.api, &apis[0], &apis[1]]).await;
}

async fn a_restart_of_postgresql_loses_nothing_acknowledged(_: Database) {
    let cluster = Cluster::start().expect("PostgreSQL's server programs are installed");
    let database = Database::of_server(cluster.url());
    let near = Workspace::on(Server::start(database.clone(), &[]).await).await;
    let far = Server::start(database, &[]).await;
    let far_api = far.client("acme", "read").await;
    let storm = &mut Storm::over(&near).await;
    let mut watchers = watchers(3, storm, &[&far_api, &near.api]);
    let conversation = storm.conversation.clone();
    let chaos = async {
        for _ in 0..2 {
            storm.blow(30).await;
            let restart = async {
                cluster.crash();
                cluster.start_again();
            };
            tokio::join!(storm.blow(30), restart);
        }
    };
    follow_through(&mut watchers, chaos, async || revision(&near, &conversation).await).await;
    // Every answer that was acknowledged is there.
    let document = "query($id: ID!) { conversation(id: $id) { users(first: 200) { nodes { history(first: 1) { totalCount } } } } }";
    let found = near.api.ask_one(document, json!({ "id": storm.conversation })).await;
    let counts = found["users"]["nodes"].as_array().unwrap().iter().map(|user| user["history"]["totalCount"].as_i64());
    assert_eq!(counts.map(Option::unwrap).sum::<i64>(), 120 + i64::try_from(USERS).unwrap());
    settled(storm, &[&near.api, &far_api]).await;
}
