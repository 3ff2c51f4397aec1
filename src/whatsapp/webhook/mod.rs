//! The provider's webhooks: what a body says, as facts.
//!
//! The provider never sends a webhook again that it believes delivered, so nothing in one may be lost: an element that
//! cannot be understood is kept as it came, and never spoils its neighbours. Only a body that is not JSON is refused. A
//! body names lines by the provider's ids; whose they are, the caller finds out between [`parse`] and
//! [`LineUpdates::facts`].

mod message;
mod object;
mod person;
pub mod reason;
mod status;
#[cfg(test)]
mod tests;

use serde_json::value::RawValue;

use self::object::Object;
use self::person::Profiles;
use super::ids::provider_id;
use crate::domain::clock::Timestamp;
use crate::domain::fact::{Fact, Kept};
use crate::domain::id::LineId;

/// A body that is not JSON.
#[derive(Debug, thiserror::Error)]
#[error("the webhook is not JSON")]
pub struct MalformedWebhook(#[from] serde_json::Error);

/// What a webhook tells of one line.
#[derive(Debug)]
pub struct LineUpdates<'a> {
    /// The provider's id of the line; `None` where the webhook names none, as in those about an account.
    pub phone_number_id: Option<String>,
    profiles: Profiles,
    updates: Vec<Update<'a>>,
}

/// One element of a webhook, as it came.
#[derive(Debug, Clone, Copy)]
enum Update<'a> {
    Status(&'a RawValue),
    Message(&'a RawValue),
    /// What is kept whatever the line, and why.
    Odd(&'static str, &'a RawValue),
}

/// The field of a change that tells statuses and messages.
const MESSAGES: &str = "messages";

impl<'a> LineUpdates<'a> {
    /// What the webhook tells, as facts of `line`. A time after `latest` is nobody's to believe: what carries one is kept.
    pub fn facts(self, line: LineId, latest: Timestamp) -> Vec<Fact> {
        let Self { profiles, updates, .. } = self;
        updates.into_iter().map(|update| update.fact(line, latest, &profiles)).collect()
    }

    /// What the webhook tells, to be kept because its line is not known.
    pub fn kept(self) -> Vec<Fact> {
        self.updates.into_iter().map(Update::of_no_line).collect()
    }

    fn read(change: &'a RawValue) -> Self {
        let Some(object) = Object::read(change) else { return Self::odd(reason::FOREIGN_SHAPE, change) };
        let foreign_field = object.text("field").is_some_and(|field| field != MESSAGES);
        match object.object("value") {
            Some(value) if foreign_field => Self::of_value(&value, vec![Update::Odd(reason::UNKNOWN_FIELD, change)]),
            Some(value) => Self::of_value(&value, updates(change, &value)),
            None if foreign_field => Self::odd(reason::UNKNOWN_FIELD, change),
            None => Self::odd(reason::FOREIGN_SHAPE, change),
        }
    }

    fn of_value(value: &Object<'a>, updates: Vec<Update<'a>>) -> Self {
        let phone_number_id = value.object("metadata").and_then(|metadata| metadata.text("phone_number_id"));
        let phone_number_id = phone_number_id.and_then(|id| provider_id(&id));
        let profiles = Profiles::read(&value.list("contacts").unwrap_or_default());
        Self { phone_number_id, profiles, updates }
    }

    fn odd(reason: &'static str, raw: &'a RawValue) -> Self {
        Self { phone_number_id: None, profiles: Profiles::default(), updates: vec![Update::Odd(reason, raw)] }
    }
}

impl Update<'_> {
    fn fact(self, line: LineId, latest: Timestamp, profiles: &Profiles) -> Fact {
        let understood = match self {
            Self::Status(raw) => {
                timed(raw, latest).and_then(|(status, at)| status::read(&status, at, profiles)).map(Fact::Status)
            }
            Self::Message(raw) => timed(raw, latest)
                .and_then(|(message, at)| message::read(&message, at, line, profiles))
                .map(Fact::Message),
            Self::Odd(reason, _) => Err(reason),
        };
        understood.unwrap_or_else(|reason| self.kept(reason))
    }

    fn of_no_line(self) -> Fact {
        match self {
            Self::Odd(reason, _) => self.kept(reason),
            Self::Status(_) | Self::Message(_) => self.kept(reason::UNKNOWN_LINE),
        }
    }

    fn kept(self, reason: &str) -> Fact {
        let (Self::Status(raw) | Self::Message(raw) | Self::Odd(_, raw)) = self;
        Fact::Kept(Kept { reason: reason.to_owned(), payload: raw.get().to_owned() })
    }
}

/// Reads a webhook's body: what it tells, by line, in its own order.
pub fn parse(body: &[u8]) -> Result<Vec<LineUpdates<'_>>, MalformedWebhook> {
    let whole = serde_json::from_slice(body)?;
    Ok(each_of(whole, "entry", |entry| each_of(entry, "changes", |change| vec![LineUpdates::read(change)])))
}

/// Reads each element of an object's list; what has no such list is kept whole.
fn each_of<'a>(
    raw: &'a RawValue,
    list: &str,
    read: impl Fn(&'a RawValue) -> Vec<LineUpdates<'a>>,
) -> Vec<LineUpdates<'a>> {
    match Object::read(raw).and_then(|object| object.list(list)) {
        Some(elements) => elements.into_iter().flat_map(read).collect(),
        None => vec![LineUpdates::odd(reason::FOREIGN_SHAPE, raw)],
    }
}

fn updates<'a>(change: &'a RawValue, value: &Object<'a>) -> Vec<Update<'a>> {
    let mut updates = elements(value, "statuses", Update::Status);
    updates.extend(elements(value, "messages", Update::Message));
    updates.extend(elements(value, "errors", |raw| Update::Odd(reason::PROVIDER_ERROR, raw)));
    if updates.is_empty() { vec![Update::Odd(reason::NOTHING_KNOWN, change)] } else { updates }
}

fn elements<'a>(value: &Object<'a>, list: &str, update: impl Fn(&'a RawValue) -> Update<'a>) -> Vec<Update<'a>> {
    match (value.list(list), value.field(list)) {
        (Some(elements), _) => elements.into_iter().map(update).collect(),
        (None, Some(other)) => vec![Update::Odd(reason::FOREIGN_SHAPE, other)],
        (None, None) => Vec::new(),
    }
}

/// An element with its time.
fn timed(raw: &RawValue, latest: Timestamp) -> Result<(Object<'_>, Timestamp), &'static str> {
    let element = Object::read(raw).ok_or(reason::FOREIGN_SHAPE)?;
    let at = element.time("timestamp").ok_or(reason::BAD_TIMESTAMP)?;
    if at > latest { Err(reason::TIME_AHEAD) } else { Ok((element, at)) }
}
