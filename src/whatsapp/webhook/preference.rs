//! Preferences: whether a user wants marketing messages from the business.

use super::object::Object;
use super::person::{Ids, Profiles};
use super::reason;
use crate::domain::clock::Timestamp;
use crate::domain::fact::Person;
use crate::domain::phone::Phone;
use crate::domain::preference::Preference;

/// The only category that the provider has. Whoever stops these messages is sent nothing any more, since the category of a
/// template is not known here.
const CATEGORY: &str = "marketing_messages";

/// Reads a preference that was told at `at`. The error is the reason why it is kept.
pub(super) fn read(
    told: &Object<'_>,
    at: Timestamp,
    profiles: &Profiles,
) -> Result<(Person, Preference), &'static str> {
    let mut person = profiles.person(Ids::read(told, "wa_id", "user_id"), at);
    if person.key.is_empty() {
        return Err(reason::BAD_ID);
    }
    person.key.phone = person.key.wa_id.as_deref().and_then(Phone::of_whatsapp_id);
    Ok((person, Preference { at, stopped: stopped(told)? }))
}

fn stopped(told: &Object<'_>) -> Result<bool, &'static str> {
    if told.text("category").as_deref() != Some(CATEGORY) {
        return Err(reason::UNKNOWN_PREFERENCE);
    }
    match told.text("value").as_deref() {
        Some("stop") => Ok(true),
        Some("resume") => Ok(false),
        _ => Err(reason::UNKNOWN_PREFERENCE),
    }
}
