//! The person that an element of a webhook is about: its ids, and what the webhook's `contacts` say about the same person.

use std::collections::BTreeMap;

use serde_json::value::RawValue;

use super::object::Object;
use crate::domain::clock::Timestamp;
use crate::domain::contact::{ContactKey, ProfileName};
use crate::domain::fact::Person;
use crate::domain::input::{MAX_NAME_BYTES, check_name};
use crate::whatsapp::ids::{provider_id, wa_id};

/// The provider's ids of a person.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Ids {
    pub(super) wa_id: Option<String>,
    pub(super) user_id: Option<String>,
}

/// The webhook's `contacts`, by each id of the person. The two kinds of ids cannot collide, as only one consists of digits.
#[derive(Debug, Default)]
pub(super) struct Profiles(BTreeMap<String, Profile>);

#[derive(Debug, Clone)]
struct Profile {
    ids: Ids,
    name: Option<String>,
}

impl Ids {
    /// Reads a person's ids from the given fields of an element.
    pub(super) fn read(element: &Object<'_>, wa_id_field: &str, user_id_field: &str) -> Self {
        Self {
            wa_id: element.text(wa_id_field).as_deref().and_then(wa_id),
            user_id: element.text(user_id_field).as_deref().and_then(provider_id),
        }
    }

    fn each(&self) -> impl Iterator<Item = &String> {
        self.wa_id.iter().chain(&self.user_id)
    }
}

impl Profiles {
    /// Reads the `contacts` of a webhook, ignoring what cannot be understood.
    pub(super) fn read(contacts: &[&RawValue]) -> Self {
        let mut profiles = BTreeMap::new();
        for profile in contacts.iter().filter_map(|raw| Object::read(raw)).map(|contact| Profile::read(&contact)) {
            profiles.extend(profile.ids.each().map(|id| (id.clone(), profile.clone())));
        }
        Self(profiles)
    }

    /// The person with these ids, and the name as reported at `at`. The given ids take precedence over those of the profile.
    pub(super) fn person(&self, ids: Ids, at: Timestamp) -> Person {
        let profile = ids.each().find_map(|id| self.0.get(id)).cloned();
        let (known, name) = profile.map(|profile| (profile.ids, profile.name)).unwrap_or_default();
        let key = ContactKey {
            phone: None,
            wa_id: ids.wa_id.or(known.wa_id),
            provider_user_id: ids.user_id.or(known.user_id),
        };
        Person { key, name: name.map(|name| ProfileName::reported(at, name)) }
    }
}

impl Profile {
    fn read(contact: &Object<'_>) -> Self {
        let name = contact.object("profile").and_then(|profile| profile.text("name"));
        Self {
            ids: Ids::read(contact, "wa_id", "user_id"),
            name: name.filter(|name| check_name(name, MAX_NAME_BYTES).is_ok()),
        }
    }
}
