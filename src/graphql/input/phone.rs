//! Phone numbers that must be numbers.

use crate::domain::input::Fault;
use crate::domain::phone::{Country, Phone};

/// Reads a number that must be valid; one without a country code is read in `country`.
pub(crate) fn read_phone(given: &str, country: Option<Country>) -> Result<Phone, Fault> {
    Phone::check(given)?;
    let parsed = Phone::try_parse(given, country);
    parsed.map_err(|_| Fault::new("is not a valid phone number with its country code"))
}
