//! The messages that we send, as the Cloud API wants them.

use serde_json::{Value, json};

use crate::domain::id::MessageId;
use crate::domain::outgoing::{Choice, FilledTemplate, MediaKind, Outgoing};
use crate::domain::phone::Phone;

/// The recipient of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recipient {
    /// A phone number in E.164.
    Phone(Phone),
    /// The provider's user id of somebody whose number is hidden.
    User(String),
}

/// A message to one recipient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutgoingMessage {
    /// The recipient.
    pub recipient: Recipient,
    /// What it says.
    pub content: Outgoing,
    /// Our id of the message, which the provider returns with every status.
    pub callback: MessageId,
}

impl OutgoingMessage {
    /// The body of the call.
    pub(super) fn body(&self) -> Value {
        // The number keeps its plus. Without it, the provider prepends the country code of the business number.
        let (key, recipient) = match &self.recipient {
            Recipient::Phone(phone) => ("to", phone.as_str()),
            Recipient::User(user_id) => ("recipient", user_id.as_str()),
        };
        let (name, content) = content(&self.content);
        json!({
            "messaging_product": "whatsapp",
            "recipient_type": "individual",
            key: recipient,
            "type": name,
            name: content,
            "biz_opaque_callback_data": self.callback.to_string(),
        })
    }
}

/// The provider's type of a message, and the object of that name.
fn content(content: &Outgoing) -> (&'static str, Value) {
    match content {
        Outgoing::Template(template) => ("template", filled(template)),
        Outgoing::Text(text) => ("text", json!({ "body": text, "preview_url": false })),
        Outgoing::Buttons { text, buttons } => ("interactive", with_buttons(text, buttons)),
        Outgoing::List { text, button, choices } => ("interactive", with_list(text, button, choices)),
        Outgoing::Media { kind, link, caption, filename } => {
            (media_type(*kind), media(*kind, link, (caption.as_deref(), filename.as_deref())))
        }
    }
}

fn filled(template: &FilledTemplate) -> Value {
    let FilledTemplate { name, language, parameters, replies } = template;
    let body = (!parameters.is_empty()).then(|| filled_body(parameters));
    let replies = replies.iter().enumerate().map(|(index, id)| quick_reply(index, id));
    let components: Vec<Value> = body.into_iter().chain(replies).collect();
    json!({ "name": name, "language": { "code": language }, "components": components })
}

fn filled_body(parameters: &[String]) -> Value {
    let parameters: Vec<Value> = parameters.iter().map(|text| json!({ "type": "text", "text": text })).collect();
    json!({ "type": "body", "parameters": parameters })
}

fn quick_reply(index: usize, id: &str) -> Value {
    // The provider wants the index as a string.
    let index = index.to_string();
    let payload = json!({ "type": "payload", "payload": id });
    json!({ "type": "button", "sub_type": "quick_reply", "index": index, "parameters": [payload] })
}

fn with_buttons(text: &str, buttons: &[Choice]) -> Value {
    let button = |Choice { id, title, .. }: &Choice| json!({ "type": "reply", "reply": { "id": id, "title": title } });
    let buttons: Vec<Value> = buttons.iter().map(button).collect();
    json!({ "type": "button", "body": { "text": text }, "action": { "buttons": buttons } })
}

fn with_list(text: &str, button: &str, choices: &[Choice]) -> Value {
    let section = json!({ "title": button, "rows": choices });
    json!({ "type": "list", "body": { "text": text }, "action": { "button": button, "sections": [section] } })
}

/// A file with what the provider shows of a file of its kind.
fn media(kind: MediaKind, link: &str, (caption, filename): (Option<&str>, Option<&str>)) -> Value {
    let caption = caption.filter(|_| kind != MediaKind::Audio).map(|caption| ("caption", caption));
    let filename = filename.filter(|_| kind == MediaKind::Document).map(|filename| ("filename", filename));
    let fields = [("link", link)].into_iter().chain(caption).chain(filename);
    fields.map(|(name, value)| (name.to_owned(), Value::from(value))).collect()
}

const fn media_type(kind: MediaKind) -> &'static str {
    match kind {
        MediaKind::Image => "image",
        MediaKind::Video => "video",
        MediaKind::Audio => "audio",
        MediaKind::Document => "document",
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn body(recipient: Recipient, content: Outgoing) -> Value {
        OutgoingMessage { recipient, content, callback: MessageId(Uuid::nil()) }.body()
    }

    fn to_phone(content: Outgoing) -> Value {
        body(Recipient::Phone(Phone::of_whatsapp_id("573001234567").unwrap()), content)
    }

    fn template(parameters: &[&str], replies: &[&str]) -> Outgoing {
        let texts = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect();
        Outgoing::Template(FilledTemplate {
            name: "welcome".into(),
            language: "es".into(),
            parameters: texts(parameters),
            replies: texts(replies),
        })
    }

    fn media_of(kind: MediaKind) -> Value {
        let (link, caption) = ("https://a.example/a".to_owned(), Some("See".to_owned()));
        to_phone(Outgoing::Media { kind, link, caption, filename: Some("a.pdf".into()) })
    }

    #[test]
    fn a_template_to_a_phone_keeps_the_plus_and_carries_our_id() {
        let expected = json!({
            "messaging_product": "whatsapp",
            "recipient_type": "individual",
            "to": "+573001234567",
            "type": "template",
            "template": {
                "name": "welcome",
                "language": { "code": "es" },
                "components": [{ "type": "body", "parameters": [
                    { "type": "text", "text": "Ana" },
                    { "type": "text", "text": "Cali" },
                ] }],
            },
            "biz_opaque_callback_data": "msg_00000000000000000000000000000000",
        });
        assert_eq!(to_phone(template(&["Ana", "Cali"], &[])), expected);
    }

    #[test]
    fn a_template_to_a_hidden_number_contains_the_user_id() {
        let body = body(Recipient::User("CO.1349".into()), template(&[], &[]));
        assert_eq!(body["recipient"], "CO.1349");
        assert_eq!(body.get("to"), None);
        assert_eq!(body["template"]["components"], json!([]));
    }

    #[test]
    fn each_quick_reply_of_a_template_is_a_component_of_its_own() {
        let button = |index: &str, id: &str| {
            json!({
                "type": "button", "sub_type": "quick_reply", "index": index,
                "parameters": [{ "type": "payload", "payload": id }],
            })
        };
        let expected = json!([button("0", "hello:Yes"), button("1", "hello:No")]);
        assert_eq!(to_phone(template(&[], &["hello:Yes", "hello:No"]))["template"]["components"], expected);
    }

    #[test]
    fn a_text_has_no_preview() {
        let body = to_phone(Outgoing::Text("Hola".into()));
        assert_eq!((&body["type"], &body["to"]), (&json!("text"), &json!("+573001234567")));
        assert_eq!(body["text"], json!({ "body": "Hola", "preview_url": false }));
    }

    #[test]
    fn buttons_and_lists_are_interactive() {
        let choices = vec![Choice::new("a", "A"), Choice { description: Some("Soon".into()), ..Choice::new("b", "B") }];
        let body = to_phone(Outgoing::Buttons { text: "Which?".into(), buttons: choices.clone() });
        assert_eq!(body["type"], "interactive");
        let buttons = json!([
            { "type": "reply", "reply": { "id": "a", "title": "A" } },
            { "type": "reply", "reply": { "id": "b", "title": "B" } },
        ]);
        let expected = json!({ "type": "button", "body": { "text": "Which?" }, "action": { "buttons": buttons } });
        assert_eq!(body["interactive"], expected);

        let body = to_phone(Outgoing::List { text: "Which?".into(), button: "See".into(), choices });
        let rows = json!([{ "id": "a", "title": "A" }, { "id": "b", "title": "B", "description": "Soon" }]);
        let action = json!({ "button": "See", "sections": [{ "title": "See", "rows": rows }] });
        assert_eq!(body["interactive"], json!({ "type": "list", "body": { "text": "Which?" }, "action": action }));
    }

    #[test]
    fn a_file_has_the_fields_of_its_kind() {
        let link = "https://a.example/a";
        for (kind, name, expected) in [
            (MediaKind::Image, "image", json!({ "link": link, "caption": "See" })),
            (MediaKind::Video, "video", json!({ "link": link, "caption": "See" })),
            (MediaKind::Audio, "audio", json!({ "link": link })),
            (MediaKind::Document, "document", json!({ "link": link, "caption": "See", "filename": "a.pdf" })),
        ] {
            let body = media_of(kind);
            assert_eq!((&body["type"], &body[name]), (&json!(name), &expected));
        }
    }
}
