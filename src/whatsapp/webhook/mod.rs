//! The provider's webhooks, read as facts.
//!
//! The provider does not repeat a webhook that was answered with success, so nothing in one may be lost: an element that
//! cannot be understood is kept as it arrived, and does not affect its neighbours. Only a body that is not JSON is refused. A
//! body refers to lines by the provider's ids; the caller resolves them between [`parse`] and [`LineUpdates::facts`].

mod message;
mod object;
mod person;
mod preference;
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

/// The updates about one line in a webhook.
#[derive(Debug)]
pub struct LineUpdates<'a> {
    /// The provider's id of the line; `None` if the webhook is not about a line, but about an account for example.
    pub phone_number_id: Option<String>,
    profiles: Profiles,
    updates: Vec<Update<'a>>,
}

/// An element of a webhook, as it arrived.
#[derive(Debug, Clone, Copy)]
enum Update<'a> {
    Status(&'a RawValue),
    Message(&'a RawValue),
    Preference(&'a RawValue),
    /// An element that is kept whatever the line, and the reason.
    Unusable(&'static str, &'a RawValue),
}

/// The fields of changes that contain statuses and messages, and preferences.
const FIELDS: [&str; 2] = ["messages", PREFERENCES];
/// The field of changes that contain preferences, and their list in it.
const PREFERENCES: &str = "user_preferences";

impl<'a> LineUpdates<'a> {
    /// The updates as facts about `line`. Elements with a time after `latest` are not believed, but kept.
    pub fn facts(self, line: LineId, latest: Timestamp) -> Vec<Fact> {
        let Self { profiles, updates, .. } = self;
        updates.into_iter().map(|update| update.fact(line, latest, &profiles)).collect()
    }

    /// The updates as facts to be kept, because the line is unknown.
    pub fn kept(self) -> Vec<Fact> {
        self.updates.into_iter().map(Update::of_no_line).collect()
    }

    fn read(change: &'a RawValue) -> Self {
        let Some(object) = Object::read(change) else { return Self::unusable(reason::FOREIGN_SHAPE, change) };
        let foreign_field = object.text("field").is_some_and(|field| !FIELDS.contains(&field.as_str()));
        match object.object("value") {
            Some(value) if foreign_field => {
                Self::of_value(&value, vec![Update::Unusable(reason::UNKNOWN_FIELD, change)])
            }
            Some(value) => Self::of_value(&value, updates(change, &value)),
            None if foreign_field => Self::unusable(reason::UNKNOWN_FIELD, change),
            None => Self::unusable(reason::FOREIGN_SHAPE, change),
        }
    }

    fn of_value(value: &Object<'a>, updates: Vec<Update<'a>>) -> Self {
        let phone_number_id = value.object("metadata").and_then(|metadata| metadata.text("phone_number_id"));
        let phone_number_id = phone_number_id.and_then(|id| provider_id(&id));
        let profiles = Profiles::read(&value.list("contacts").unwrap_or_default());
        Self { phone_number_id, profiles, updates }
    }

    fn unusable(reason: &'static str, raw: &'a RawValue) -> Self {
        Self { phone_number_id: None, profiles: Profiles::default(), updates: vec![Update::Unusable(reason, raw)] }
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
            Self::Preference(raw) => timed(raw, latest)
                .and_then(|(told, at)| preference::read(&told, at, profiles))
                .map(|(person, preference)| Fact::Preference { person, preference }),
            Self::Unusable(reason, _) => Err(reason),
        };
        understood.unwrap_or_else(|reason| self.kept(reason))
    }

    fn of_no_line(self) -> Fact {
        match self {
            Self::Unusable(reason, _) => self.kept(reason),
            Self::Status(_) | Self::Message(_) | Self::Preference(_) => self.kept(reason::UNKNOWN_LINE),
        }
    }

    fn kept(self, reason: &str) -> Fact {
        let (Self::Status(raw) | Self::Message(raw) | Self::Preference(raw) | Self::Unusable(_, raw)) = self;
        Fact::Kept(Kept { reason: reason.to_owned(), payload: raw.get().to_owned() })
    }
}

/// Parses the body of a webhook into updates by line, in the order of the body.
pub fn parse(body: &[u8]) -> Result<Vec<LineUpdates<'_>>, MalformedWebhook> {
    let whole = serde_json::from_slice(body)?;
    Ok(each_of(whole, "entry", |entry| each_of(entry, "changes", |change| vec![LineUpdates::read(change)])))
}

/// Reads each element of a list in an object. An object without that list is kept as a whole.
fn each_of<'a>(
    raw: &'a RawValue,
    list: &str,
    read: impl Fn(&'a RawValue) -> Vec<LineUpdates<'a>>,
) -> Vec<LineUpdates<'a>> {
    match Object::read(raw).and_then(|object| object.list(list)) {
        Some(elements) => elements.into_iter().flat_map(read).collect(),
        None => vec![LineUpdates::unusable(reason::FOREIGN_SHAPE, raw)],
    }
}

fn updates<'a>(change: &'a RawValue, value: &Object<'a>) -> Vec<Update<'a>> {
    let mut updates = elements(value, "statuses", Update::Status);
    updates.extend(elements(value, "messages", Update::Message));
    updates.extend(elements(value, PREFERENCES, Update::Preference));
    updates.extend(elements(value, "errors", |raw| Update::Unusable(reason::PROVIDER_ERROR, raw)));
    if updates.is_empty() { vec![Update::Unusable(reason::NOTHING_KNOWN, change)] } else { updates }
}

fn elements<'a>(value: &Object<'a>, list: &str, update: impl Fn(&'a RawValue) -> Update<'a>) -> Vec<Update<'a>> {
    match (value.list(list), value.field(list)) {
        (Some(elements), _) => elements.into_iter().map(update).collect(),
        (None, Some(other)) => vec![Update::Unusable(reason::FOREIGN_SHAPE, other)],
        (None, None) => Vec::new(),
    }
}

/// An element with its time. The error is the reason why it is kept.
fn timed(raw: &RawValue, latest: Timestamp) -> Result<(Object<'_>, Timestamp), &'static str> {
    let element = Object::read(raw).ok_or(reason::FOREIGN_SHAPE)?;
    let at = element.time("timestamp").ok_or(reason::BAD_TIMESTAMP)?;
    if at > latest { Err(reason::TIME_AHEAD) } else { Ok((element, at)) }
}
