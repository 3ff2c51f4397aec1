//! Checks of input from outside, and the faults they report.

/// What is wrong with a value, worded to continue a sentence that begins with the value's name: "must not be empty".
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Fault(pub String);

/// The maximum length of the name of a line, conversation or workspace, in bytes.
pub const MAX_NAME_BYTES: usize = 200;
/// The maximum length of a variable's name, in bytes.
pub const MAX_VARIABLE_NAME_BYTES: usize = 100;
/// The maximum length of a variable's value, in bytes. The provider's own limit for template parameters is far lower.
pub const MAX_VARIABLE_VALUE_BYTES: usize = 8_192;
/// The maximum length of a message text or failure message, in bytes. WhatsApp's own limit is 4,096 characters.
pub const MAX_TEXT_BYTES: usize = 32_768;
/// The maximum length of a JSON value (a flow, a payload), in bytes.
pub const MAX_JSON_BYTES: usize = 262_144;
/// The maximum nesting depth of arrays and objects in a JSON value. JSON parsers support little more.
pub const MAX_JSON_DEPTH: usize = 100;
/// The maximum length of an id given by a provider, in bytes.
pub const MAX_PROVIDER_ID_BYTES: usize = 512;

impl Fault {
    /// A fault from the end of its sentence.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

/// Refuses a text with NUL bytes, which no database column can hold, or with more than `max_bytes` bytes.
pub fn check_text(text: &str, max_bytes: usize) -> Result<(), Fault> {
    if text.len() > max_bytes {
        return Err(Fault(format!("is {} bytes long; the maximum is {max_bytes}", text.len())));
    }
    if text.contains('\0') {
        return Err(Fault::new("contains a NUL byte"));
    }
    Ok(())
}

/// Like [`check_text`], and also refuses an empty or blank text.
pub fn check_name(text: &str, max_bytes: usize) -> Result<(), Fault> {
    check_text(text, max_bytes)?;
    if text.trim().is_empty() {
        return Err(Fault::new("must not be empty"));
    }
    Ok(())
}

/// Like [`check_text`], for a JSON value as text, in which a NUL may be hidden in an escape.
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

/// Whether a value is nested deeper than `than` levels. The recursion stops at that depth.
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
