//! Statuses: how far an outgoing message got.

use serde_json::Value;

use super::object::{Object, typed};
use super::person::{Ids, Profiles};
use super::reason;
use crate::domain::clock::Timestamp;
use crate::domain::fact::{MessageName, Person, StatusFact, Target};
use crate::domain::failure::{FailureReason, ProviderFailure};
use crate::domain::id::{AnyId, MessageId};
use crate::domain::merge::MessageFacts;
use crate::whatsapp::error::ErrorObject;
use crate::whatsapp::ids::provider_id;

/// Reads a status as of `at`. The error is the reason why it is kept.
pub(super) fn read(status: &Object<'_>, at: Timestamp, profiles: &Profiles) -> Result<StatusFact, &'static str> {
    if status.text("recipient_type").as_deref() == Some("group") {
        return Err(reason::GROUP);
    }
    let facts = facts(status, at)?;
    let provider = status.text("id").as_deref().and_then(provider_id).ok_or(reason::BAD_ID)?;
    let name = MessageName { own: own_id(status), provider: Some(provider) };
    Ok(StatusFact { of: Target::Message(name), facts, recipient: recipient(status, profiles, at) })
}

fn facts(status: &Object<'_>, at: Timestamp) -> Result<MessageFacts, &'static str> {
    let nothing = MessageFacts::default();
    match status.text("status").as_deref() {
        Some("sent") => Ok(MessageFacts { sent: Some(at), ..nothing }),
        Some("delivered") => Ok(MessageFacts { delivered: Some(at), ..nothing }),
        // Whoever plays a recording has opened the chat.
        Some("read" | "played") => Ok(MessageFacts { read: Some(at), ..nothing }),
        Some("failed") => Ok(MessageFacts { failed: Some(failure(status, at)), ..nothing }),
        _ => Err(reason::UNKNOWN_STATUS),
    }
}

/// The failure of a failed message. Of several errors the least counts, as it does among several reports. Errors with a code
/// take precedence over those without.
fn failure(status: &Object<'_>, at: Timestamp) -> ProviderFailure {
    let errors = status.list("errors").unwrap_or_default();
    let errors = errors.into_iter().filter_map(typed::<Value>).map(|error| ErrorObject::read(&error));
    let least = errors.min_by(|one, other| key(one).cmp(&key(other)));
    let (code, text) = least.map(|error| (error.code, error.text)).unwrap_or_default();
    let reason = code.map_or(FailureReason::Other, FailureReason::of_provider_code);
    ProviderFailure { at, code, reason, text }
}

fn key(error: &ErrorObject) -> (bool, Option<i32>, &str) {
    (error.code.is_none(), error.code, &error.text)
}

/// Our own id of the message, if the callback data contains it.
fn own_id(status: &Object<'_>) -> Option<MessageId> {
    match AnyId::parse(&status.text("biz_opaque_callback_data")?) {
        Ok(AnyId::Message(id)) => Some(id),
        _ => None,
    }
}

fn recipient(status: &Object<'_>, profiles: &Profiles, at: Timestamp) -> Option<Person> {
    let ids = Ids::read(status, "recipient_id", "recipient_user_id");
    let person = profiles.person(ids, at);
    (!person.key.is_empty()).then_some(person)
}
