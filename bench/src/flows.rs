//! Flows: a crowd in conversations, everybody of whom answers once a second, and every answer of whom is answered.
//!
//! The flow asks, captures, and leads to the next question. Its users are spread over lines that send as fast as
//! WhatsApp lets a line; each round has new ones. They answer at a steady rate, whether or not they were asked already,
//! in webhooks of up to a hundred messages, as the provider groups what is due at the same time.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bluetick::domain::clock::{Clock, SystemClock};
use bluetick::whatsapp::signature;
use hdrhistogram::Histogram;
use serde_json::{Map, Value, json};
use tokio::task::JoinSet;
use tokio::time::sleep_until;

use crate::Result;
use crate::cpu::Cpu;
use crate::database::Kind;
use crate::drive::{Connection, Load, Slice, histogram};
use crate::options::Options;
use crate::process::APP_SECRET;
use crate::report::{Aim, Table, say};
use crate::requests::{self, Request};
use crate::stage::{Site, Stage};

/// How many lines there are, each with a conversation of its own.
const LINES: u64 = 5;
/// Questions of a conversation.
const STEPS: usize = 200;
/// The most messages of one webhook.
const TOGETHER: u64 = 100;
/// How many connections the provider keeps.
const CONNECTIONS: usize = 32;
const SECOND: Duration = Duration::from_secs(1);

/// The users of a round, in groups whose messages come together.
struct Crowd {
    groups: Vec<Group>,
    users: u64,
}

/// Users of one line, by number.
#[derive(Clone)]
struct Group {
    line: u64,
    users: Range<u64>,
}

/// What came of a round.
struct Round {
    /// Of the webhooks.
    slice: Slice,
    /// Of all that was done for an answer, until its reply has left.
    cpu: Cpu,
    answers: u64,
    /// From the first answer to the acknowledgement of the last.
    answered: Duration,
    /// From the first answer to the last reply.
    replied: Duration,
}

/// Measures flows on a database of its own.
pub(crate) async fn run(kind: Kind, options: &Options, table: &mut Table) -> Result<()> {
    let mut stage = Site::make(kind).await?.open().await?;
    for line in 0..LINES {
        stage.conversation(&phone_number_id(line), "INBOUND", flow()).await?;
    }
    let (mut begun, mut rounds, mut first) = (Vec::new(), Vec::new(), 0);
    for round in 0..options.rounds {
        let crowd = Crowd::of(first, options.flow_users);
        first += crowd.users;
        begun.push(begin(&stage, &crowd).await?);
        let done = answer(&stage, &crowd, options.flow_seconds).await?;
        say(format!("  flows, round {round}: {}", done.line()));
        rounds.push(done);
    }
    report(kind, begun, rounds, options, table);
    stage.strike(options).await
}

#[expect(clippy::cast_precision_loss, reason = "no crowd is that large")]
fn report(kind: Kind, begun: Vec<f64>, rounds: Vec<Round>, options: &Options, table: &mut Table) {
    let users = options.flow_users as f64;
    let figures = |figure: &dyn Fn(&Round) -> f64| rounds.iter().map(figure).collect::<Vec<_>>();
    let (answers, replies) = (figures(&Round::answers_per_second), figures(&Round::replies_per_second));
    let (p50, p99) = (figures(&|one| one.slice.latency_ms(0.5)), figures(&|one| one.slice.latency_ms(0.99)));
    let (trailing, server) = (figures(&Round::trailing_ms), figures(&|one| one.micros(one.cpu.server)));
    let database = figures(&|one| one.micros(one.cpu.database));
    table.figure("conversations begun a second", begun, Aim::None);
    // A hundredth less: the last answer takes its time, too.
    table.figure("answers recorded a second", answers, Aim::AtLeast(users * 0.99));
    table.figure("p50 of their webhooks, in milliseconds", p50, Aim::None);
    table.figure("p99 of their webhooks, in milliseconds", p99, Aim::AtMost(250.0));
    // A line stays at 98 % of its rate.
    table.figure("replies a second at the provider", replies, Aim::AtLeast(users * 0.97));
    table.figure("replies still leave after the last answer, in milliseconds", trailing, Aim::None);
    table.figure("CPU of the server for an answer and its reply, in µs", server, Aim::None);
    if kind == Kind::Postgres {
        table.figure("CPU of PostgreSQL for an answer and its reply, in µs", database, Aim::None);
    }
    let each = rounds.first().map_or(1.0, Round::answers_each);
    table.add("answers in flows, as they come", &rounds.into_iter().map(|round| round.slice).collect(), each);
}

/// Everybody says hello, as fast as that is taken. Tells how many conversations began a second, up to the last
/// greeting.
#[expect(clippy::cast_precision_loss, reason = "no crowd is that large")]
async fn begin(stage: &Stage, crowd: &Crowd) -> Result<f64> {
    for group in &crowd.groups {
        for user in group.users.clone() {
            // So that the provider lets everybody be written to. It posts nothing by itself.
            stage.provider.user_writes(&phone_number_id(group.line), &wa_id(user), "", "Hello").await;
        }
    }
    let (before, start) = (stage.calls(), Instant::now());
    post(stage, &crowd.load(0), crowd.posts(), Duration::ZERO).await?;
    let greeted = stage.reaches(before + crowd.users).await?;
    Ok(crowd.users as f64 / (greeted - start).as_secs_f64())
}

/// Everybody answers once a second, for so many seconds.
async fn answer(stage: &Stage, crowd: &Crowd, seconds: u64) -> Result<Round> {
    let (posts, answers) = (crowd.posts() * seconds, crowd.users * seconds);
    let interval = SECOND / u32::try_from(crowd.groups.len())?;
    let (before, cpu, start) = (stage.calls(), stage.server.cpu(), Instant::now());
    let latencies = post(stage, &crowd.load(1), posts, interval).await?;
    let answered = start.elapsed();
    let replied = stage.reaches(before + answers).await? - start;
    let cpu = stage.server.cpu().since(cpu);
    Ok(Round { slice: Slice::new(posts, answered, cpu, latencies), cpu, answers, answered, replied })
}

/// Posts so many webhooks, each an interval after the other, and tells how long each took from when it was due: one
/// that had to wait for a connection was late, too.
async fn post(stage: &Stage, load: &Load, posts: u64, interval: Duration) -> Result<Histogram<u64>> {
    let mut connections = Vec::new();
    for _ in 0..CONNECTIONS {
        connections.push(Connection::open(stage.server.address).await?);
    }
    let (next, start, mut workers) = (Arc::new(AtomicU64::new(0)), Instant::now(), JoinSet::new());
    for mut connection in connections {
        let (load, next) = (Arc::clone(load), Arc::clone(&next));
        workers.spawn(async move {
            let mut latencies = histogram()?;
            loop {
                let n = next.fetch_add(1, Ordering::Relaxed);
                let Some(request) = load(n).filter(|_| n < posts) else { break };
                let due = start + interval * u32::try_from(n)?;
                sleep_until(due.into()).await;
                connection.send(request).await?;
                latencies.saturating_record(u64::try_from(due.elapsed().as_micros())?);
            }
            Ok::<_, Box<dyn std::error::Error + Send + Sync>>(latencies)
        });
    }
    let mut latencies = histogram()?;
    while let Some(worked) = workers.join_next().await {
        latencies.add(worked??)?;
    }
    Ok(latencies)
}

impl Crowd {
    /// So many users from a number on, dealt out to the lines.
    fn of(first: u64, users: u64) -> Self {
        let (end, each) = (first + users, users.div_ceil(LINES));
        let mut groups = Vec::new();
        for part in 0..each.div_ceil(TOGETHER) {
            let from = part * TOGETHER;
            for line in 0..LINES {
                let begin = first + line * each;
                let users = (begin + from).min(end)..(begin + (from + TOGETHER).min(each)).min(end);
                groups.extend((!users.is_empty()).then_some(Group { line, users }));
            }
        }
        Self { groups, users }
    }

    /// How many webhooks tell a message of everybody.
    fn posts(&self) -> u64 {
        self.groups.len() as u64
    }

    /// What everybody says, again and again, from a turn on: in the first they say hello.
    fn load(&self, first_turn: u64) -> Load {
        let (groups, posts) = (self.groups.clone(), self.posts());
        Arc::new(move |n| {
            let group = groups.get(usize::try_from(n % posts).ok()?)?;
            group.request(first_turn + n / posts).ok()
        })
    }
}

impl Group {
    fn request(&self, turn: u64) -> Result<Request> {
        let at = SystemClock.now().seconds().to_string();
        let contact = |user: u64| json!({ "profile": { "name": format!("User {user}") }, "wa_id": wa_id(user) });
        let message = |user: u64| {
            let text = if turn == 0 { "Hello".to_owned() } else { format!("Answer {turn} of user {user}") };
            json!({ "from": wa_id(user), "id": format!("wamid.flow.{user}.{turn}"), "timestamp": at, "type": "text",
                "text": { "body": text } })
        };
        let value = json!({
            "messaging_product": "whatsapp",
            "metadata": { "display_phone_number": "12025550123", "phone_number_id": phone_number_id(self.line) },
            "contacts": self.users.clone().map(contact).collect::<Vec<_>>(),
            "messages": self.users.clone().map(message).collect::<Vec<_>>(),
        });
        let entry = json!({ "id": "102290129340398", "changes": [{ "field": "messages", "value": value }] });
        let body = json!({ "object": "whatsapp_business_account", "entry": [entry] }).to_string();
        let signed = signature::sign(APP_SECRET, body.as_bytes()).ok_or("an empty secret")?;
        requests::webhook("/webhooks/whatsapp", body, &signed)
    }
}

#[expect(clippy::cast_precision_loss, reason = "no round has that many answers")]
impl Round {
    fn line(&self) -> String {
        format!(
            "{:.0} answers/s, {:.0} replies/s, the last {:.0} ms after; webhooks p50 {:.0} ms, p99 {:.0} ms",
            self.answers_per_second(),
            self.replies_per_second(),
            self.trailing_ms(),
            self.slice.latency_ms(0.5),
            self.slice.latency_ms(0.99)
        )
    }

    fn answers_per_second(&self) -> f64 {
        self.answers as f64 / self.answered.as_secs_f64()
    }

    fn replies_per_second(&self) -> f64 {
        self.answers as f64 / self.replied.as_secs_f64()
    }

    fn trailing_ms(&self) -> f64 {
        (self.replied.saturating_sub(self.answered)).as_secs_f64() * 1_000.0
    }

    fn micros(&self, cpu: Duration) -> f64 {
        cpu.as_secs_f64() * 1_000_000.0 / self.answers as f64
    }

    /// Answers of a webhook.
    fn answers_each(&self) -> f64 {
        self.answers_per_second() / self.slice.per_second()
    }
}

/// What is published: questions one after the other, and an agent for whoever answers none.
fn flow() -> Value {
    let name = |step: usize| format!("question_{step:03}");
    let retry = json!({ "text": "Please write a few words.", "attempts": 2, "next": "agent" });
    let question = |step: usize| {
        let capture = json!({ "capture": { "variable": format!("answer_{step:03}") }, "retry": retry });
        let text = format!("Thank you. This is question {step} of {STEPS}: what do you say?");
        let question = json!({ "text": text, "answer": capture });
        let last = step + 1 == STEPS;
        let onward = if last { ("final", Value::Bool(true)) } else { ("next", name(step + 1).into()) };
        (name(step), with(question, onward))
    };
    let agent = ("agent".to_owned(), json!({ "text": "A colleague will write to you.", "handover": true }));
    let steps: Map<String, Value> = (0..STEPS).map(question).chain([agent]).collect();
    json!({ "start": name(0), "steps": steps })
}

fn with(mut object: Value, (name, value): (&str, Value)) -> Value {
    if let Some(fields) = object.as_object_mut() {
        fields.insert(name.to_owned(), value);
    }
    object
}

/// What the provider calls a line.
fn phone_number_id(line: u64) -> String {
    format!("flow{line}")
}

/// The WhatsApp id of a user.
fn wa_id(user: u64) -> String {
    format!("57{}", 3_000_000_000 + user)
}
