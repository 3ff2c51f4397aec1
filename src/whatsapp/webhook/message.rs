//! Messages that users write, of all the provider's types.
//!
//! No action of a user is dropped: a message of an unknown type, or without the content of its type, is recorded with the kind
//! UNSUPPORTED and the whole element as its payload. Only what does not belong in a history is kept instead: WhatsApp's own
//! notices, group messages, and what the database cannot store.

use serde_json::Value;
use serde_json::value::RawValue;

use super::object::{Object, typed};
use super::person::{Ids, Profiles};
use super::reason;
use crate::domain::clock::Timestamp;
use crate::domain::fact::{Content, MessageFact, Person};
use crate::domain::id::LineId;
use crate::domain::inbound::{MAX_REFERRAL_BYTES, Referral};
use crate::domain::input::{MAX_JSON_BYTES, MAX_TEXT_BYTES, check_json, check_name, check_text};
use crate::domain::message::{MessageKind, Sender};
use crate::domain::phone::Phone;
use crate::whatsapp::ids::provider_id;

/// The content of a message, as it arrived.
struct Body<'a> {
    kind: MessageKind,
    text: Option<String>,
    payload: Option<&'a RawValue>,
}

/// Reads a message that was written at `at`. The error is the reason why it is kept.
pub(super) fn read(
    message: &Object<'_>,
    at: Timestamp,
    line: LineId,
    profiles: &Profiles,
) -> Result<MessageFact, &'static str> {
    let given_type = message.text("type").unwrap_or_default();
    match given_type.as_str() {
        _ if message.field("group_id").is_some() => return Err(reason::GROUP),
        "system" => return Err(reason::SYSTEM),
        _ => {}
    }
    Ok(MessageFact {
        line,
        person: sender(message, at, profiles)?,
        sender: Sender::User,
        provider_message_id: message.text("id").as_deref().and_then(provider_id).ok_or(reason::BAD_ID)?,
        in_reply_to: in_reply_to(message),
        content: Body::read(message, &given_type).content(at)?,
        referral: referral(message),
    })
}

impl<'a> Body<'a> {
    fn read(message: &Object<'a>, given_type: &str) -> Self {
        let object = message.object(given_type);
        let body = match (given_type, object) {
            ("contacts", _) => message.field("contacts").map(|cards| Self::bare(MessageKind::Contacts, Some(cards))),
            (_, Some(object)) => Self::of_type(given_type, &object),
            (_, None) => None,
        };
        body.unwrap_or_else(|| Self::bare(MessageKind::Unsupported, Some(message.raw())))
    }

    fn of_type(given_type: &str, object: &Object<'a>) -> Option<Self> {
        let payload = Some(object.raw());
        match given_type {
            "text" => Some(Self { kind: MessageKind::Text, text: Some(object.text("body")?), payload: None }),
            "button" => Some(Self { kind: MessageKind::Button, text: object.text("text"), payload }),
            "interactive" => Self::interactive(object),
            "reaction" => Some(Self { kind: MessageKind::Reaction, text: object.text("emoji"), payload }),
            "location" => Some(Self::bare(MessageKind::Location, payload)),
            _ => Some(Self { kind: media(given_type)?, text: object.text("caption"), payload }),
        }
    }

    /// An answer to an interactive message. Submitting a form counts as pressing a button, and the payload contains the form.
    fn interactive(object: &Object<'a>) -> Option<Self> {
        let (kind, field, title) = match object.text("type")?.as_str() {
            "button_reply" => (MessageKind::Button, "button_reply", "title"),
            "list_reply" => (MessageKind::List, "list_reply", "title"),
            "nfm_reply" => (MessageKind::Button, "nfm_reply", "body"),
            _ => return None,
        };
        let reply = object.object(field)?;
        Some(Self { kind, text: reply.text(title), payload: Some(reply.raw()) })
    }

    const fn bare(kind: MessageKind, payload: Option<&'a RawValue>) -> Self {
        Self { kind, text: None, payload }
    }

    fn content(self, at: Timestamp) -> Result<Content, &'static str> {
        if self.text.as_deref().is_some_and(|text| check_text(text, MAX_TEXT_BYTES).is_err()) {
            return Err(reason::BAD_TEXT);
        }
        if !self.payload.is_none_or(storable) {
            return Err(reason::BAD_PAYLOAD);
        }
        let payload = self.payload.map(|payload| payload.get().to_owned());
        Ok(Content { at, kind: self.kind, text: self.text, payload })
    }
}

fn media(given_type: &str) -> Option<MessageKind> {
    match given_type {
        "image" => Some(MessageKind::Image),
        "video" => Some(MessageKind::Video),
        "audio" => Some(MessageKind::Audio),
        "document" => Some(MessageKind::Document),
        "sticker" => Some(MessageKind::Sticker),
        _ => None,
    }
}

fn sender(message: &Object<'_>, at: Timestamp, profiles: &Profiles) -> Result<Person, &'static str> {
    let mut person = profiles.person(Ids::read(message, "from", "from_user_id"), at);
    if person.key.is_empty() {
        return Err(reason::NO_SENDER);
    }
    person.key.phone = person.key.wa_id.as_deref().and_then(Phone::of_whatsapp_id);
    Ok(person)
}

/// The message that this one quotes or reacts to.
fn in_reply_to(message: &Object<'_>) -> Option<String> {
    let quoted = message.object("context").and_then(|context| context.text("id"));
    let reacted_to = || message.object("reaction").and_then(|reaction| reaction.text("message_id"));
    provider_id(&quoted.or_else(reacted_to)?)
}

/// What the user tapped to write the message. What is no text, or longer than a rule may be, is left out.
fn referral(message: &Object<'_>) -> Option<Referral> {
    let referral = message.object("referral")?;
    let source = |name| referral.text(name).filter(|source| check_name(source, MAX_REFERRAL_BYTES).is_ok());
    let (source_id, source_url) = (source("source_id"), source("source_url"));
    (source_id.is_some() || source_url.is_some()).then_some(Referral { source_id, source_url })
}

/// Whether a payload can be stored and returned as JSON. It is stored as it arrived, since serializing it again might change
/// its numbers.
fn storable(payload: &RawValue) -> bool {
    payload.get().len() <= MAX_JSON_BYTES && typed::<Value>(payload).is_some_and(|value| check_json(&value).is_ok())
}
