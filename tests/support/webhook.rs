//! Webhooks as the provider posts them.

use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

/// The app secret with which the provider signs, in all tests.
pub(crate) const APP_SECRET: &str = "the secret of the app";

/// A webhook about one line.
#[derive(Debug, Clone, Default)]
pub(crate) struct Webhook {
    phone_number_id: String,
    statuses: Vec<Value>,
    messages: Vec<Value>,
    contacts: Vec<Value>,
}

impl Webhook {
    /// An empty webhook about a line, by the provider's id of it.
    pub(crate) fn of(phone_number_id: &str) -> Self {
        Self { phone_number_id: phone_number_id.to_owned(), ..Self::default() }
    }

    #[must_use]
    pub(crate) fn status(mut self, status: Value) -> Self {
        self.statuses.push(status);
        self
    }

    #[must_use]
    pub(crate) fn message(mut self, message: Value) -> Self {
        self.messages.push(message);
        self
    }

    /// Adds a profile, as the provider does with messages.
    #[must_use]
    pub(crate) fn profile(mut self, wa_id: &str, name: &str) -> Self {
        self.contacts.push(json!({ "profile": { "name": name }, "wa_id": wa_id }));
        self
    }

    /// The whole payload.
    pub(crate) fn payload(&self) -> Value {
        let metadata = json!({ "display_phone_number": "15550783881", "phone_number_id": self.phone_number_id });
        let mut value = json!({ "messaging_product": "whatsapp", "metadata": metadata });
        for (name, list) in [("contacts", &self.contacts), ("statuses", &self.statuses), ("messages", &self.messages)] {
            if !list.is_empty() {
                value[name] = json!(list);
            }
        }
        change(&json!({ "value": value, "field": "messages" }))
    }
}

/// A payload that tells on which side of marketing messages a user called Ana stands: `stop` or `resume`.
pub(crate) fn preference(phone_number_id: &str, wa_id: &str, value: &str, at: i64) -> Value {
    let told = json!({
        "wa_id": wa_id, "detail": "The user's own words", "category": "marketing_messages", "value": value, "timestamp": at,
    });
    let value = json!({
        "messaging_product": "whatsapp", "user_preferences": [told],
        "metadata": { "display_phone_number": "15550783881", "phone_number_id": phone_number_id },
        "contacts": [{ "profile": { "name": "Ana" }, "wa_id": wa_id }],
    });
    change(&json!({ "value": value, "field": "user_preferences" }))
}

/// A payload with a single change.
pub(crate) fn change(change: &Value) -> Value {
    json!({ "object": "whatsapp_business_account", "entry": [{ "id": "102290129340398", "changes": [change] }] })
}

/// A status of a message, named by the provider's id and, where the message is ours, by its own.
pub(crate) fn status(wamid: &str, own: Option<&str>, name: &str, at: i64) -> Value {
    let mut status = json!({
        "id": wamid, "status": name, "timestamp": at.to_string(), "recipient_id": "573001112233",
        "pricing": { "billable": true, "pricing_model": "PMP", "category": "marketing", "type": "regular" },
    });
    if let Some(own) = own {
        status["biz_opaque_callback_data"] = json!(own);
    }
    // Most tests do not depend on the recipient, so it is not set.
    status.as_object_mut().unwrap().remove("recipient_id");
    status
}

/// A status that reports a failure.
pub(crate) fn failed(wamid: &str, own: Option<&str>, code: i32, at: i64) -> Value {
    let mut failed = status(wamid, own, "failed", at);
    failed["errors"] = json!([{
        "code": code, "title": "It failed", "message": "It failed", "error_data": { "details": "It really did" },
    }]);
    failed
}

/// A text that a user wrote.
pub(crate) fn text(wamid: &str, from: &str, text: &str, at: i64) -> Value {
    json!({ "from": from, "id": wamid, "timestamp": at.to_string(), "type": "text", "text": { "body": text } })
}

/// A message of whatever type.
pub(crate) fn message(wamid: &str, from: &str, kind: &str, content: &Value, at: i64) -> Value {
    let mut message = json!({ "from": from, "id": wamid, "timestamp": at.to_string(), "type": kind });
    message[kind] = content.clone();
    message
}

/// The same message as the answer to another.
pub(crate) fn in_reply_to(mut message: Value, wamid: &str) -> Value {
    message["context"] = json!({ "from": "15550783881", "id": wamid });
    message
}

/// The body that is posted: the provider escapes whatever is not ASCII.
pub(crate) fn body(payload: &Value) -> Vec<u8> {
    let mut body = String::new();
    for unit in payload.to_string().encode_utf16() {
        match u8::try_from(unit) {
            Ok(byte) if byte.is_ascii() => body.push(char::from(byte)),
            _ => body.extend(format!("\\u{unit:04x}").chars()),
        }
    }
    body.into_bytes()
}

/// The signature of a body.
pub(crate) fn signature(secret: &str, body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(body);
    format!("sha256={}", hex::encode(mac.finalize().into_bytes()))
}
