//! Checks of texts that come from outside, and how a fault in one is told.

/// What is wrong with a value; it continues a sentence that begins with the value's name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Fault(pub String);

/// The longest name of a line, conversation or workspace, in bytes.
pub const LONGEST_NAME: usize = 200;
/// The longest name of a variable, in bytes.
pub const LONGEST_VARIABLE_NAME: usize = 100;
/// The longest value of a variable, in bytes: the provider's own limit for a template's parameter is far below.
pub const LONGEST_VARIABLE_VALUE: usize = 8_192;
/// The longest message text, failure message or idempotency key, in bytes; WhatsApp's longest text has 4,096 characters.
pub const LONGEST_TEXT: usize = 32_768;
/// The longest JSON value (a flow, a payload), in bytes.
pub const LONGEST_JSON: usize = 262_144;
/// The longest id that a provider gives, in bytes.
pub const LONGEST_PROVIDER_ID: usize = 512;

impl Fault {
    /// A fault from its sentence's end: "must not be empty".
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

/// Refuses what no database column may hold: NUL bytes, and more than `longest` bytes.
pub fn check_text(text: &str, longest: usize) -> Result<(), Fault> {
    if text.len() > longest {
        return Err(Fault(format!("is {} bytes long; at most {longest} are taken", text.len())));
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
    let written = value.to_string();
    check_text(&written, LONGEST_JSON)?;
    if contains_nul(value) {
        return Err(Fault::new("contains a NUL character"));
    }
    Ok(())
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
        assert_eq!(check_text("abcd", 3), Err(Fault::new("is 4 bytes long; at most 3 are taken")));
        assert!(check_text("a\0b", 3).is_err());
        assert!(check_name("  ", 3).is_err());
        assert!(check_json(&serde_json::json!({"a": ["b\u{0}"]})).is_err());
        assert_eq!(check_json(&serde_json::json!({"a": 1})), Ok(()));
    }
}
