//! The simulator over HTTP: the client calls it, and it posts to a sink.

use std::sync::Mutex;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use uuid::Uuid;

use super::*;
use crate::config::Secret;
use crate::domain::clock::Timestamp;
use crate::domain::fact::{Fact, MessageFact, MessageName, Target};
use crate::domain::id::{LineId, MessageId};
use crate::domain::message::MessageKind;
use crate::domain::outgoing::{FilledTemplate, MediaKind, Outgoing};
use crate::domain::phone::Phone;
use crate::whatsapp::answer::{Action, Answer, Trouble};
use crate::whatsapp::client::{self, CloudApi};
use crate::whatsapp::outgoing::{OutgoingMessage, Recipient};
use crate::whatsapp::{signature, webhook};

const LINE: &str = "106540352242922";

struct FixedClock;

impl Clock for FixedClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_seconds(1_790_000_000).unwrap()
    }
}

/// Where webhooks arrive: it checks their signature, notes them, and answers the first `failing` of them with 503.
struct Sink {
    url: String,
    bodies: Arc<Mutex<Vec<String>>>,
    _tasks: JoinSet<()>,
}

#[derive(Clone)]
struct Inbox {
    bodies: Arc<Mutex<Vec<String>>>,
    failing: usize,
}

impl Sink {
    async fn start(failing: usize) -> Self {
        let inbox = Inbox { bodies: Arc::default(), failing };
        let bodies = inbox.bodies.clone();
        let router = Router::new().route("/hook", post(take)).with_state(inbox);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        let mut tasks = JoinSet::new();
        tasks.spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, bodies, _tasks: tasks }
    }

    fn facts(&self) -> Vec<Fact> {
        let line = LineId(Uuid::nil());
        let facts_of = |body: &String| -> Vec<Fact> {
            let updates = webhook::parse(body.as_bytes()).unwrap();
            updates.into_iter().flat_map(|updates| updates.facts(line, Timestamp::END)).collect()
        };
        self.bodies.lock().unwrap().iter().flat_map(facts_of).collect()
    }

    /// Every single update that arrived, in an order of its own.
    fn changes(&self) -> Vec<String> {
        let changes_of = |body: &String| {
            let body: Value = serde_json::from_str(body).unwrap();
            body["entry"][0]["changes"].as_array().unwrap().clone()
        };
        let mut changes: Vec<String> =
            self.bodies.lock().unwrap().iter().flat_map(changes_of).map(|change| change.to_string()).collect();
        changes.sort();
        changes
    }
}

async fn take(State(inbox): State<Inbox>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let signature = headers[signature::HEADER].to_str().unwrap();
    assert!(signature::verify("simulator", &body, signature));
    let mut bodies = inbox.bodies.lock().unwrap();
    bodies.push(String::from_utf8(body.to_vec()).unwrap());
    if bodies.len() > inbox.failing { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }
}

/// Settings under which nothing takes time worth speaking of, and every message is read and answered.
fn settings(sink: &Sink) -> SimulatorSettings {
    let outcomes = Outcomes {
        undeliverable: 0.0,
        withheld: 0.0,
        failed: 0.0,
        unreachable: 0.0,
        read: 1.0,
        chat_open: 0.0,
        answered: 1.0,
        reacted: 1.0,
        ..Outcomes::default()
    };
    let webhooks = Webhooks { duplicated: 0.0, late: 0.0, ..Webhooks::default() };
    SimulatorSettings {
        speed: 1e6,
        webhook_url: Some(sink.url.clone()),
        outcomes,
        webhooks,
        ..SimulatorSettings::default()
    }
}

async fn start(settings: SimulatorSettings) -> (Simulator, CloudApi) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let simulator = Simulator::start(listener, settings, Arc::new(FixedClock)).unwrap();
    let mut settings = client::CloudApiSettings::new(simulator.base_url(), Secret::new("token"));
    settings.call_timeout = Duration::from_secs(10);
    (simulator, CloudApi::new(&settings).unwrap())
}

fn message(number: u32) -> OutgoingMessage {
    let template = FilledTemplate {
        name: "welcome".into(),
        language: "es".into(),
        parameters: vec!["Ana".into()],
        replies: Vec::new(),
    };
    OutgoingMessage {
        recipient: Recipient::Phone(Phone::of_whatsapp_id(&format!("57300{number:07}")).unwrap()),
        content: Outgoing::Template(template),
        callback: MessageId(Uuid::from_u128(u128::from(number))),
    }
}

async fn send(api: &CloudApi, numbers: std::ops::Range<u32>) -> Vec<Answer> {
    let mut answers = Vec::new();
    for number in numbers {
        answers.push(api.send(LINE, &message(number)).await);
    }
    answers
}

#[tokio::test]
async fn an_accepted_message_is_sent_delivered_read_and_answered() {
    let sink = Sink::start(0).await;
    let (simulator, api) = start(settings(&sink)).await;
    let Answer::Accepted(accepted) = api.send(LINE, &message(7)).await else { panic!() };
    assert_eq!(accepted.wa_id.as_deref(), Some("573000000007"));
    assert!(!accepted.held);
    simulator.settled().await;
    let id = accepted.provider_message_id;
    let of = Target::Message(MessageName { own: Some(message(7).callback), provider: Some(id.clone()) });
    let mut told = Vec::new();
    for fact in sink.facts() {
        match fact {
            Fact::Status(status) => {
                assert_eq!(status.of, of);
                told.push(format!("{:?}", status.facts.status(false)));
            }
            Fact::Message(message) => {
                assert_eq!(message.person.key.wa_id, accepted.wa_id);
                assert_eq!(message.person.key.provider_user_id, accepted.provider_user_id);
                assert!(message.in_reply_to.is_none_or(|answered| answered == id));
                told.push(if message.content.kind.answers() { "answer".into() } else { "reaction".into() });
            }
            fact => panic!("{fact:?}"),
        }
    }
    told.sort();
    assert_eq!(told, ["Delivered", "Read", "Sent", "answer", "reaction"]);
}

#[tokio::test]
async fn the_same_seed_gives_the_same_webhooks_in_whatever_order_calls_come() {
    let mut runs = Vec::new();
    for (seed, backwards) in [(5, false), (5, true), (6, false)] {
        let sink = Sink::start(0).await;
        let webhooks = Webhooks { duplicated: 0.2, late: 0.5, lost: 0.1, ..Webhooks::default() };
        let faults = Faults { refused: 0.1, broken: 0.1, too_many: 0.1, ..Faults::default() };
        let outcomes = Outcomes::default();
        let (simulator, api) = start(SimulatorSettings { seed, outcomes, webhooks, faults, ..settings(&sink) }).await;
        let mut numbers: Vec<u32> = (0..60).map(|number| number % 40).collect();
        if backwards {
            numbers.reverse();
        }
        for number in numbers {
            api.send(LINE, &message(number)).await;
        }
        simulator.settled().await;
        runs.push(sink.changes());
    }
    assert!(runs[0].len() > 60);
    assert_eq!(runs[0], runs[1]);
    assert_ne!(runs[0], runs[2]);
}

#[tokio::test]
async fn every_fault_is_the_answer_that_it_stands_for() {
    let sink = Sink::start(0).await;
    let not_sent = Answer::NotSent { retry_after: Some(Duration::from_secs(1)) };
    for (faults, expected) in [
        (Faults { too_many: 1.0, ..Faults::default() }, not_sent),
        (Faults { broken: 1.0, ..Faults::default() }, Answer::Unknown),
        (Faults { cut: 1.0, ..Faults::default() }, Answer::Unknown),
        (Faults { without_id: 1.0, ..Faults::default() }, Answer::Unknown),
    ] {
        let (simulator, api) = start(SimulatorSettings { faults, ..settings(&sink) }).await;
        let answers = send(&api, 0..20).await;
        assert!(answers.iter().all(|answer| *answer == expected), "{answers:?}");
        let Counters { calls, accepted, duplicates, .. } = simulator.counters();
        assert_eq!((calls, duplicates), (20, 0));
        assert_eq!(accepted > 0 && accepted < 20, expected == Answer::Unknown);
    }
}

#[tokio::test]
async fn silence_is_an_unknown_outcome_and_ends_with_the_simulator() {
    let sink = Sink::start(0).await;
    let faults = Faults { silent: 1.0, accepted_anyway: 1.0, ..Faults::default() };
    let (simulator, api) = start(SimulatorSettings { faults, ..settings(&sink) }).await;
    let mut calls = JoinSet::new();
    calls.spawn(async move { api.send(LINE, &message(1)).await });
    // The webhooks of the accepted message come although its call is still waiting.
    while sink.changes().len() < 5 {
        tokio::task::yield_now().await;
    }
    simulator.shutdown().await;
    assert_eq!(calls.join_next().await.unwrap().unwrap(), Answer::Unknown);
}

#[tokio::test]
async fn refusals_carry_their_codes() {
    let sink = Sink::start(0).await;
    for (code, action) in [
        (131_056, Action::Retry(Trouble::Pair)),
        (130_429, Action::Retry(Trouble::Throttled)),
        (131_016, Action::Retry(Trouble::Unavailable)),
        (131_042, Action::StopLine),
        (132_000, Action::Fail),
    ] {
        let faults = Faults { refused: 1.0, refusal_codes: vec![code], ..Faults::default() };
        let (simulator, api) = start(SimulatorSettings { faults, ..settings(&sink) }).await;
        let Answer::Rejected(rejected) = api.send(LINE, &message(1)).await else { panic!("{code}") };
        assert_eq!((rejected.code, rejected.action), (code, action));
        assert!(!rejected.text.is_empty());
        assert_eq!(simulator.counters().accepted, 0);
    }
    assert_eq!(sink.changes().len(), 0);
}

#[tokio::test]
async fn a_held_message_is_told_to_be_held_and_goes_on_later() {
    let sink = Sink::start(0).await;
    let plain = settings(&sink);
    let outcomes = Outcomes { held: 1.0, ..plain.outcomes.clone() };
    let (simulator, api) = start(SimulatorSettings { outcomes, ..plain }).await;
    let Answer::Accepted(accepted) = api.send(LINE, &message(1)).await else { panic!() };
    assert!(accepted.held);
    simulator.settled().await;
    assert_eq!(sink.changes().len(), 5);
}

#[tokio::test]
async fn calls_that_the_provider_would_refuse_are_refused() {
    let sink = Sink::start(0).await;
    let mut settings = settings(&sink);
    settings.access_token = Some(Secret::new("another"));
    let (simulator, api) = start(settings).await;
    let Answer::Rejected(rejected) = api.send(LINE, &message(1)).await else { panic!() };
    assert_eq!((rejected.code, rejected.action), (190, Action::StopLine));

    let http = transport::client(CONNECT_TIMEOUT, POST_TIMEOUT).unwrap();
    let url = format!("{}/{LINE}/messages", simulator.base_url());
    let answer = http.post(&url).bearer_auth("another").json(&json!({})).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::BAD_REQUEST);
    let error: Value = answer.json().await.unwrap();
    assert_eq!(error["error"]["code"], 100);
    let answer = http.get(simulator.base_url()).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::BAD_REQUEST);
    assert_eq!(simulator.counters(), Counters::default());
}

#[tokio::test]
async fn a_message_that_is_sent_twice_is_noticed() {
    let sink = Sink::start(0).await;
    let (simulator, api) = start(settings(&sink)).await;
    send(&api, 0..3).await;
    send(&api, 2..3).await;
    let Counters { accepted, distinct_callbacks, duplicates, .. } = simulator.counters();
    assert_eq!((accepted, distinct_callbacks, duplicates), (4, 3, 1));
    let times = |number: u32| simulator.accepted_times(&message(number).callback.to_string());
    assert_eq!([times(1), times(2), times(3)], [1, 2, 0]);
}

#[tokio::test]
async fn a_webhook_that_is_not_taken_is_posted_again_as_it_was() {
    let sink = Sink::start(3).await;
    let plain = settings(&sink);
    let webhooks = Webhooks { posts_at_once: 1, ..plain.webhooks.clone() };
    let (simulator, api) = start(SimulatorSettings { webhooks, ..plain }).await;
    send(&api, 0..1).await;
    simulator.settled().await;
    let Counters { posted, failed_posts, updates, given_up, .. } = simulator.counters();
    assert_eq!((failed_posts, updates, given_up), (3, 5, 0));
    let bodies = sink.bodies.lock().unwrap().clone();
    assert_eq!(u64::try_from(bodies.len()).unwrap(), posted + failed_posts);
    assert!(bodies[..3].iter().all(|failed| bodies[3..].contains(failed)));
}

#[tokio::test]
async fn a_webhook_that_is_never_taken_is_given_up() {
    let sink = Sink::start(usize::MAX).await;
    let plain = settings(&sink);
    let webhooks = Webhooks { attempts: 4, updates_per_post: 1, ..plain.webhooks.clone() };
    let (simulator, api) = start(SimulatorSettings { webhooks, ..plain }).await;
    send(&api, 0..1).await;
    simulator.settled().await;
    let Counters { posted, failed_posts, given_up, .. } = simulator.counters();
    assert_eq!((posted, failed_posts, given_up), (0, 20, 5));
}

#[tokio::test]
async fn posts_hold_no_more_updates_than_they_may() {
    let sink = Sink::start(0).await;
    let plain = settings(&sink);
    let webhooks = Webhooks { updates_per_post: 3, ..plain.webhooks.clone() };
    let (simulator, api) = start(SimulatorSettings { webhooks, ..plain }).await;
    send(&api, 0..20).await;
    simulator.settled().await;
    assert_eq!(simulator.counters().updates, 100);
    let bodies = sink.bodies.lock().unwrap().clone();
    assert!(bodies.iter().all(|body| body.matches("\"field\"").count() <= 3));
}

#[tokio::test]
async fn calls_are_refused_while_too_many_updates_wait() {
    let sink = Sink::start(0).await;
    let plain = settings(&sink);
    let webhooks = Webhooks { backlog: 5, ..plain.webhooks.clone() };
    let (simulator, api) = start(SimulatorSettings { speed: 1e-6, webhooks, ..without_answer_delay(plain) }).await;
    assert!(matches!(api.send(LINE, &message(1)).await, Answer::Accepted(_)));
    let Answer::Rejected(rejected) = api.send(LINE, &message(2)).await else { panic!() };
    assert_eq!(rejected.action, Action::Retry(Trouble::Throttled));
    simulator.shutdown().await;
}

fn without_answer_delay(settings: SimulatorSettings) -> SimulatorSettings {
    let delays = Delays { answer: Span::ZERO, ..settings.delays.clone() };
    SimulatorSettings { delays, ..settings }
}

#[tokio::test]
async fn a_user_can_write_first() {
    let sink = Sink::start(0).await;
    let (simulator, _) = start(settings(&sink)).await;
    let first = simulator.user_writes(LINE, "573001234567", "Ana", "Hola 👋").await.unwrap();
    let second = simulator.user_writes(LINE, "573001234567", "Ana", "¿Hay alguien?").await.unwrap();
    assert_ne!(first, second);
    simulator.settled().await;
    let facts = sink.facts();
    assert_eq!(facts.len(), 2);
    let Some(Fact::Message(message)) =
        facts.into_iter().find(|fact| matches!(fact, Fact::Message(message) if message.provider_message_id == first))
    else {
        panic!()
    };
    assert_eq!(message.content.text.as_deref(), Some("Hola 👋"));
    assert_eq!((message.in_reply_to, message.person.name.unwrap().name.as_str()), (None, "Ana"));
    assert_eq!(message.person.key.phone.unwrap().as_str(), "+573001234567");
}

/// A user's message among the facts, by the provider's id.
fn heard(sink: &Sink, id: &str) -> MessageFact {
    let of = |fact| match fact {
        Fact::Message(message) if message.provider_message_id == id => Some(message),
        _ => None,
    };
    sink.facts().into_iter().find_map(of).unwrap()
}

#[tokio::test]
async fn a_user_can_answer_a_message_of_ours_and_come_from_an_advertisement() {
    let sink = Sink::start(0).await;
    let (simulator, _) = start(settings(&sink)).await;
    let (user, name) = ("573001234567", "Ana");
    let button = Choice::new("yes", "Yes");
    let pressed = simulator.user_presses(LINE, user, name, "wamid.A", &button).await.unwrap();
    let again = simulator.user_presses(LINE, user, name, "wamid.A", &button).await.unwrap();
    let quoting = simulator.user_writes_quoting(LINE, user, name, "wamid.B", "Hola").await.unwrap();
    let referred = simulator.user_comes_from(LINE, user, name, "Precio", "1203").await.unwrap();
    simulator.settled().await;
    assert_ne!(pressed, again);
    for (id, kind, text, quoted) in [
        (&pressed, MessageKind::Button, "Yes", Some("wamid.A")),
        (&again, MessageKind::Button, "Yes", Some("wamid.A")),
        (&quoting, MessageKind::Text, "Hola", Some("wamid.B")),
        (&referred, MessageKind::Text, "Precio", None),
    ] {
        let MessageFact { content, in_reply_to, .. } = heard(&sink, id);
        assert_eq!((content.kind, content.text.as_deref(), in_reply_to.as_deref()), (kind, Some(text), quoted));
    }
}

/// The code with which a message is rejected; `None` if it is accepted.
fn code(answer: &Answer) -> Option<i32> {
    match answer {
        Answer::Accepted(_) => None,
        Answer::Rejected(rejected) => Some(rejected.code),
        answer => panic!("{answer:?}"),
    }
}

fn saying(number: u32, content: Outgoing) -> OutgoingMessage {
    OutgoingMessage { content, ..message(number) }
}

#[tokio::test]
async fn free_form_messages_need_a_user_who_wrote_on_the_line() {
    let sink = Sink::start(0).await;
    let (simulator, api) = start(SimulatorSettings { window: f64::MAX, ..settings(&sink) }).await;
    let text = || saying(1, Outgoing::Text("Hola".into()));
    assert_eq!(code(&api.send(LINE, &text()).await), Some(131_047));
    simulator.user_writes("another", "573000000001", "Ana", "Hola").await.unwrap();
    assert_eq!(code(&api.send(LINE, &text()).await), Some(131_047));
    simulator.user_writes(LINE, "573000000001", "Ana", "Hola").await.unwrap();
    assert_eq!(code(&api.send(LINE, &text()).await), None);
    assert_eq!(simulator.counters().accepted, 1);
}

#[tokio::test]
async fn answers_open_the_window_and_time_closes_it() {
    let sink = Sink::start(0).await;
    for (window, expected) in [(f64::MAX, None), (0.0, Some(131_047))] {
        let (simulator, api) = start(SimulatorSettings { window, ..settings(&sink) }).await;
        send(&api, 1..2).await;
        simulator.settled().await;
        assert_eq!(code(&api.send(LINE, &saying(1, Outgoing::Text("Hola".into()))).await), expected);
    }
}

#[tokio::test]
async fn what_the_client_sends_is_understood_and_answered_by_what_it_offers() {
    let sink = Sink::start(0).await;
    let plain = settings(&sink);
    let outcomes = Outcomes { by_button: 1.0, reacted: 0.0, ..plain.outcomes.clone() };
    let (simulator, api) = start(SimulatorSettings { window: f64::MAX, outcomes, ..plain }).await;
    let (button, row) = (Choice::new("yes", "Yes"), Choice::new("blue", "Blue"));
    let template = FilledTemplate {
        name: "welcome".into(),
        language: "es".into(),
        parameters: Vec::new(),
        replies: vec!["hello:Go on".into()],
    };
    let media = |kind| Outgoing::Media { kind, link: "https://a.example/a".into(), caption: None, filename: None };
    let contents = [
        (Outgoing::Template(template), Some((MessageKind::Button, "Go on"))),
        (Outgoing::Buttons { text: "?".into(), buttons: vec![button] }, Some((MessageKind::Button, "Yes"))),
        (
            Outgoing::List { text: "?".into(), button: "See".into(), choices: vec![row] },
            Some((MessageKind::List, "Blue")),
        ),
        (Outgoing::Text("?".into()), None),
    ];
    let files = MediaKind::ALL.map(|kind| (media(kind), None));
    for (number, (content, expected)) in (1..).zip(contents.into_iter().chain(files)) {
        simulator.user_writes(LINE, &format!("57300{number:07}"), "Ana", "Hola").await.unwrap();
        let Answer::Accepted(accepted) = api.send(LINE, &saying(number, content)).await else { panic!("{number}") };
        simulator.settled().await;
        let Some(expected) = expected else { continue };
        let answers = |fact: &Fact| match fact {
            Fact::Message(message) if message.in_reply_to.as_ref() == Some(&accepted.provider_message_id) => {
                Some((message.content.kind, message.content.text.clone().unwrap()))
            }
            _ => None,
        };
        let answer = sink.facts().iter().find_map(answers).unwrap();
        assert_eq!((answer.0, answer.1.as_str()), expected);
    }
}

#[tokio::test]
async fn without_a_place_to_post_to_nothing_waits() {
    let sink = Sink::start(0).await;
    let (simulator, api) = start(SimulatorSettings { webhook_url: None, ..settings(&sink) }).await;
    assert!(matches!(send(&api, 0..1).await[..], [Answer::Accepted(_)]));
    assert_eq!(simulator.user_writes(LINE, "57300", "Ana", "Hola").await, None);
    simulator.settled().await;
    assert_eq!(sink.changes().len(), 0);
}

#[tokio::test]
async fn settings_that_make_no_sense_start_nothing() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let settings = SimulatorSettings { speed: f64::NAN, ..SimulatorSettings::default() };
    let refused = Simulator::start(listener, settings, Arc::new(FixedClock));
    assert!(matches!(refused, Err(SimulatorError::Settings(_))));
}
