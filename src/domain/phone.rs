//! Phone numbers: parsed into E.164, or kept as they were given.

use std::fmt;

use phonenumber::{Mode, country};

use super::contact::is_whatsapp_id;
use super::input::{Fault, check_text};

/// A country, in which a number without a country code is interpreted.
pub type Country = country::Id;

/// The maximum length of a text that is parsed as a phone number, in bytes.
const MAX_BYTES: usize = 200;

/// A phone number: E.164 with the plus or, if it is not a valid number, the text as it was given.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub struct Phone {
    text: String,
}

impl Phone {
    /// Reads a number. With a leading plus or 00 it includes its country code. Otherwise it is tried as a national number
    /// of `country` first, and then as one with a country code (which is how WhatsApp ids are written).
    ///
    /// A text without any digit, with a NUL, or longer than 200 bytes is a [`Fault`]. Any other text that is not a valid
    /// number is kept as given, and [`Phone::is_valid`] is false.
    pub fn read(given: &str, country: Option<Country>) -> Result<Self, Fault> {
        Self::check(given)?;
        Ok(Self::parse(given, country))
    }

    /// Checks that a text has a digit, no NUL, and at most 200 bytes.
    pub fn check(given: &str) -> Result<(), Fault> {
        check_text(given, MAX_BYTES)?;
        let digit = given.bytes().any(|byte| byte.is_ascii_digit());
        if digit { Ok(()) } else { Err(Fault::new("has no digit, so it is not a phone number")) }
    }

    /// Reads a text that has passed [`Phone::check`].
    pub fn parse(given: &str, country: Option<Country>) -> Self {
        Self::try_parse(given, country).unwrap_or_else(|as_given| as_given)
    }

    /// Reads a text that has passed [`Phone::check`]. If it is not a valid number, the error is the text as it was given.
    pub fn try_parse(given: &str, country: Option<Country>) -> Result<Self, Self> {
        let given = given.trim();
        let national = || country.and_then(|country| e164(Some(country), given));
        let number = match given.strip_prefix("00") {
            Some(rest) => e164(None, &format!("+{rest}")),
            None if given.starts_with('+') => e164(None, given),
            None => national().or_else(|| e164(None, &format!("+{given}"))),
        };
        number.map(|text| Self { text }).ok_or_else(|| Self { text: given.to_owned() })
    }

    /// A number as it is stored in the database.
    pub const fn stored(text: String) -> Self {
        Self { text }
    }

    /// The number of a WhatsApp id (digits with the country code and without a plus); `None` if it is malformed.
    pub fn of_whatsapp_id(wa_id: &str) -> Option<Self> {
        // WhatsApp knows its users better than a library's numbering plans, so the id is not validated again.
        is_whatsapp_id(wa_id).then(|| Self { text: format!("+{wa_id}") })
    }

    /// The number in E.164, or the text as it was given.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it is a valid number. This is worked out anew, which takes many times as long as copying the number.
    pub fn is_valid(&self) -> bool {
        e164(None, &self.text).is_some_and(|e164| e164 == self.text)
    }

    /// The country of the number; `None` if it is not valid.
    pub fn country(&self) -> Option<Country> {
        phonenumber::parse(None, &self.text).ok()?.country().id()
    }
}

impl fmt::Display for Phone {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

/// The number in E.164; `None` if it is not valid.
fn e164(country: Option<Country>, text: &str) -> Option<String> {
    let number = phonenumber::parse(country, text).ok()?;
    // WhatsApp cannot dial an extension; silently dropping it would send to a switchboard.
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
    fn all_spellings_of_a_number_are_equal() {
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
    fn digits_that_are_not_a_number_stay_as_given() {
        for given in ["+12", "12345", "+5730012345678901", "tel 7"] {
            let phone = Phone::try_parse(given, Some(Country::CO)).unwrap_err();
            assert_eq!(phone, read(given));
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
