//! Phone numbers: parsed by a library into E.164, or kept as they were given.

use std::fmt;

use phonenumber::{Mode, country};

use super::contact::is_whatsapp_id;
use super::input::{Fault, check_text};

/// The country that a number without a country code is read in.
pub type Country = country::Id;

/// The longest text that is looked at as a phone number, in bytes.
const MAX_BYTES: usize = 200;

/// A recipient's number: E.164 with the plus, or the text as it was given where that has digits but is no valid number.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub struct Phone {
    text: String,
    valid: bool,
}

impl Phone {
    /// Reads a number. One with a plus or 00 carries its country code; without, it is tried as a number of `country`, and
    /// then with a country code (as WhatsApp ids are written).
    ///
    /// A text without any digit, with a NUL, or longer than 200 bytes is a [`Fault`]; one with digits that is no valid
    /// number comes back as given, with [`Phone::is_valid`] false.
    pub fn read(given: &str, country: Option<Country>) -> Result<Self, Fault> {
        Self::check(given)?;
        Ok(Self::parse(given, country))
    }

    /// Whether a text can be looked at as a number at all: it has a digit and no NUL, and at most 200 bytes.
    pub fn check(given: &str) -> Result<(), Fault> {
        check_text(given, MAX_BYTES)?;
        let digit = given.bytes().any(|byte| byte.is_ascii_digit());
        if digit { Ok(()) } else { Err(Fault::new("has no digit, so it is no phone number")) }
    }

    /// Reads a text that was checked.
    pub fn parse(given: &str, country: Option<Country>) -> Self {
        let given = given.trim();
        let national = || country.and_then(|country| e164(Some(country), given));
        let number = match given.strip_prefix("00") {
            Some(rest) => e164(None, &format!("+{rest}")),
            None if given.starts_with('+') => e164(None, given),
            None => national().or_else(|| e164(None, &format!("+{given}"))),
        };
        number.map_or_else(|| Self { text: given.to_owned(), valid: false }, |text| Self { text, valid: true })
    }

    /// A number as the database holds it: E.164 where it begins with a plus and is valid.
    pub fn stored(text: String) -> Self {
        let valid = e164(None, &text).is_some_and(|e164| e164 == text);
        Self { text, valid }
    }

    /// The number of a WhatsApp id (digits with the country code, no plus).
    pub fn of_whatsapp_id(wa_id: &str) -> Option<Self> {
        // WhatsApp knows its users better than the numbering plans of a library do, so its id is not validated again.
        is_whatsapp_id(wa_id).then(|| Self { text: format!("+{wa_id}"), valid: true })
    }

    /// E.164, or the text as given.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it is a number that can exist.
    pub const fn is_valid(&self) -> bool {
        self.valid
    }

    /// The country of a valid number.
    pub fn country(&self) -> Option<Country> {
        phonenumber::parse(None, &self.text).ok()?.country().id()
    }
}

impl fmt::Display for Phone {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

/// The number as E.164, where it can exist.
fn e164(country: Option<Country>, text: &str) -> Option<String> {
    let number = phonenumber::parse(country, text).ok()?;
    // An extension cannot be dialled by WhatsApp; dropping it silently would send to a switchboard.
    let dialable = number.extension().is_none() && phonenumber::is_valid(&number);
    dialable.then(|| number.format().mode(Mode::E164).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(given: &str) -> Phone {
        Phone::read(given, Some(Country::CO)).unwrap()
    }

    #[test]
    fn spellings_of_one_number_are_one_number() {
        for given in
            ["+573001234567", "+57 300 123 4567", "0057 300-123-4567", "573001234567", "300 123 4567", "(300) 1234567"]
        {
            assert_eq!(read(given).as_str(), "+573001234567", "{given}");
            assert!(read(given).is_valid());
        }
    }

    #[test]
    fn a_national_number_is_not_taken_for_a_foreign_one() {
        for (given, number) in [
            ("51987654321", "+5551987654321"),
            ("34987654321", "+5534987654321"),
            ("5551987654321", "+5551987654321"),
            ("573001234567", "+573001234567"),
        ] {
            assert_eq!(Phone::read(given, Some(Country::BR)).unwrap().as_str(), number);
        }
    }

    #[test]
    fn digits_that_are_no_number_stay_as_given() {
        for given in ["+12", "12345", "+5730012345678901", "tel 7"] {
            let phone = read(given);
            assert_eq!((phone.as_str(), phone.is_valid()), (given, false));
        }
    }

    #[test]
    fn a_text_without_a_digit_is_refused() {
        for given in ["", "nobody", "+", "+57300\u{0}1234567"] {
            assert!(Phone::read(given, None).is_err(), "{given:?}");
        }
        assert!(Phone::read(&"1".repeat(1_000_000), None).is_err());
    }

    #[test]
    fn a_stored_number_knows_whether_it_is_valid() {
        assert!(Phone::stored("+573001234567".into()).is_valid());
        assert!(!Phone::stored("12345".into()).is_valid());
    }
}
