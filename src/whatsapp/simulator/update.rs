//! Webhooks as the provider writes them: its format, and its escapes of everything that is not ASCII.

use std::fmt::Write;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::call::Recipient;
use super::chance::Chance;
use super::course::Event;
use super::error_answer::failure;
use crate::domain::clock::Timestamp;
use crate::domain::id::derived_key;
use crate::domain::outgoing::Choice;

/// What updates are about: a message, or the conversation that a user began.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Subject {
    pub(super) phone_number_id: String,
    pub(super) person: Person,
    pub(super) wamid: String,
    pub(super) callback: Option<String>,
    /// The message that the user's message quotes, if that is another one.
    pub(super) quoted: Option<String>,
}

/// Somebody on WhatsApp.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Person {
    /// The WhatsApp id; `None` if the number is hidden.
    pub(super) wa_id: Option<String>,
    pub(super) user_id: String,
    pub(super) name: String,
}

/// An update to report in a webhook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Update {
    pub(super) subject: Arc<Subject>,
    pub(super) event: Event,
    pub(super) at: Timestamp,
}

/// The field of webhooks about preferences, and the list in them.
const PREFERENCES: &str = "user_preferences";

const FIRST_NAMES: [&str; 8] = ["Ana", "Luis", "María José", "João", "Zoë", "Mehmet", "Aïcha", "Tom"];
const LAST_NAMES: [&str; 8] = ["García", "Muñoz", "Okafor", "Silva", "Yılmaz", "Nguyễn", "Smith", "Díaz"];

impl Subject {
    /// The id of the message of a type that the user writes about it; there is at most one of each type.
    pub(super) fn own_wamid(&self, message_type: &str) -> String {
        wamid(derived_key(message_type, &[self.wamid.as_bytes()]))
    }
}

impl Person {
    /// The person behind a recipient, which is always the same for a seed.
    pub(super) fn behind(recipient: &Recipient, seed: u64) -> Self {
        let chance = Chance::of(seed, &["person", recipient.id()]);
        let word = |what: &str, words: &[&'static str]| chance.pick(what, words).copied().unwrap_or_default();
        let name = format!("{} {}", word("first name", &FIRST_NAMES), word("last name", &LAST_NAMES));
        match recipient {
            Recipient::Account(wa_id) => Self { wa_id: Some(wa_id.clone()), user_id: user_id(wa_id), name },
            Recipient::User(user_id) => Self { wa_id: None, user_id: user_id.clone(), name },
        }
    }

    fn contact(&self) -> Value {
        with(json!({ "profile": { "name": self.name }, "user_id": self.user_id }), "wa_id", self.wa_id.as_deref())
    }
}

impl Update {
    fn change(&self) -> Value {
        let Subject { phone_number_id, person, .. } = &*self.subject;
        let mut value = json!({
            "messaging_product": "whatsapp",
            "metadata": { "display_phone_number": phone_number_id, "phone_number_id": phone_number_id },
        });
        let (list, element) = self.element();
        // The provider sends no contacts with a failure.
        if !matches!(self.event, Event::Failed(_)) {
            value = with(value, "contacts", Some(json!([person.contact()])));
        }
        let field = if list == PREFERENCES { PREFERENCES } else { "messages" };
        json!({ "field": field, "value": with(value, list, Some(json!([element]))) })
    }

    /// The list of a webhook in which the update stands, and what it says there.
    fn element(&self) -> (&'static str, Value) {
        match &self.event {
            Event::Sent => ("statuses", self.status("sent")),
            Event::Delivered => ("statuses", self.status("delivered")),
            Event::Read => ("statuses", self.status("read")),
            Event::Failed(code) => ("statuses", self.failed(*code)),
            Event::Text { text, quoting } => ("messages", self.message(&json!({ "body": text }), *quoting)),
            Event::FromAd { text, source_id } => ("messages", self.referred(text, source_id)),
            Event::Button { payload, text } => {
                ("messages", self.message(&json!({ "payload": payload, "text": text }), true))
            }
            Event::Choice { list, choice } => ("messages", self.message(&chosen(*list, choice), true)),
            Event::Reaction(emoji) => ("messages", self.message(&self.reaction(emoji), false)),
            Event::OptedOut => (PREFERENCES, self.opt_out()),
        }
    }

    fn status(&self, status: &str) -> Value {
        let element = json!({
            "id": self.subject.wamid,
            "status": status,
            "timestamp": self.timestamp(),
            "recipient_user_id": self.subject.person.user_id,
        });
        let pricing = json!({ "billable": true, "pricing_model": "PMP", "type": "regular", "category": "marketing" });
        self.addressed(with(element, "pricing", (status == "sent").then_some(pricing)))
    }

    fn failed(&self, code: i32) -> Value {
        let element = json!({
            "id": self.subject.wamid,
            "status": "failed",
            "timestamp": self.timestamp(),
            "errors": [failure(code)],
        });
        self.addressed(element)
    }

    fn addressed(&self, status: Value) -> Value {
        let status = with(status, "recipient_id", self.subject.person.wa_id.as_deref());
        with(status, "biz_opaque_callback_data", self.subject.callback.as_deref())
    }

    fn message(&self, said: &Value, quoting: bool) -> Value {
        let Subject { phone_number_id, person, wamid, quoted, .. } = &*self.subject;
        let message_type = self.event.message_type().unwrap_or_default();
        let message = json!({
            "from_user_id": person.user_id,
            "id": self.subject.own_wamid(message_type),
            "timestamp": self.timestamp(),
            "type": message_type,
            message_type: said,
        });
        let context = json!({ "from": phone_number_id, "id": quoted.as_ref().unwrap_or(wamid) });
        with(with(message, "from", person.wa_id.as_deref()), "context", quoting.then_some(context))
    }

    fn referred(&self, text: &str, source_id: &str) -> Value {
        let source_url = format!("https://fb.me/{source_id}");
        let referral = json!({ "source_url": source_url, "source_id": source_id, "source_type": "ad" });
        with(self.message(&json!({ "body": text }), false), "referral", Some(referral))
    }

    fn reaction(&self, emoji: &str) -> Value {
        json!({ "message_id": self.subject.wamid, "emoji": emoji })
    }

    fn opt_out(&self) -> Value {
        let element = json!({
            "user_id": self.subject.person.user_id,
            "detail": "User requested to stop marketing messages",
            "category": "marketing_messages",
            "value": "stop",
            "timestamp": self.at.seconds(),
        });
        with(element, "wa_id", self.subject.person.wa_id.as_deref())
    }

    fn timestamp(&self) -> String {
        self.at.seconds().to_string()
    }
}

/// The answer to an interactive message.
fn chosen(list: bool, choice: &Choice) -> Value {
    let name = if list { "list_reply" } else { "button_reply" };
    json!({ "type": name, name: choice })
}

/// The body of a webhook with these updates.
pub(super) fn body(updates: &[Update]) -> String {
    let changes: Vec<Value> = updates.iter().map(Update::change).collect();
    let entry = json!({ "id": "simulated", "changes": changes });
    escaped(&json!({ "object": "whatsapp_business_account", "entry": [entry] }).to_string())
}

/// A message id in the provider's format.
pub(super) fn wamid(key: Uuid) -> String {
    format!("wamid.{}", STANDARD.encode(key.as_bytes()))
}

/// A user id in the provider's format.
fn user_id(wa_id: &str) -> String {
    format!("US.{}", derived_key("user", &[wa_id.as_bytes()]).as_u128() >> u64::BITS)
}

/// JSON with everything that is not ASCII in lower-case escapes, which is how the provider writes and signs it.
fn escaped(json: &str) -> String {
    let mut escaped = String::with_capacity(json.len());
    for letter in json.chars() {
        if letter.is_ascii() {
            escaped.push(letter);
            continue;
        }
        for unit in letter.encode_utf16(&mut [0; 2]) {
            // Writing into a string cannot fail.
            let _ = write!(escaped, "\\u{unit:04x}");
        }
    }
    escaped
}

/// The object with another field, if there is a value for it.
fn with(object: Value, name: &str, value: Option<impl Into<Value>>) -> Value {
    let mut fields = match object {
        Value::Object(fields) => fields,
        _ => Map::new(),
    };
    fields.extend(value.map(|value| (name.to_owned(), value.into())));
    Value::Object(fields)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::fact::Fact;
    use crate::domain::id::LineId;
    use crate::domain::message::MessageKind;
    use crate::whatsapp::webhook;

    fn update(recipient: &Recipient, event: Event) -> Update {
        let subject = Subject {
            phone_number_id: "1065".into(),
            person: Person::behind(recipient, 1),
            wamid: "wamid.A".into(),
            callback: Some("msg_00000000000000000000000000000005".into()),
            quoted: None,
        };
        Update { subject: Arc::new(subject), event, at: Timestamp::from_seconds(1_790_000_000).unwrap() }
    }

    fn facts(updates: &[Update]) -> Vec<Fact> {
        let body = body(updates);
        let line = LineId(Uuid::nil());
        let updates = webhook::parse(body.as_bytes()).unwrap();
        updates.into_iter().flat_map(|updates| updates.facts(line, Timestamp::END)).collect()
    }

    #[test]
    fn every_update_is_understood() {
        let events = [
            Event::Sent,
            Event::Delivered,
            Event::Read,
            Event::Failed(131_026),
            Event::Text { text: "Sí 😊".into(), quoting: true },
            Event::Button { payload: "hello:Yes".into(), text: "Yes".into() },
            Event::Choice { list: false, choice: Choice::new("yes", "Yes") },
            Event::Choice { list: true, choice: described() },
            Event::Reaction("👍"),
            Event::OptedOut,
        ];
        for recipient in [Recipient::Account("573001234567".into()), Recipient::User("CO.7".into())] {
            let updates = events.clone().map(|event| update(&recipient, event));
            for fact in facts(&updates) {
                match fact {
                    Fact::Status(status) => assert_eq!(status.of.provider_message_id(), Some("wamid.A")),
                    Fact::Message(message) => assert_eq!(message.in_reply_to.as_deref(), Some("wamid.A")),
                    Fact::Preference { person, preference } => {
                        assert_eq!(person.key.wa_id.is_some(), matches!(recipient, Recipient::Account(_)));
                        assert!(preference.stopped && person.key.provider_user_id.is_some() && person.name.is_some());
                    }
                    fact => panic!("{fact:?}"),
                }
            }
        }
    }

    fn described() -> Choice {
        Choice { description: Some("Soon".into()), ..Choice::new("blue", "Blue") }
    }

    #[test]
    fn answers_to_what_was_offered_contain_what_was_chosen() {
        let choice = |list, choice| Event::Choice { list, choice };
        for (event, kind, text, payload) in [
            (
                Event::Button { payload: "hello:Yes".into(), text: "Yes".into() },
                MessageKind::Button,
                "Yes",
                json!({ "payload": "hello:Yes", "text": "Yes" }),
            ),
            (
                choice(false, Choice::new("yes", "Yes")),
                MessageKind::Button,
                "Yes",
                json!({ "id": "yes", "title": "Yes" }),
            ),
            (
                choice(true, described()),
                MessageKind::List,
                "Blue",
                json!({ "id": "blue", "title": "Blue", "description": "Soon" }),
            ),
        ] {
            let [Fact::Message(message)] = &facts(&[update(&Recipient::User("CO.7".into()), event)])[..] else {
                panic!()
            };
            assert_eq!((message.content.kind, message.content.text.as_deref()), (kind, Some(text)));
            let given: Value = serde_json::from_str(message.content.payload.as_deref().unwrap()).unwrap();
            assert_eq!(given, payload);
        }
    }

    #[test]
    fn a_text_from_an_advertisement_tells_which_and_quotes_nothing() {
        let event = Event::FromAd { text: "Hola".into(), source_id: "1203".into() };
        let update = update(&Recipient::Account("573001234567".into()), event);
        let referral = json!({ "source_url": "https://fb.me/1203", "source_id": "1203", "source_type": "ad" });
        assert_eq!(update.change()["value"]["messages"][0]["referral"], referral);
        let [Fact::Message(message)] = &facts(&[update])[..] else { panic!() };
        assert_eq!((message.content.text.as_deref(), &message.in_reply_to), (Some("Hola"), &None));
    }

    #[test]
    fn texts_survive_the_escapes() {
        let text = Event::Text { text: "Sí 😊".into(), quoting: false };
        let update = update(&Recipient::Account("573001234567".into()), text);
        let body = body(std::slice::from_ref(&update));
        assert!(body.is_ascii() && body.contains(r"S\u00ed \ud83d\ude0a"), "{body}");
        let [Fact::Message(message)] = &facts(&[update])[..] else { panic!() };
        assert_eq!((message.content.kind, message.content.text.as_deref()), (MessageKind::Text, Some("Sí 😊")));
        assert_eq!(message.in_reply_to, None);
        assert!(message.person.name.is_some());
    }

    #[test]
    fn a_hidden_number_is_never_shown() {
        let recipient = Recipient::User("CO.7".into());
        let body = body(&[update(&recipient, Event::Sent), update(&recipient, Event::OptedOut)]);
        assert!(!body.contains("wa_id") && !body.contains("recipient_id"));
    }
}
