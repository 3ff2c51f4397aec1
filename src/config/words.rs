//! Lists of words, written as one text so that the environment can hold them, too.

use serde::{Deserialize, Deserializer};

/// The words between the commas, without the space around them. An empty text has none.
pub(super) fn list<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    let text = String::deserialize(deserializer)?;
    Ok(text.split(',').map(str::trim).filter(|word| !word.is_empty()).map(str::to_owned).collect())
}
