//! The provider's error objects, the same in answers and in webhooks: a code, and words in three places.

use serde_json::Value;

use crate::domain::input::{MAX_TEXT_BYTES, check_text};

/// An error as the provider tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ErrorObject {
    /// The code; `None` where it cannot be read.
    pub(super) code: Option<i32>,
    /// The most particular words given; they may be empty.
    pub(super) text: String,
}

impl ErrorObject {
    /// Reads what can be read of it.
    pub(super) fn read(error: &Value) -> Self {
        Self { code: error.get("code").and_then(code), text: words(error) }
    }
}

fn code(code: &Value) -> Option<i32> {
    match code {
        Value::Number(number) => number.as_i64().and_then(|code| i32::try_from(code).ok()),
        Value::String(text) => text.parse().ok(),
        _ => None,
    }
}

fn words(error: &Value) -> String {
    let details = error.get("error_data").and_then(|data| data.get("details"));
    let told = [details, error.get("message"), error.get("title")];
    let told = told.into_iter().flatten().filter_map(Value::as_str).find(|text| !text.is_empty());
    told.map(storable).unwrap_or_default()
}

/// What can be stored of a text: an error counts more than the words that it comes with.
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
    fn the_most_particular_words_are_kept() {
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
    fn long_words_are_cut_at_a_character() {
        let error = ErrorObject::read(&json!({"message": format!("a{}", "ü".repeat(MAX_TEXT_BYTES))}));
        assert_eq!(error.text.len(), MAX_TEXT_BYTES - 1);
    }

    #[test]
    fn a_code_is_a_number_or_one_in_a_text() {
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
