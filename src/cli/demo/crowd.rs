//! The demo's simulated users: how they answer, and those who write on their own.

use std::time::Duration;

use crate::whatsapp::simulator::{Delays, Outcomes, Reply, Simulator, SimulatorSettings, Span};

/// How often somebody writes.
const INTERVAL: Duration = Duration::from_secs(2);

/// What they begin with.
const GREETINGS: [&str; 5] = [
    "Hello, I have a question",
    "Where is my order?",
    "What is the price of a monstera?",
    "Good morning! Are you there?",
    "precio?",
];

/// The settings of their provider. Everything happens faster than in life, and little fails, since each message of a
/// long conversation may.
pub(super) fn settings(webhook_url: String) -> SimulatorSettings {
    let outcomes = Outcomes {
        undeliverable: 0.012,
        withheld: 0.006,
        failed: 0.005,
        unreachable: 0.012,
        answered: 0.9,
        by_button: 0.75,
        slow: 0.06,
        reacted: 0.01,
        texts: ["Yes", "No", "Maybe"].map(str::to_owned).to_vec(),
        replies: replies(),
        ..Outcomes::default()
    };
    let delays = Delays { read: Span::new(1.0, 15.0), answered: Span::new(2.0, 25.0), ..Delays::default() };
    SimulatorSettings { webhook_url: Some(webhook_url), speed: 2.0, outcomes, delays, ..SimulatorSettings::default() }
}

/// People write again and again, each on their own; every fifth has written before.
pub(super) async fn write(simulator: &Simulator, line: &str, names: &[&str]) {
    let mut ticks = tokio::time::interval(INTERVAL);
    for number in 0_usize.. {
        // The first few write at once.
        if number >= names.len() {
            ticks.tick().await;
        }
        let person = if number % 5 == 4 { number / 2 } else { number };
        let (name, greeting) = (names.iter().cycle().nth(person), GREETINGS.iter().cycle().nth(number));
        if let Some((name, greeting)) = name.zip(greeting) {
            simulator.user_writes(line, &format!("57310555{person:04}"), name, greeting).await;
        }
    }
}

/// How they answer: most of them as they are asked, some wrongly, some not at all. The first that fits a message counts.
pub(super) fn replies() -> Vec<Reply> {
    [closing_replies(), sent_replies(), welcome_replies(), inbound_replies()].concat()
}

/// To words after which most have nothing to say.
fn closing_replies() -> Vec<Reply> {
    vec![
        reply(
            "see you soon",
            0.04,
            &["Thank you! I have a question about my order", "What is the price of a large one?"],
        ),
        reply("a colleague", 0.2, &["Hello?", "I am waiting", "Thank you"]),
        reply(
            "how can i help",
            0.9,
            &["My address has changed", "It arrived broken", "When do you open?", "I was charged twice"],
        ),
        reply("taken care of that", 0.7, &["No, thank you", "That is all", "You are great"]),
        reply("first one. we will help", 0.0, &[]),
        reply("could teach us", 0.0, &[]),
        reply("to your door", 0.0, &[]),
        reply("pesos", 0.0, &[]),
        reply("usual signs", 0.0, &[]),
    ]
}

/// To templates, and where those were not understood.
fn sent_replies() -> Vec<Reply> {
    vec![
        reply("welcome_", 0.65, &["Yes, gladly", "Tell me more", "Not now", "A person, please", "Who is this?"]),
        reply("a button of our first", 0.8, &["Yes, gladly", "Not now", "Talk to a person", "Which button?"]),
        reply("payment_reminder", 0.75, &["I have paid", "Later", "I need help", "What payment?"]),
        reply("paid, later, or", 0.8, &["Later", "I have paid", "I do not understand"]),
        reply("which day did you pay", 0.9, &["25/11/2026", "2026-11-26", "yesterday"]),
        reply("write the day like this", 0.85, &["26/11/2026", "the day before yesterday"]),
        reply("may we remind you", 0.9, &["Tomorrow", "never"]),
    ]
}

/// To the questions of the welcome.
fn welcome_replies() -> Vec<Reply> {
    vec![
        reply("should we call you", 0.92, &["Ana", "Don Luis", "Marta P.", "Jorge", "Lucía", "Sofi"]),
        reply(
            "what is your email",
            0.92,
            &["ana@example.com", "luis@example.org", "m.perez@example.com", "I have none"],
        ),
        reply("like ana@example.com", 0.85, &["sofia@example.com", "jorge@example.net", "why do you ask?"]),
        reply("how many plants", 0.92, &["0", "3", "5", "8", "12", "40", "a few"]),
        reply("write it as a number", 0.85, &["4", "7", "too many"]),
        reply("like to hear about", 0.92, &["Offers", "Plant care", "everything", "a person, please"]),
        reply("how was this chat", 0.9, &["Great", "Fine", "ok", "👍"]),
    ]
}

/// To the questions of the conversations that users begin.
fn inbound_replies() -> Vec<Reply> {
    vec![
        reply("how can we help", 0.95, &["Where is my order?", "A person, please", "I have a question"]),
        reply("number of your order", 0.92, &["10234", "20981", "31007", "I do not know"]),
        reply("digits only", 0.85, &["10877", "I cannot find it"]),
        reply("do you see on your plant", 0.9, &["Yellow leaves", "White spots", "It is sad"]),
        reply("know the price", 0.95, &["Small plants", "Delivery", "of that big one"]),
        reply("how satisfied", 0.9, &["Very", "So so", "I cannot say"]),
    ]
}

/// Those who answer write one of these where they press nothing.
fn reply(contains: &str, answered: f64, texts: &[&str]) -> Reply {
    let texts = texts.iter().map(|&text| text.to_owned()).collect();
    Reply { contains: contains.to_owned(), texts, by_button: None, answered: Some(answered) }
}
