//! The server's end in the middle of its work: what was acknowledged is there, what comes again changes nothing, and
//! nobody is sent a message twice.

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bluetick::dispatch::MAX_USERS;
use bluetick::domain::clock::Timestamp;
use bluetick::whatsapp::simulator::{Delays, Outcomes, SimulatorSettings, Span, Webhooks};
use futures_util::future::{join, join_all};
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::support::client::Client;
use crate::support::mortal::{Mortal, scale};
use crate::support::process::Binary;
use crate::support::trial::tests;
use crate::support::wait::{soon, until};
use crate::support::webhook::{Webhook, failed, in_reply_to, status, text};
use crate::support::workspace::{
    CREATE_CONVERSATION, Line, Person, RECORD_FACTS, SEND_CONVERSATION, Workspace, flow, id_of, phone, recipients,
    wa_id,
};

tests! {
    on_both_databases: [
        what_was_acknowledged_outlives_a_kill_and_what_comes_again_changes_nothing,
        a_mutation_repeated_after_a_kill_is_carried_out_once,
        a_termination_lets_requests_finish_and_closes_sockets,
        a_kill_while_sending_sends_nobody_a_message_twice,
    ],
}

/// How often a server is killed.
const KILLS: usize = 4;
/// How many clients post webhooks at once.
const CLIENTS: usize = 12;
/// How many people webhooks tell of.
const PEOPLE: usize = 240;
/// To how many people each of many sends goes.
const SENT_TO: usize = 20;
/// How long a shutdown may take, by the default settings.
const GRACE: Duration = Duration::from_secs(20);

/// What webhooks tell of one person after the other.
const COURSES: [&[&str]; 6] =
    [&["sent"], &["sent", "delivered"], &["sent", "delivered", "read"], &["read"], &["sent", "failed"], &["failed"]];

/// People to whom another system wrote, and what webhooks tell of them.
struct Crowd {
    line: Line,
    conversation: String,
    /// The second in which everybody was written to.
    at: i64,
    /// One thing of one person each.
    reports: Vec<(usize, &'static str)>,
}

async fn what_was_acknowledged_outlives_a_kill_and_what_comes_again_changes_nothing(mut mortal: Mortal) {
    let crowd = Crowd::deploy(&mortal.workspace).await;
    let webhooks = crowd.webhooks();
    let mut acknowledged = BTreeSet::new();
    for _ in 0..KILLS {
        let Mortal { binary, process, .. } = &mut mortal;
        let taken = AtomicUsize::new(0);
        let kill = async {
            reaches(&taken, rand::random_range(20..120)).await;
            process.kill();
        };
        let (more, ()) = join(post(binary, &webhooks, &taken), kill).await;
        acknowledged.extend(more);
        mortal.start().await;
        crowd.assert_told(&mortal.workspace, &acknowledged).await;
        mortal.assert_verified();
    }
    crowd.post_again(&mortal.binary).await;
    let metrics = mortal.workspace.metrics(&crowd.conversation).await;
    for (name, figure) in figures().as_object().unwrap() {
        assert_eq!(metrics[name], *figure, "{name}");
    }
    mortal.assert_verified();
}

async fn a_mutation_repeated_after_a_kill_is_carried_out_once(mut mortal: Mortal) {
    let conversation = mortal.workspace.conversation("Counting").await;
    let people = mortal.workspace.send_to(&conversation, 0, CLIENTS).await;
    let sent = mortal.workspace.conversation("Sent").await;
    let (mut counts, mut sends) = (vec![0; CLIENTS], BTreeSet::new());
    for round in 0..KILLS {
        let Mortal { process, workspace, .. } = &mut mortal;
        let (api, taken) = (&workspace.api, AtomicUsize::new(0));
        let kill = async {
            reaches(&taken, rand::random_range(20..80)).await;
            process.kill();
        };
        let sending = (0..3).map(|client| send(api, &sent, (round, client), &taken));
        let counting = people.iter().zip(&counts).map(|(person, from)| count(api, person, *from, &taken));
        let ((tried, more), ()) = join(join(join_all(sending), join_all(counting)), kill).await;
        mortal.start().await;
        for ((person, known), more) in people.iter().zip(&mut counts).zip(more) {
            *known += more;
            // The one behind them was not answered, and may have been recorded or not.
            let shown = shown(&mortal.workspace.api, person).await;
            assert!(shown == *known || shown == *known + 1, "{known} were taken, and {shown} are there");
        }
        for (input, answered) in tried.into_iter().flatten() {
            let again = mortal.workspace.try_send(input).await;
            assert_eq!(again["userErrors"], json!([]));
            let id = id_of(&again["send"]);
            assert_eq!(answered.as_ref().unwrap_or(&id), &id);
            assert!(sends.insert(id), "each key has a send of its own");
        }
    }
    let repeated = people.iter().zip(&counts).map(|(person, known)| counted(person, known + 1)).collect();
    mortal.workspace.record(repeated).await;
    for (person, known) in people.iter().zip(&counts) {
        assert_eq!(shown(&mortal.workspace.api, person).await, known + 1);
    }
    let document = "query($id: ID!) { conversation(id: $id) { sends { totalCount }
        metrics { totalUsers totalDeployments } } }";
    let found = mortal.workspace.api.ask_one(document, json!({ "id": sent })).await;
    let metrics = json!({ "totalUsers": SENT_TO, "totalDeployments": sends.len() * SENT_TO });
    assert_eq!(found, json!({ "sends": { "totalCount": sends.len() }, "metrics": metrics }));
    mortal.assert_verified();
}

async fn a_termination_lets_requests_finish_and_closes_sockets(mut mortal: Mortal) {
    let crowd = Crowd::deploy(&mortal.workspace).await;
    let webhooks = crowd.webhooks();
    let document = "subscription($id: ID!) { metricsChanged(conversationId: $id) { revision } }";
    let mut watcher = mortal.workspace.api.subscribe(document, json!({ "id": crowd.conversation })).await;
    watcher.next().await.expect("the present figures come at once");
    let late = json!({ "name": "Late", "direction": "OUTBOUND", "lineId": crowd.line.id, "flow": flow() });
    let begun = mortal.workspace.api.begin(CREATE_CONVERSATION, json!({ "input": late })).await;
    let Mortal { binary, process, .. } = &mut mortal;
    let taken = AtomicUsize::new(0);
    let end = async {
        reaches(&taken, 100).await;
        process.terminate();
        let asked = Instant::now();
        assert_eq!(watcher.closed().await, Some(1001));
        // By now the server has begun to end, and this request still goes through.
        let answer = begun.finish().await;
        assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("\"userErrors\":[]"), "{answer}");
        drop(watcher);
        assert!(process.ended().await.success());
        assert!(asked.elapsed() < GRACE);
    };
    let (acknowledged, ()) = join(post(binary, &webhooks, &taken), end).await;
    mortal.start().await;
    crowd.assert_told(&mortal.workspace, &acknowledged).await;
    let late = "{ conversations(filter: { name: \"Late\" }) { totalCount } }";
    assert_eq!(mortal.workspace.api.ask_one(late, json!({})).await["totalCount"], 1);
    mortal.assert_verified();
}

async fn a_kill_while_sending_sends_nobody_a_message_twice(mut mortal: Mortal) {
    let (kills, users) = (scale("BLUETICK_TEST_KILLS", 4), scale("BLUETICK_TEST_USERS", 800));
    let provider = mortal.provider(slow_provider(), users / 8).await;
    let conversation = mortal.workspace.conversation("Welcome").await;
    for first in (0..users).step_by(MAX_USERS) {
        mortal.workspace.send(&conversation, recipients(first, MAX_USERS.min(users - first))).await;
    }
    for _ in 0..kills {
        // At a random moment, and so early that some are left: a kill costs the calls that were announced and not made.
        let more = rand::random_range(1..=users / (2 * kills)) as u64;
        let enough = provider.counters().calls + more;
        until("so many more are called", async || (provider.counters().calls >= enough).then_some(())).await;
        mortal.process.kill();
        mortal.start().await;
    }
    let people = mortal.workspace.accepted_people(&conversation).await;
    soon("end of the webhooks", provider.settled()).await;
    let seen = provider.counters();
    assert_eq!((seen.duplicates, seen.given_up), (0, 0));
    let users = mortal.workspace.users(&conversation, "phone deploymentStatus failure { reason }").await;
    let (mut accepted, by_phone) = (0, by_phone(&users));
    for person in &people {
        let (times, user) = (provider.accepted_times(&person.message), by_phone[person.phone.as_str()]);
        let is_unknown = user["failure"]["reason"] == "OUTCOME_UNKNOWN";
        assert!(times <= 1 && is_unknown == (times == 0), "sent {times} times: {user}");
        let is_final = ["DELIVERED", "READ", "FAILED"].contains(&user["deploymentStatus"].as_str().unwrap());
        assert!(is_final, "{user}");
        accepted += u64::from(times);
    }
    assert_eq!(accepted, seen.accepted);
    eprintln!(
        "{kills} kills, {} users, {accepted} sent once, {} unknown",
        people.len(),
        people.len() as u64 - accepted
    );
    mortal.assert_verified();
}

/// A provider that repeats, delays and reorders its webhooks, and reaches everybody. Its answers are slow, so that there
/// are always some under way.
fn slow_provider() -> SimulatorSettings {
    SimulatorSettings {
        speed: 20.0,
        outcomes: Outcomes { unreachable: 0.0, ..Outcomes::default() },
        delays: Delays { answer: Span::new(2.0, 6.0), ..Delays::default() },
        webhooks: Webhooks { duplicated: 0.1, late: 0.2, ..Webhooks::default() },
        ..SimulatorSettings::default()
    }
}

impl Crowd {
    async fn deploy(workspace: &Workspace) -> Self {
        let line = workspace.another_line(true).await;
        let conversation = workspace.conversation_on(&line, "External", "OUTBOUND", flow()).await;
        workspace.send(&conversation, recipients(0, PEOPLE)).await;
        let at = workspace.server.clock.seconds();
        let moment = Timestamp::from_seconds(at).unwrap().to_string();
        let first = |number: usize| {
            json!({ "message": { "lineId": line.id, "phone": phone(number), "sender": "COMPANY", "kind": "TEMPLATE",
                "at": moment, "providerMessageId": first_id(number) } })
        };
        workspace.record((0..PEOPLE).map(first).collect()).await;
        let reports = (0..PEOPLE).flat_map(|number| told(number).into_iter().map(move |what| (number, what))).collect();
        Self { line, conversation, at, reports }
    }

    fn webhooks(&self) -> Vec<Value> {
        self.reports.iter().map(|&(number, what)| self.webhook(number, what)).collect()
    }

    fn webhook(&self, number: usize, what: &str) -> Value {
        let (webhook, first) = (Webhook::of(&self.line.phone_number_id), first_id(number));
        let webhook = match what {
            "answer" => webhook.message(self.answer(number)),
            "failed" => webhook.status(failed(&first, None, 131_026, self.at + 3)),
            name => webhook.status(status(&first, None, name, self.at + 2)),
        };
        webhook.payload()
    }

    /// Some answers quote the message, others are typed.
    fn answer(&self, number: usize) -> Value {
        let answer = text(&answer_id(number), &wa_id(&phone(number)), "Yes", self.at + 4);
        if number % 2 == 1 { in_reply_to(answer, &first_id(number)) } else { answer }
    }

    /// Posts everything, the last first, as the provider does where it heard no answer.
    async fn post_again(&self, binary: &Binary) {
        let clients = (0..CLIENTS).map(|client| async move {
            for &(number, what) in self.reports.iter().rev().skip(client).step_by(CLIENTS) {
                assert_eq!(binary.post(&self.webhook(number, what)).await, Some(StatusCode::OK));
            }
        });
        join_all(clients).await;
    }

    /// Everything of these places is known.
    async fn assert_told(&self, workspace: &Workspace, places: &BTreeSet<usize>) {
        let fields = "phone deployments { nodes { sentAt deliveredAt readAt failedAt } }
            history { nodes { providerMessageId } }";
        let users = workspace.users(&self.conversation, fields).await;
        let users = by_phone(&users);
        for &place in places {
            let (number, what) = self.reports[place];
            let user = users[phone(number).as_str()];
            let is_answer = |message: &Value| message["providerMessageId"] == answer_id(number);
            let is_known = match what {
                "answer" => user["history"]["nodes"].as_array().unwrap().iter().any(is_answer),
                name => user["deployments"]["nodes"][0][format!("{name}At")].is_string(),
            };
            assert!(is_known, "{what} was acknowledged and is lost: {user}");
        }
    }
}

/// Posts webhooks again and again, by several clients, until the server is away; tells the places of those taken.
async fn post(binary: &Binary, webhooks: &[Value], taken: &AtomicUsize) -> BTreeSet<usize> {
    let clients = (0..CLIENTS).map(|client| async move {
        let mut acknowledged = Vec::new();
        for place in (client..webhooks.len()).step_by(CLIENTS).cycle() {
            let Some(status) = binary.post(&webhooks[place]).await else { break };
            assert_eq!(status, StatusCode::OK);
            acknowledged.push(place);
            taken.fetch_add(1, Ordering::Relaxed);
        }
        acknowledged
    });
    join_all(clients).await.into_iter().flatten().collect()
}

/// Sends under one key after the other until the server is away; tells what was sent and, but for the last, as what.
async fn send(
    api: &Client,
    conversation: &str,
    place: (usize, usize),
    taken: &AtomicUsize,
) -> Vec<(Value, Option<String>)> {
    let mut sends = Vec::new();
    loop {
        let key = format!("{place:?} {}", sends.len());
        let input = json!({ "conversationId": conversation, "users": recipients(0, SENT_TO), "idempotencyKey": key });
        let Some(answer) = api.try_post(SEND_CONVERSATION, json!({ "input": input })).await else {
            sends.push((input, None));
            return sends;
        };
        sends.push((input, Some(id_of(&answer.body["data"]["sendConversation"]["send"]))));
        taken.fetch_add(1, Ordering::Relaxed);
    }
}

/// Counts a variable on from a number until the server is away; tells how many more were taken.
async fn count(api: &Client, person: &Person, from: i64, taken: &AtomicUsize) -> i64 {
    let mut known = from;
    while let Some(answer) = api.try_post(RECORD_FACTS, json!({ "facts": [counted(person, known + 1)] })).await {
        assert_eq!(answer.body["data"]["recordFacts"]["recorded"], 1, "{}", answer.body);
        taken.fetch_add(1, Ordering::Relaxed);
        known += 1;
    }
    known - from
}

/// The fact that a person's variable was counted so far.
fn counted(person: &Person, number: i64) -> Value {
    // Each a microsecond after the one before, from the beginning of 2026 on.
    let at = Timestamp::from_micros(1_767_225_600_000_000 + number).unwrap().to_string();
    json!({ "variable": { "deploymentId": person.deployment, "name": "count", "value": number.to_string(), "at": at } })
}

/// How far a person's variable is counted.
async fn shown(api: &Client, person: &Person) -> i64 {
    let document = "query($id: ID!) { node(id: $id) { ... on User { variable(name: \"count\") } } }";
    let found = api.ask_one(document, json!({ "id": person.user })).await;
    found["variable"].as_str().map_or(0, |value| value.parse().unwrap())
}

async fn reaches(taken: &AtomicUsize, enough: usize) {
    until("so many are taken", async || (taken.load(Ordering::Relaxed) >= enough).then_some(())).await;
}

fn by_phone(users: &[Value]) -> HashMap<&str, &Value> {
    users.iter().map(|user| (user["phone"].as_str().unwrap(), user)).collect()
}

fn first_id(number: usize) -> String {
    format!("wamid.first.{number}")
}

fn answer_id(number: usize) -> String {
    format!("wamid.answer.{number}")
}

/// What webhooks tell of a person; half of all answer.
fn told(number: usize) -> Vec<&'static str> {
    let mut told = COURSES[number % COURSES.len()].to_vec();
    told.extend((number / COURSES.len() % 2 == 1).then_some("answer"));
    told
}

/// Where a person stands: an answer proves delivery, and delivery wins over a failure.
fn standing(told: &[&str]) -> &'static str {
    let was = |what: &str| told.contains(&what);
    if was("read") {
        "READ"
    } else if was("delivered") || was("answer") {
        "DELIVERED"
    } else if was("failed") {
        "FAILED"
    } else {
        "SENT"
    }
}

/// The figures, counted from what webhooks tell.
fn figures() -> Value {
    let people: Vec<_> = (0..PEOPLE).map(told).collect();
    let count = |status: &str| people.iter().filter(|told| standing(told) == status).count();
    let responses = people.iter().filter(|told| told.contains(&"answer")).count();
    let (sent, failed) = (count("DELIVERED") + count("READ"), count("FAILED"));
    let statuses = ["QUEUED", "ACCEPTED", "HELD", "SENT", "DELIVERED", "READ", "FAILED"];
    json!({
        "totalUsers": PEOPLE, "messagesSent": sent, "inProcess": count("SENT"), "sendFailure": failed,
        "delivered": sent, "responses": responses, "read": count("READ"), "inFlow": responses, "finished": 0,
        "byStatus": statuses.map(|status| json!({ "status": status, "count": count(status) })),
        "byFailure": [{ "reason": "UNDELIVERABLE", "count": failed }], "totalDeployments": PEOPLE,
    })
}
