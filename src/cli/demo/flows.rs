//! The demo's flows: a plant shop that welcomes, reminds, helps, tells prices and asks how it did.
//!
//! Their sessions end soon after the last word, so that a demo of a few minutes shows some that expire.

use serde_json::{Value, json};

/// How many minutes sessions last without a word.
const MINUTES: u32 = 2;

/// The versions of the welcome, in the order in which they are published.
pub(super) fn welcome() -> [Value; 3] {
    [plain_welcome(), longer_welcome(), full_welcome()]
}

/// The first version: a name, and a farewell.
fn plain_welcome() -> Value {
    json!({ "start": "hello", "rating": "rate", "sessionMinutes": MINUTES, "steps": {
        "hello": { "template": template("welcome_1", "MARKETING", &json!([])), "answer": {}, "next": "name" },
        "name": name("rate"),
        "rate": rate(),
        "agent": agent(),
    } })
}

/// The second: it asks for an email, too, and what somebody likes.
fn longer_welcome() -> Value {
    json!({ "start": "hello", "rating": "rate", "sessionMinutes": MINUTES, "steps": {
        "hello": { "template": template("welcome_2", "MARKETING", &json!([])), "next": "name", "answer": {
            "routes": [{ "when": { "contains": "person" }, "next": "agent" }] } },
        "name": name("email"),
        "email": email("topic"),
        "topic": topic(),
        "rate": rate(),
        "agent": agent(),
    } })
}

/// The third: buttons on the template, a way out, and a number that decides what is said.
fn full_welcome() -> Value {
    let buttons = quick_replies(["Yes, gladly", "Tell me more", "Not now"]);
    json!({ "start": "hello", "rating": "rate", "sessionMinutes": MINUTES, "steps": {
        "hello": { "template": template("welcome_3", "MARKETING", &buttons), "answer": {
            "routes": [
                { "when": { "button": "Yes, gladly" }, "next": "name" },
                { "when": { "button": "Tell me more" }, "next": "about" },
                { "when": { "button": "Not now" }, "next": "later" },
                { "when": { "contains": "person" }, "next": "agent" },
            ],
            "retry": retry("Please answer with a button of our first message, {{first_name}}.") } },
        "about": { "media": { "kind": "IMAGE", "link": "https://example.com/shop.jpg" }, "next": "name",
            "text": "Casa Verde grows plants in {{city}}, and brings them to your door." },
        "later": { "text": "No problem, {{first_name}}. May we write to you another time?", "final": true,
            "buttons": [choice("yes", "Yes"), choice("no", "No")],
            "answer": { "capture": { "variable": "another_time", "type": "CHOICE" }, "retry": retry("Yes or no?") },
            "farewell": "Thank you, we will keep to that. See you soon!" },
        "name": name("email"),
        "email": email("plants"),
        "plants": { "text": "How many plants do you have at home, {{name}}?", "next": "topic", "answer": {
            "capture": { "variable": "plants", "type": "NUMBER" },
            "routes": [
                { "when": { "range": { "max": 0 } }, "next": "first_plant" },
                { "when": { "range": { "min": 20 } }, "next": "expert" },
            ],
            "retry": retry("Please write it as a number.") } },
        "first_plant": { "text": "Then it is time for a first one. We will help you to choose!", "next": "topic" },
        "expert": { "text": "Wow, {{plants}} plants! You could teach us a thing or two.", "next": "topic" },
        "topic": topic(),
        "rate": rate(),
        "agent": agent(),
    } })
}

/// The reminder of a payment.
pub(super) fn reminder() -> Value {
    let buttons = quick_replies(["I have paid", "Later", "I need help"]);
    json!({ "start": "hello", "sessionMinutes": MINUTES, "steps": {
        "hello": { "template": template("payment_reminder", "UTILITY", &buttons), "answer": {
            "routes": [
                { "when": { "button": "I have paid" }, "next": "paid" },
                { "when": { "button": "Later" }, "next": "later" },
                { "when": { "button": "I need help" }, "next": "agent" },
                { "when": { "contains": "help" }, "next": "agent" },
            ],
            "retry": retry("Paid, later, or do you need help, {{first_name}}?") } },
        "paid": { "text": "Great, {{first_name}}! On which day did you pay?", "final": true, "answer": {
            "capture": { "variable": "paid_on", "type": "DATE" },
            "retry": retry("Please write the day like this: 27/11/2026.") },
            "farewell": "Thank you, we will look for it. See you soon!" },
        "later": { "text": "When may we remind you, {{first_name}}?", "final": true,
            "buttons": [choice("tomorrow", "Tomorrow"), choice("week", "In a week")],
            "answer": {
                "capture": { "variable": "remind", "type": "CHOICE" },
                "retry": retry("Tomorrow, or in a week?") },
            "farewell": "We will remind you then. See you soon!" },
        "agent": agent(),
    } })
}

/// What whoever writes is asked, unless a rule of the line knows better. It may lead to the conversation that asks how it
/// was.
pub(super) fn support(feedback: &str) -> Value {
    json!({ "start": "greet", "rating": "rate", "sessionMinutes": MINUTES, "steps": {
        "greet": { "text": "Hello, this is Casa Verde. How can we help?",
            "buttons": [choice("order", "My order"), choice("plant", "A sick plant"),
                choice("agent", "Talk to a person")],
            "answer": {
                "routes": [
                    { "when": { "button": "order" }, "next": "order" },
                    { "when": { "button": "plant" }, "next": "photo" },
                    { "when": { "button": "agent" }, "next": "agent" },
                    { "when": { "contains": "order" }, "next": "order" },
                    { "when": { "contains": "person" }, "next": "agent" },
                ],
                "retry": retry("Please choose one of these.") } },
        "order": { "text": "What is the number of your order?", "next": "found", "answer": {
            "capture": { "variable": "order", "type": "NUMBER" },
            "retry": retry("The number has digits only. It is in our email to you.") } },
        "found": { "text": "Order {{order}} is on its way, and should arrive tomorrow. Is that all?",
            "buttons": [choice("yes", "Yes, thank you"), choice("no", "No")],
            "answer": {
                "routes": [
                    { "when": { "button": "yes" }, "next": "feedback" },
                    { "when": { "button": "no" }, "next": "agent" },
                ],
                "retry": retry("Is that all? Yes or no?") } },
        "photo": { "media": { "kind": "IMAGE", "link": "https://example.com/leaves.jpg" }, "next": "symptom",
            "text": "These are the usual signs." },
        "symptom": { "text": "What do you see on your plant?", "next": "agent", "answer": {
            "capture": { "variable": "symptom" }, "retry": retry("Please describe it in a few words.") } },
        "feedback": { "jump": feedback },
        "rate": rate(),
        "agent": agent(),
    } })
}

/// What whoever asks for prices is told.
pub(super) fn prices(feedback: &str) -> Value {
    json!({ "start": "which", "rating": "rate", "sessionMinutes": MINUTES, "steps": {
        "which": { "text": "Of what would you like to know the price?", "next": "all",
            "list": { "button": "Choose", "rows": [choice("small", "Small plants"), choice("large", "Large plants"),
                choice("delivery", "Delivery"), choice("all", "Everything")] },
            "answer": {
                "capture": { "variable": "product", "type": "CHOICE" },
                "routes": [
                    { "when": { "button": "small" }, "next": "small" },
                    { "when": { "button": "large" }, "next": "large" },
                    { "when": { "button": "delivery" }, "next": "delivery" },
                ],
                "retry": retry("Please choose from the list.") } },
        "small": { "text": "Small plants cost from 12,000 to 30,000 pesos.", "next": "more" },
        "large": { "text": "Large plants cost from 60,000 to 250,000 pesos.", "next": "more" },
        "delivery": { "text": "Delivery costs 8,000 pesos, within two days.", "next": "more" },
        "all": { "text": "This is our whole list, in pesos.", "next": "more",
            "media": { "kind": "DOCUMENT", "link": "https://example.com/prices.pdf", "filename": "prices.pdf" } },
        "more": { "text": "Would you like to buy something?",
            "buttons": [choice("yes", "Yes"), choice("no", "No")],
            "answer": {
                "routes": [
                    { "when": { "button": "yes" }, "next": "agent" },
                    { "when": { "button": "no" }, "next": "feedback" },
                ],
                "retry": retry("Would you? Yes or no?") } },
        "feedback": { "jump": feedback },
        "rate": rate(),
        "agent": agent(),
    } })
}

/// What everybody is asked in the end.
pub(super) fn feedback() -> Value {
    let row =
        |id: &str, title: &str, description: &str| json!({ "id": id, "title": title, "description": description });
    json!({ "start": "rate", "rating": "rate", "sessionMinutes": MINUTES, "steps": {
        "rate": { "text": "One last question: how satisfied are you with us?", "final": true,
            "list": { "button": "Rate us", "rows": [row("5", "Very", "You were quick and kind"),
                row("3", "So so", "It could have been better"), row("1", "Not at all", "You did not help me")] },
            "answer": {
                "capture": { "variable": "rating", "type": "CHOICE" },
                "retry": retry("Please rate us from the list.") },
            "farewell": "Thank you for telling us. See you soon!" },
        "agent": agent(),
    } })
}

fn template(name: &str, category: &str, buttons: &Value) -> Value {
    let parameters = ["{{first_name}}", "{{city}}"];
    json!({ "name": name, "language": "en", "parameters": parameters, "category": category, "buttons": buttons })
}

fn name(next: &str) -> Value {
    json!({ "text": "Nice to meet you! What should we call you?", "next": next, "answer": {
        "capture": { "variable": "name" }, "retry": retry("Please write what we should call you.") } })
}

fn email(next: &str) -> Value {
    json!({ "text": "Thank you, {{name}}. What is your email address?", "next": next, "answer": {
        "capture": { "variable": "email", "type": "EMAIL" },
        "retry": retry("That is no email address. Please write one like ana@example.com.") } })
}

fn topic() -> Value {
    json!({ "text": "What would you like to hear about?", "next": "rate",
        "list": { "button": "Topics", "rows": [choice("care", "Plant care"), choice("offers", "Offers"),
            choice("gifts", "Gifts"), choice("classes", "Classes"), choice("person", "Talk to a person")] },
        "answer": {
            "capture": { "variable": "topic", "type": "CHOICE" },
            "routes": [{ "when": { "button": "person" }, "next": "agent" }],
            "retry": retry("Please choose what you would like to hear about.") } })
}

/// The last question, to which agents lead, too.
fn rate() -> Value {
    json!({ "text": "How was this chat?", "final": true,
        "buttons": [choice("great", "Great"), choice("fine", "Fine"), choice("poor", "Poor")],
        "answer": {
            "capture": { "variable": "rating", "type": "CHOICE" },
            "retry": retry("How was this chat: great, fine or poor?") },
        "farewell": "Thank you for your time. See you soon!" })
}

fn agent() -> Value {
    json!({ "text": "One moment: a colleague will write to you here.", "handover": true })
}

fn retry(text: &str) -> Value {
    json!({ "text": text, "attempts": 2, "next": "agent" })
}

/// The buttons of a template, which are known by what they say.
fn quick_replies(titles: [&str; 3]) -> Value {
    titles.map(|title| json!({ "title": title })).as_slice().into()
}

fn choice(id: &str, title: &str) -> Value {
    json!({ "id": id, "title": title })
}
