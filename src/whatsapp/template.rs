//! The messages that we send: approved templates with their parameters filled in.

use serde_json::{Value, json};

use crate::domain::id::MessageId;
use crate::domain::phone::Phone;

/// The recipient of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recipient {
    /// A phone number in E.164.
    Phone(Phone),
    /// The provider's user id of somebody whose number is hidden.
    User(String),
}

/// A template message to one recipient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutgoingTemplate {
    /// The recipient.
    pub recipient: Recipient,
    /// The template's name at the provider.
    pub name: String,
    /// The template's language code.
    pub language: String,
    /// The values of the body's parameters, in order.
    pub parameters: Vec<String>,
    /// Our id of the message, which the provider returns with every status.
    pub callback: MessageId,
}

impl OutgoingTemplate {
    /// The body of the call.
    pub(super) fn body(&self) -> Value {
        // The number keeps its plus. Without it, the provider prepends the country code of the business number.
        let (key, recipient) = match &self.recipient {
            Recipient::Phone(phone) => ("to", phone.as_str()),
            Recipient::User(user_id) => ("recipient", user_id.as_str()),
        };
        json!({
            "messaging_product": "whatsapp",
            "recipient_type": "individual",
            key: recipient,
            "type": "template",
            "template": {
                "name": self.name,
                "language": { "code": self.language },
                "components": self.components(),
            },
            "biz_opaque_callback_data": self.callback.to_string(),
        })
    }

    fn components(&self) -> Vec<Value> {
        if self.parameters.is_empty() {
            return Vec::new();
        }
        let parameters: Vec<Value> =
            self.parameters.iter().map(|text| json!({ "type": "text", "text": text })).collect();
        vec![json!({ "type": "body", "parameters": parameters })]
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn template(recipient: Recipient, parameters: &[&str]) -> OutgoingTemplate {
        OutgoingTemplate {
            recipient,
            name: "welcome".into(),
            language: "es".into(),
            parameters: parameters.iter().map(|&text| text.to_owned()).collect(),
            callback: MessageId(Uuid::nil()),
        }
    }

    #[test]
    fn a_template_to_a_phone_keeps_the_plus_and_carries_our_id() {
        let phone = Recipient::Phone(Phone::of_whatsapp_id("573001234567").unwrap());
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
        assert_eq!(template(phone, &["Ana", "Cali"]).body(), expected);
    }

    #[test]
    fn a_template_to_a_hidden_number_contains_the_user_id() {
        let body = template(Recipient::User("CO.1349".into()), &[]).body();
        assert_eq!(body["recipient"], "CO.1349");
        assert_eq!(body.get("to"), None);
        assert_eq!(body["template"]["components"], json!([]));
    }
}
