//! The scalars that GraphQL itself does not have.

use std::sync::Arc;

use async_graphql::{InputValueError, InputValueResult, Scalar, ScalarType, Value};

use super::error::{ApiError, Result};
use crate::domain::clock::Timestamp;
use crate::domain::input::Fault;
use crate::domain::phone::Phone;

/// An instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct DateTime(pub(crate) Timestamp);

/// A phone number as it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PhoneNumber(String);

/// Any JSON value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Json(Value);

/// An instant in RFC 3339 format, such as `2026-11-22T10:00:00.25Z`. Output is always in UTC, written with `Z`, and
/// exact to the microsecond. Input may have any offset; digits beyond the microsecond are dropped, and years before
/// 1970 or after 2099 are rejected.
#[Scalar(specified_by_url = "https://www.rfc-editor.org/rfc/rfc3339")]
impl ScalarType for DateTime {
    fn parse(value: Value) -> InputValueResult<Self> {
        let Value::String(text) = &value else { return Err(InputValueError::expected_type(value)) };
        Timestamp::parse(text).map(Self).ok_or_else(|| InputValueError::custom(fault_of_instant(text)))
    }

    fn is_valid(value: &Value) -> bool {
        matches!(value, Value::String(_))
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.to_string())
    }
}

/// A phone number in E.164 format: a plus sign, the country code and the national number, without spaces, such as
/// `+573001234567`. A recipient's number that is not valid is shown exactly as it was given.
#[Scalar]
impl ScalarType for PhoneNumber {
    fn parse(value: Value) -> InputValueResult<Self> {
        match value {
            Value::String(text) => Ok(Self(text)),
            other => Err(InputValueError::expected_type(other)),
        }
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.clone())
    }
}

/// Any JSON value: an object, an array, a string, a number, true, false or null. Objects keep the order of their
/// members.
#[Scalar(name = "JSON")]
impl ScalarType for Json {
    fn parse(value: Value) -> InputValueResult<Self> {
        Ok(Self(value))
    }

    fn to_value(&self) -> Value {
        self.0.clone()
    }
}

impl From<Timestamp> for DateTime {
    fn from(instant: Timestamp) -> Self {
        Self(instant)
    }
}

/// How long a phone number is whose ends are shown where it is masked, the plus included: four digits or more stay hidden.
const MIN_SHOWN: usize = 11;

impl PhoneNumber {
    /// A phone number of which only the ends are shown, as in `+57••••1234`; of a short one nothing is.
    pub(crate) fn masked(phone: &str) -> Self {
        let letters: Vec<char> = phone.chars().collect();
        let ends = |letters: &[char]| {
            let (head, tail) = (letters.get(..3)?, letters.get(letters.len().checked_sub(4)?..)?);
            Some(head.iter().chain(&['•'; 4]).chain(tail).collect())
        };
        let shown = Some(letters.as_slice()).filter(|letters| letters.len() >= MIN_SHOWN).and_then(ends);
        Self(shown.unwrap_or_else(|| "••••".to_owned()))
    }
}

impl From<&Phone> for PhoneNumber {
    fn from(phone: &Phone) -> Self {
        Self(phone.as_str().to_owned())
    }
}

impl From<String> for PhoneNumber {
    fn from(phone: String) -> Self {
        Self(phone)
    }
}

impl Json {
    /// The value of a JSON text that the database holds.
    pub(crate) fn stored(text: &str) -> Result<Self> {
        serde_json::from_str(text).map(Self).map_err(|error| ApiError::Internal(Arc::new(error)))
    }

    /// The value as serde knows it; the order of fields is lost.
    pub(crate) fn value(&self) -> Result<serde_json::Value, Fault> {
        self.0.clone().into_json().map_err(|_| Fault::new("is not a valid JSON value"))
    }

    /// The value written out, its fields in the order given.
    pub(crate) fn text(&self) -> Result<String, Fault> {
        serde_json::to_string(&self.0).map_err(|_| Fault::new("is not a valid JSON value"))
    }
}

fn fault_of_instant(text: &str) -> &'static str {
    if chrono::DateTime::parse_from_rfc3339(text).is_ok() {
        return "it is outside the years 1970 to 2099";
    }
    "it is not in RFC 3339 format, such as 2026-11-22T10:00:00Z"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_is_told_in_utc_to_the_microsecond() {
        let given = <DateTime as ScalarType>::parse(Value::from("2026-11-22T12:00:00.1234567+02:00")).unwrap();
        assert_eq!(ScalarType::to_value(&given), Value::from("2026-11-22T10:00:00.123456Z"));
    }

    #[test]
    fn a_masked_phone_hides_its_middle_and_a_short_one_all() {
        for (phone, shown) in [
            ("+573001234567", "+57••••4567"),
            ("+1202555012", "+12••••5012"),
            ("+120255501", "••••"),
            ("é", "••••"),
            ("", "••••"),
        ] {
            assert_eq!(PhoneNumber::masked(phone).0, shown, "{phone}");
        }
    }

    #[test]
    fn stored_json_comes_back_in_its_order() {
        let json = Json::stored(r#"{"b":1,"a":[null,true,"x",1.5]}"#).unwrap();
        assert_eq!(json.text().unwrap(), r#"{"b":1,"a":[null,true,"x",1.5]}"#);
        assert!(matches!(Json::stored("{"), Err(ApiError::Internal(_))));
    }
}
