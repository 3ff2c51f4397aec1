//! Shares of a whole.

use serde::de::Error;
use serde::{Deserialize, Deserializer};

/// Reads a share: 0 to 1.
pub(super) fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    let share = f64::deserialize(deserializer)?;
    if (0.0..=1.0).contains(&share) {
        return Ok(share);
    }
    Err(D::Error::custom(format_args!("{share} must be from 0 to 1")))
}
