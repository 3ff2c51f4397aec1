//! Lists of words, written as one text so that the environment can hold them, too.

use serde::de::Error;
use serde::{Deserialize, Deserializer};

/// The words between the commas, without the space around them. An empty text has none.
pub(super) fn list<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    let text = String::deserialize(deserializer)?;
    Ok(text.split(',').map(str::trim).filter(|word| !word.is_empty()).map(str::to_owned).collect())
}

/// A list of origins, as browsers name them. One that is written otherwise would never be met.
pub(super) fn origins<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    let origins = list(deserializer)?;
    match origins.iter().find(|origin| !is_origin(origin)) {
        Some(wrong) => Err(Error::custom(format!("{wrong:?} is no origin, such as https://app.example.com"))),
        None => Ok(origins),
    }
}

fn is_origin(text: &str) -> bool {
    let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let is_host = |host: &str| !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'/');
    text == "*" || host.is_some_and(is_host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_has_a_scheme_and_a_host_and_no_path() {
        for right in ["*", "https://app.example.com", "http://localhost:3000", "http://[::1]:3000"] {
            assert!(is_origin(right), "{right}");
        }
        for wrong in ["", "app.example.com", "https://", "https://app.example.com/", "https://app example.com", "**"] {
            assert!(!is_origin(wrong), "{wrong}");
        }
    }
}
