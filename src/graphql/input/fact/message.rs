//! A message, either way.

use async_graphql::{ID, InputObject};

use super::Reader;
use crate::domain::contact::{ContactKey, is_whatsapp_id};
use crate::domain::fact::{self, Content, Fact, Person};
use crate::domain::input::{Fault, MAX_PROVIDER_ID_BYTES, MAX_TEXT_BYTES, check_json, check_name, check_text};
use crate::domain::phone::{Country, Phone};
use crate::graphql::error::Result;
use crate::graphql::given::Given;
use crate::graphql::input::phone::read_phone;
use crate::graphql::place::Place;
use crate::graphql::scalars::{DateTime, Json};
use crate::graphql::types::message::{MessageKind, Sender};

/// A message from or to a user. The user is identified by `phone`, by `whatsappId`, or by both. A text or a button of the
/// user's that is one of the configured words opts the user out, or in again.
#[derive(Debug, InputObject)]
pub(crate) struct MessageFact {
    /// The line it was sent on.
    pub(crate) line_id: ID,
    /// The user's phone number. It must be valid; without a country code it is taken as a number of the line's country.
    phone: Option<String>,
    /// The user's WhatsApp id: 1 to 20 digits.
    whatsapp_id: Option<String>,
    /// Who wrote it.
    sender: Sender,
    /// The kind of content.
    kind: MessageKind,
    /// Its text; at most 32,768 bytes.
    text: Option<String>,
    /// Content beyond the text, depending on the kind; at most 256 KiB of JSON.
    payload: Option<Json>,
    /// When it was written.
    at: Given<DateTime>,
    /// The provider's id of it; 1 to 512 bytes. Reports with the same id describe the same message.
    provider_message_id: String,
    /// The provider's id of the message it answers; 1 to 512 bytes. If omitted, the time determines which deployment it
    /// belongs to.
    in_reply_to: Option<String>,
}

impl MessageFact {
    /// The fact in the domain's terms; `None` where it was refused.
    pub(crate) fn read(self, place: &Place, reader: &mut Reader<'_>) -> Result<Option<Fact>> {
        let at = reader.at(place, &self.at)?;
        let line = reader.line(place.field("lineId"), &self.line_id)?;
        let key = self.read_key(place, line.as_ref().and_then(|line| line.phone.country()), reader);
        self.check_names(place, reader);
        let payload = self.read_content(place, reader);
        let Some(((at, line), key)) = at.zip(line).zip(key) else { return Ok(None) };
        Ok(Some(Fact::Message(fact::MessageFact {
            line: line.id,
            person: Person { key, name: None },
            sender: self.sender.into(),
            provider_message_id: self.provider_message_id,
            in_reply_to: self.in_reply_to,
            content: Content { at, kind: self.kind.into(), text: self.text, payload },
            referral: None,
        })))
    }

    /// Whom it names.
    fn read_key(&self, place: &Place, country: Option<Country>, reader: &mut Reader<'_>) -> Option<ContactKey> {
        if self.phone.is_none() && self.whatsapp_id.is_none() {
            return reader.errors.check(place.clone(), Err(Fault::new("requires \"phone\" or \"whatsappId\"")));
        }
        let phone = self.phone.as_ref().map(|phone| read_phone(phone, country));
        let phone = reader.errors.check(place.field("phone"), phone.transpose())?;
        let wa_id = self.whatsapp_id.as_ref().map(|id| read_whatsapp_id(id));
        let wa_id = reader.errors.check(place.field("whatsappId"), wa_id.transpose())?;
        // As in a webhook, the id finds a contact that is known by its phone alone.
        let phone = phone.or_else(|| Phone::of_whatsapp_id(wa_id.as_ref()?));
        Some(ContactKey { phone, wa_id, provider_user_id: None })
    }

    fn check_names(&self, place: &Place, reader: &mut Reader<'_>) {
        let id = check_name(&self.provider_message_id, MAX_PROVIDER_ID_BYTES);
        reader.errors.check(place.field("providerMessageId"), id);
        if let Some(id) = &self.in_reply_to {
            reader.errors.check(place.field("inReplyTo"), check_name(id, MAX_PROVIDER_ID_BYTES));
        }
    }

    /// What it says beyond its text, written out.
    fn read_content(&self, place: &Place, reader: &mut Reader<'_>) -> Option<String> {
        if let Some(text) = &self.text {
            reader.errors.check(place.field("text"), check_text(text, MAX_TEXT_BYTES));
        }
        let payload = self.payload.as_ref().map(read_payload).transpose();
        reader.errors.check(place.field("payload"), payload).flatten()
    }
}

fn read_whatsapp_id(given: &str) -> std::result::Result<String, Fault> {
    if is_whatsapp_id(given) {
        Ok(given.to_owned())
    } else {
        Err(Fault::new("is not a WhatsApp id, which has 1 to 20 digits"))
    }
}

fn read_payload(payload: &Json) -> std::result::Result<String, Fault> {
    check_json(&payload.value()?)?;
    payload.text()
}
