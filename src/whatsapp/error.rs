//! The provider's error objects, which are the same in answers and in webhooks: a code, and descriptions in three places.

use serde_json::Value;

use crate::domain::input::{MAX_TEXT_BYTES, check_text};

/// An error as the provider reports it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ErrorObject {
    /// The error code; `None` if it is missing or not a 32-bit integer.
    pub(super) code: Option<i32>,
    /// The most specific description given; may be empty.
    pub(super) text: String,
}

impl ErrorObject {
    /// Reads as much of an error object as possible.
    pub(super) fn read(error: &Value) -> Self {
        Self { code: error.get("code").and_then(code), text: description(error) }
    }
}

fn code(code: &Value) -> Option<i32> {
    match code {
        Value::Number(number) => number.as_i64().and_then(|code| i32::try_from(code).ok()),
        Value::String(text) => text.parse().ok(),
        _ => None,
    }
}

fn description(error: &Value) -> String {
    let details = error.get("error_data").and_then(|data| data.get("details"));
    let descriptions = [details, error.get("message"), error.get("title")];
    let description = descriptions.into_iter().flatten().filter_map(Value::as_str).find(|text| !text.is_empty());
    description.map(storable).unwrap_or_default()
}

/// The text without what cannot be stored. The error must not be lost because of its description.
fn storable(text: &str) -> String {
    if check_text(text, MAX_TEXT_BYTES).is_ok() {
        return text.to_owned();
    }
    let (kept, _) = text.split_at(text.floor_char_boundary(MAX_TEXT_BYTES));
    kept.replace('\0', "")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_most_specific_description_is_used() {
        let full = json!({"code": 1, "title": "t", "message": "m", "error_data": {"details": "d"}});
        for (error, words) in [
            (full, "d"),
            (json!({"title": "t", "message": "m", "error_data": {"details": ""}}), "m"),
            (json!({"title": "t", "message": 7, "error_data": []}), "t"),
            (json!({"title": "a\u{0}b"}), "ab"),
            (json!("just words"), ""),
        ] {
            assert_eq!(ErrorObject::read(&error).text, words);
        }
    }

    #[test]
    fn a_long_description_is_cut_between_characters() {
        let error = ErrorObject::read(&json!({"message": format!("a{}", "ü".repeat(MAX_TEXT_BYTES))}));
        assert_eq!(error.text.len(), MAX_TEXT_BYTES - 1);
    }

    #[test]
    fn a_code_is_a_number_or_a_string_with_a_number() {
        for (code, read) in [
            (json!(131_026), Some(131_026)),
            (json!("190"), Some(190)),
            (json!(99_999_999_999_i64), None),
            (json!(1.5), None),
            (json!(null), None),
            (json!("x"), None),
        ] {
            assert_eq!(ErrorObject::read(&json!({ "code": code })).code, read);
        }
    }
}
