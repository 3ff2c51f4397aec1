//! Durations, written in whole units that the setting's name gives.

use std::time::Duration;

use serde::de::Error;
use serde::{Deserialize, Deserializer};

/// Ten years: a longer duration is a mistake, and none within it overflows when it is added to a time.
const MAX_DURATION: Duration = Duration::from_hours(3_650 * 24);

pub(super) fn millis<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    units(deserializer, Duration::from_millis(1))
}

pub(super) fn seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    units(deserializer, Duration::from_secs(1))
}

pub(super) fn minutes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    units(deserializer, Duration::from_mins(1))
}

pub(super) fn hours<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    units(deserializer, Duration::from_hours(1))
}

pub(super) fn days<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    units(deserializer, Duration::from_hours(24))
}

/// None of them for ever.
pub(super) fn days_unless_zero<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    let count = u32::deserialize(deserializer)?;
    if count == 0 { Ok(None) } else { checked(count, Duration::from_hours(24)).map(Some) }
}

fn units<'de, D: Deserializer<'de>>(deserializer: D, unit: Duration) -> Result<Duration, D::Error> {
    checked(u32::deserialize(deserializer)?, unit)
}

fn checked<E: Error>(count: u32, unit: Duration) -> Result<Duration, E> {
    let duration = unit.saturating_mul(count);
    if count == 0 || duration > MAX_DURATION {
        return Err(E::custom(format_args!("{count} must be at least 1, and at most ten years")));
    }
    Ok(duration)
}
