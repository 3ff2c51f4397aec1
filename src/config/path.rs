//! Paths that may be left out.

use std::path::PathBuf;

use serde::{Deserialize, Deserializer};

/// Reads a path; an empty one stands for none.
pub(super) fn unless_empty<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<PathBuf>, D::Error> {
    let path = PathBuf::deserialize(deserializer)?;
    Ok(Some(path).filter(|path| !path.as_os_str().is_empty()))
}
