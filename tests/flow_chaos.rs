//! A crowd runs through a branching flow while the server is killed: everybody ends where a naive model says.
//!
//! `BLUETICK_TEST_USERS` and `BLUETICK_TEST_KILLS` make it larger.

use std::collections::BTreeMap;

use bluetick::domain::code::Coded;
use bluetick::domain::standing::SessionStatus;
use bluetick::whatsapp::simulator::{Delays, Outcomes, Reply, Simulator, SimulatorSettings, Span, Webhooks};
use sea_orm::{ConnectionTrait, Statement};
use serde_json::{Value, json};

use crate::support::model::Model;
use crate::support::mortal::{Mortal, scale};
use crate::support::survey::survey;
use crate::support::trial::tests;
use crate::support::wait::until;
use crate::support::workspace::{Workspace, recipients};

tests! {
    on_both_databases: [a_crowd_ends_where_the_model_says_however_often_the_server_is_killed],
}

/// The provider of a crowd: people answer what they are asked, some of it wrongly.
fn talkative() -> SimulatorSettings {
    let reply = |contains: &str, texts: &[&str]| Reply {
        contains: contains.to_owned(),
        texts: texts.iter().map(|&text| text.to_owned()).collect(),
        ..Reply::default()
    };
    let silent = |contains: &str| Reply { answered: Some(0.0), ..reply(contains, &[]) };
    let replies = vec![
        reply("survey", &["yes", "No", "an agent please", "what?"]),
        reply("name", &["Ana", "Luis", "Ñandú"]),
        reply("old are you", &["17", "42", "3,5", "old"]),
        reply("age as a number", &["18", "young"]),
        reply("email", &["ana@example.com", "a@b.co", "none of your business"]),
        silent("Thank you"),
        silent("Bye"),
        silent("colleague"),
    ];
    let outcomes = Outcomes {
        unreachable: 0.0,
        undeliverable: 0.01,
        withheld: 0.0,
        failed: 0.0,
        answered: 0.97,
        reacted: 0.05,
        by_button: 0.7,
        slow: 0.05,
        replies,
        ..Outcomes::default()
    };
    SimulatorSettings {
        speed: 40.0,
        outcomes,
        delays: Delays { answered: Span::new(2.0, 20.0), read: Span::new(1.0, 2.0), ..Delays::default() },
        webhooks: Webhooks { duplicated: 0.1, late: 0.1, lateness: Span::new(0.5, 5.0), ..Webhooks::default() },
        window: 1e9,
        ..SimulatorSettings::default()
    }
}

async fn a_crowd_ends_where_the_model_says_however_often_the_server_is_killed(mut mortal: Mortal) {
    let (kills, users) = (scale("BLUETICK_TEST_KILLS", 3), scale("BLUETICK_TEST_USERS", 300));
    let provider = mortal.provider(talkative(), 1_000).await;
    send(&mortal.workspace, users).await;
    for kill in 0..kills {
        let enough = provider.counters().calls + (users * 2 / (kills + kill)) as u64;
        while provider.counters().calls < enough {
            let before = provider.counters().calls;
            until("more are called", async || (provider.counters().calls > before).then_some(())).await;
        }
        mortal.process.kill();
        mortal.start().await;
    }
    everything_is_said(&mortal.workspace, &provider).await;
    let talks = Talks::read(&mortal.workspace).await;
    assert_eq!(talks.0.len(), users);
    let (mut ends, mut unknown) = (BTreeMap::<String, usize>::new(), 0);
    for (phone, talk) in &talks.0 {
        let model = talk.assert_as_in_the_model(phone);
        for (message, is_unknown) in &talk.messages {
            let times = provider.accepted_times(message);
            assert!(times <= 1 && (times == 1 || *is_unknown), "{phone} was sent {message} {times} times");
            unknown += usize::from(times == 0);
        }
        *ends.entry(format!("{} {}", model.step, model.status)).or_default() += 1;
    }
    assert_eq!((provider.counters().duplicates, provider.counters().given_up), (0, 0));
    eprintln!("{kills} kills, {users} users, {unknown} messages of unknown outcome: {ends:?}");
    assert!(ends.len() > 8, "the crowd is spread: {ends:?}");
    let overtaken = "SELECT count(*) FROM messages a JOIN messages b ON b.deployment_id = a.deployment_id AND b.at > a.at \
        WHERE a.sender = 1 AND b.sender = 1 AND b.accepted_at < a.accepted_at";
    assert_eq!(mortal.workspace.server.database.count(overtaken).await, 0, "what was said first was sent first");
    mortal.assert_verified();
}

/// Sends the survey to as many users.
async fn send(workspace: &Workspace, users: usize) {
    let conversation = workspace.conversation_on(&workspace.line, "Survey", "OUTBOUND", survey()).await;
    for first in (0..users).step_by(5_000) {
        let mut people = recipients(first, 5_000.min(users - first));
        for person in people.as_array_mut().unwrap() {
            person["variables"] = json!([{ "name": "first_name", "value": "Eva" }]);
        }
        workspace.send(&conversation, people).await;
    }
}

/// Waits until nobody has anything more to say.
async fn everything_is_said(workspace: &Workspace, provider: &Simulator) {
    let database = &workspace.server.database;
    let waiting = async || database.count("SELECT count(*) FROM outbox").await;
    loop {
        provider.settled().await;
        let before = provider.counters().calls;
        if waiting().await == 0 && provider.counters().calls == before {
            return;
        }
        until("something more is said", async || {
            let goes_on = waiting().await == 0 || provider.counters().calls > before;
            goes_on.then_some(())
        })
        .await;
    }
}

/// What happened to everybody, as the database has it.
struct Talks(BTreeMap<String, Told>);

#[derive(Default)]
struct Told {
    said: Vec<String>,
    /// What the user said, in the order recorded.
    heard: Vec<(Option<String>, Option<String>)>,
    /// Our messages, and whether their outcome was never learnt.
    messages: Vec<(String, bool)>,
    variables: BTreeMap<String, String>,
    step: Option<String>,
    status: &'static str,
    finished: bool,
}

impl Talks {
    async fn read(workspace: &Workspace) -> Self {
        let db = workspace.server.database.connect().await;
        let query = async |sql: &str| db.query_all_raw(Statement::from_string(db.get_database_backend(), sql)).await;
        let mut talks = BTreeMap::<String, Told>::new();
        let deployments = "SELECT k.phone, d.finished_at, d.session_status, s.step FROM deployments d \
            JOIN contacts k ON k.id = d.contact_id LEFT JOIN sessions s ON s.deployment_id = d.id";
        for row in query(deployments).await.unwrap() {
            let talk = talks.entry(row.try_get("", "phone").unwrap()).or_default();
            let status: Option<i16> = row.try_get("", "session_status").unwrap();
            talk.status = status.and_then(SessionStatus::from_code).map_or("", SessionStatus::word);
            talk.finished = row.try_get::<Option<i64>>("", "finished_at").unwrap().is_some();
            talk.step = row.try_get("", "step").unwrap();
        }
        let variables = "SELECT k.phone, v.name, v.value FROM variables v JOIN deployments d ON d.id = v.deployment_id \
            JOIN contacts k ON k.id = d.contact_id";
        for row in query(variables).await.unwrap() {
            let talk = talks.get_mut(&row.try_get::<String>("", "phone").unwrap()).unwrap();
            talk.variables.insert(row.try_get("", "name").unwrap(), row.try_get("", "value").unwrap());
        }
        // The log numbers what was recorded, also of the user's messages.
        let messages = "SELECT k.phone, m.id, m.sender, m.kind, m.text, m.payload, m.unknown_at FROM messages m \
            JOIN users u ON u.id = m.user_id JOIN contacts k ON k.id = u.contact_id \
            ORDER BY m.revision, m.sender > 0, m.at, m.id";
        for row in query(messages).await.unwrap() {
            let talk = talks.get_mut(&row.try_get::<String>("", "phone").unwrap()).unwrap();
            talk.add(
                (row.try_get("", "sender").unwrap(), row.try_get("", "kind").unwrap()),
                (row.try_get("", "text").unwrap(), row.try_get("", "payload").unwrap()),
                (row.try_get("", "id").unwrap(), row.try_get::<Option<i64>>("", "unknown_at").unwrap().is_some()),
            );
        }
        db.close().await.unwrap();
        Self(talks)
    }
}

impl Told {
    /// Whatever the user said, the model says and does the same.
    fn assert_as_in_the_model(&self, phone: &str) -> Model {
        let flow = survey();
        let mut model = Model::new(&flow, BTreeMap::from([("first_name".to_owned(), "Eva".to_owned())]), false);
        for (words, pressed) in &self.heard {
            model.hear(&flow, words.as_deref(), pressed.as_deref());
        }
        assert_eq!(self.said, model.said, "{phone} said {:?}", self.heard);
        assert_eq!(self.step.as_deref().unwrap_or("hello"), model.step, "{phone}");
        assert_eq!(self.variables, model.variables, "{phone}");
        assert_eq!((self.status, self.finished), (model.status, model.finished), "{phone}");
        model
    }

    fn add(
        &mut self,
        (sender, kind): (i16, i16),
        (text, payload): (Option<String>, Option<String>),
        (id, is_unknown): (uuid::Uuid, bool),
    ) {
        const REACTION: i16 = 11;
        let payload: Option<Value> = payload.map(|payload| serde_json::from_str(&payload).unwrap());
        match (sender, payload) {
            (0, _) if kind == REACTION => {}
            (0, payload) => {
                let pressed = payload.and_then(|payload| {
                    let id = if payload["id"].is_null() { &payload["payload"] } else { &payload["id"] };
                    id.as_str().map(str::to_owned)
                });
                self.heard.push((text, pressed));
            }
            (3, payload) => {
                self.said.push(format!("template {}", payload.unwrap()["name"].as_str().unwrap()));
                self.messages.push((format!("msg_{}", id.simple()), is_unknown));
            }
            _ => {
                self.said.push(text.unwrap_or_default());
                self.messages.push((format!("msg_{}", id.simple()), is_unknown));
            }
        }
    }
}
