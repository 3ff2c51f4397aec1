//! Calls to send a message, validated as the provider does.

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use serde_json::Value;

use super::content::Content;
use super::error_answer::ErrorAnswer;
use crate::whatsapp::ids::{provider_id, wa_id};

/// A call to send a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Call {
    /// The recipient as it was given.
    pub(super) input: String,
    /// The recipient to which that refers.
    pub(super) recipient: Recipient,
    /// The caller's opaque callback data.
    pub(super) callback: Option<String>,
    /// What is to be sent.
    pub(super) content: Content,
}

/// The recipient of a message: a WhatsApp account, or a user whose number is hidden.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Recipient {
    Account(String),
    User(String),
}

const INVALID_PARAMETER: i32 = 100;
const INVALID_TOKEN: i32 = 190;

/// The maximum length of callback data, in characters.
const MAX_CALLBACK_CHARS: usize = 512;

impl Recipient {
    /// The id of the account or of the user.
    pub(super) fn id(&self) -> &str {
        let (Self::Account(id) | Self::User(id)) = self;
        id
    }
}

impl Call {
    /// Parses the body of a call.
    pub(super) fn read(body: &[u8]) -> Result<Self, ErrorAnswer> {
        let body: Value =
            serde_json::from_slice(body).map_err(|_| ErrorAnswer::new(INVALID_PARAMETER, "The body is not JSON"))?;
        if body.get("messaging_product").and_then(Value::as_str) != Some("whatsapp") {
            return Err(ErrorAnswer::new(INVALID_PARAMETER, "messaging_product must be whatsapp"));
        }
        let (input, recipient) = recipient(&body)?;
        let (content, callback) = (Content::read(&body)?, callback(&body)?);
        Ok(Self { input, recipient, callback, content })
    }
}

/// Checks the token of a call. Any token is accepted if none is `expected`.
pub(super) fn check_token(headers: &HeaderMap, expected: Option<&str>) -> Result<(), ErrorAnswer> {
    let header = headers.get(AUTHORIZATION).and_then(|header| header.to_str().ok());
    let token = header.and_then(|header| header.strip_prefix("Bearer ")).filter(|token| !token.is_empty());
    match (token, expected) {
        (Some(token), Some(expected)) if token == expected => Ok(()),
        (Some(_), None) => Ok(()),
        _ => Err(ErrorAnswer::of_code(INVALID_TOKEN)),
    }
}

fn recipient(body: &Value) -> Result<(String, Recipient), ErrorAnswer> {
    let text = |key: &str| body.get(key).and_then(Value::as_str).filter(|text| !text.is_empty());
    let invalid = || ErrorAnswer::invalid("The recipient is not valid");
    let (input, recipient) = match (text("to"), text("recipient")) {
        (Some(to), _) => (to, wa_id(&digits(to)).map(Recipient::Account)),
        (None, Some(user)) => (user, provider_id(user).map(Recipient::User)),
        (None, None) => return Err(ErrorAnswer::missing("to or recipient")),
    };
    Ok((input.to_owned(), recipient.ok_or_else(invalid)?))
}

fn digits(phone: &str) -> String {
    phone.chars().filter(|letter| !matches!(letter, '+' | ' ' | '-' | '(' | ')')).collect()
}

fn callback(body: &Value) -> Result<Option<String>, ErrorAnswer> {
    match body.get("biz_opaque_callback_data") {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) if text.chars().count() <= MAX_CALLBACK_CHARS => Ok(Some(text.clone())),
        Some(_) => Err(ErrorAnswer::invalid("biz_opaque_callback_data is not a string of at most 512 characters")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn body(changes: &Value) -> Vec<u8> {
        let mut body = json!({
            "messaging_product": "whatsapp", "to": "+57 300-1234567", "type": "template",
            "template": {"name": "welcome", "language": {"code": "es"}, "components": [
                {"type": "body", "parameters": [{"type": "text", "text": "Ana"}]},
            ]},
            "biz_opaque_callback_data": "mine",
        });
        for (name, value) in changes.as_object().unwrap() {
            body[name] = value.clone();
        }
        body.to_string().into_bytes()
    }

    fn code(body: &[u8]) -> i32 {
        Call::read(body).unwrap_err().code
    }

    #[test]
    fn a_template_to_a_number_or_to_a_user_is_accepted() {
        let call = Call::read(&body(&json!({}))).unwrap();
        assert_eq!(call.recipient, Recipient::Account("573001234567".into()));
        assert_eq!((call.input.as_str(), call.callback.as_deref()), ("+57 300-1234567", Some("mine")));
        let call = Call::read(&body(&json!({"to": null, "recipient": "CO.1"}))).unwrap();
        assert_eq!(call.recipient, Recipient::User("CO.1".into()));
    }

    #[test]
    fn missing_and_invalid_fields_have_the_providers_codes() {
        let template = |template: Value| body(&json!({ "template": template }));
        let empty = json!([{"type": "body", "parameters": [{"type": "text", "text": ""}]}]);
        for (body, expected) in [
            (b"{".to_vec(), 100),
            (b"[]".to_vec(), 100),
            (body(&json!({"messaging_product": "sms"})), 100),
            (body(&json!({"to": null})), 131_008),
            (body(&json!({"to": "nobody"})), 131_009),
            (body(&json!({"type": "text"})), 131_008),
            (body(&json!({"type": "order"})), 131_051),
            (body(&json!({"template": null})), 131_008),
            (template(json!({"name": "x", "language": {}})), 131_008),
            (template(json!({"name": "x", "language": {"code": "es"}, "components": empty})), 131_008),
            (body(&json!({"biz_opaque_callback_data": "x".repeat(513)})), 131_009),
        ] {
            assert_eq!(code(&body), expected, "{}", String::from_utf8_lossy(&body));
        }
    }

    #[test]
    fn a_call_needs_a_token() {
        let headers = |value: &str| HeaderMap::from_iter([(AUTHORIZATION, value.parse().unwrap())]);
        assert_eq!(check_token(&headers("Bearer a"), None), Ok(()));
        assert_eq!(check_token(&headers("Bearer a"), Some("a")), Ok(()));
        for (headers, expected) in [
            (HeaderMap::new(), None),
            (headers("Bearer "), None),
            (headers("Basic a"), None),
            (headers("Bearer b"), Some("a")),
        ] {
            assert_eq!(check_token(&headers, expected).unwrap_err().code, 190);
        }
    }
}
