//! Checks of texts that come from outside, and how a fault in one is told.

/// What is wrong with a value; it continues a sentence that begins with the value's name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Fault(pub String);

/// The longest name of a line, conversation or workspace, in bytes.
pub const MAX_NAME_BYTES: usize = 200;
/// The longest name of a variable, in bytes.
pub const MAX_VARIABLE_NAME_BYTES: usize = 100;
/// The longest value of a variable, in bytes: the provider's own limit for a template's parameter is far below.
pub const MAX_VARIABLE_VALUE_BYTES: usize = 8_192;
/// The longest message text, failure message or idempotency key, in bytes; WhatsApp's longest text has 4,096 characters.
pub const MAX_TEXT_BYTES: usize = 32_768;
/// The longest JSON value (a flow, a payload), in bytes.
pub const MAX_JSON_BYTES: usize = 262_144;
/// How deep arrays and objects may be nested in a JSON value. Readers of JSON go little further.
pub const MAX_JSON_DEPTH: usize = 100;
/// The longest id that a provider gives, in bytes.
pub const MAX_PROVIDER_ID_BYTES: usize = 512;

impl Fault {
    /// A fault from its sentence's end: "must not be empty".
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

/// Refuses what no database column may hold: NUL bytes, and more than `longest` bytes.
pub fn check_text(text: &str, longest: usize) -> Result<(), Fault> {
    if text.len() > longest {
        return Err(Fault(format!("is {} bytes long; the maximum is {longest}", text.len())));
    }
    if text.contains('\0') {
        return Err(Fault::new("contains a NUL byte"));
    }
    Ok(())
}

/// As [`check_text`], and refuses a text that is empty or only blank.
pub fn check_name(text: &str, longest: usize) -> Result<(), Fault> {
    check_text(text, longest)?;
    if text.trim().is_empty() {
        return Err(Fault::new("must not be empty"));
    }
    Ok(())
}

/// As [`check_text`], for a JSON value in its written form, in which a NUL hides as an escape.
pub fn check_json(value: &serde_json::Value) -> Result<(), Fault> {
    if is_deeper(value, MAX_JSON_DEPTH) {
        return Err(Fault(format!("is nested more than {MAX_JSON_DEPTH} levels deep")));
    }
    let written = value.to_string();
    check_text(&written, MAX_JSON_BYTES)?;
    if contains_nul(value) {
        return Err(Fault::new("contains a NUL character"));
    }
    Ok(())
}

/// Whether a value is nested deeper than so. It goes no deeper itself.
fn is_deeper(value: &serde_json::Value, than: usize) -> bool {
    match value {
        serde_json::Value::Array(values) => than == 0 || values.iter().any(|value| is_deeper(value, than - 1)),
        serde_json::Value::Object(fields) => than == 0 || fields.values().any(|value| is_deeper(value, than - 1)),
        _ => false,
    }
}

fn contains_nul(value: &serde_json::Value) -> bool {
    match value {
        serde_json::Value::String(text) => text.contains('\0'),
        serde_json::Value::Array(values) => values.iter().any(contains_nul),
        serde_json::Value::Object(fields) => {
            fields.iter().any(|(name, value)| name.contains('\0') || contains_nul(value))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_name_limit_and_value() {
        assert_eq!(check_text("abcd", 3), Err(Fault::new("is 4 bytes long; the maximum is 3")));
        assert!(check_text("a\0b", 3).is_err());
        assert!(check_name("  ", 3).is_err());
        assert!(check_json(&serde_json::json!({"a": ["b\u{0}"]})).is_err());
        let nested = |depth| (0..depth).fold(serde_json::json!(1), |inner, _| serde_json::json!([inner]));
        assert_eq!(check_json(&nested(100)), Ok(()));
        assert_eq!(check_json(&nested(101)), Err(Fault::new("is nested more than 100 levels deep")));
        assert_eq!(check_json(&serde_json::json!({"a": 1})), Ok(()));
    }
}
