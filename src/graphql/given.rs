//! Input values whose faults are reported together with their place.
//!
//! async-graphql reads arguments before the resolver runs, and its error says what was expected but not where. A
//! [`Given`] takes the outcome of the reading along, so that whoever knows the value's place can report it.

use std::borrow::Cow;

use async_graphql::registry::Registry;
use async_graphql::{InputType, InputValueError, InputValueResult, Pos, Value};

use super::error::{ApiError, Result};
use super::place::Place;
use crate::domain::input::Fault;

/// A value of an argument or of an input field, or why it is not valid. In the schema it is just a `T`.
#[derive(Debug, Clone)]
pub(crate) struct Given<T>(std::result::Result<T, String>);

impl<T: Copy> Given<T> {
    /// A value that is well formed, such as a default.
    pub(crate) const fn new(value: T) -> Self {
        Self(Ok(value))
    }

    /// The value, or an error that names its place.
    pub(crate) fn read(&self, place: &Place) -> Result<T> {
        self.0.as_ref().copied().map_err(|reason| ApiError::Argument(place.clone(), Fault::new(reason)))
    }

    /// The value of an argument that may be left out, or an error that names the argument.
    pub(crate) fn read_argument(given: Option<&Self>, name: &'static str) -> Result<Option<T>> {
        given.map(|given| given.read(&Place::of(name))).transpose()
    }

    /// The value of an input field that may be left out, or an error that names its place.
    pub(crate) fn read_field(given: Option<&Self>, object: &Place, name: &str) -> Result<Option<T>> {
        given.map(|given| given.read(&object.field(name))).transpose()
    }
}

impl<T: InputType> InputType for Given<T> {
    type RawValueType = T::RawValueType;

    fn type_name() -> Cow<'static, str> {
        T::type_name()
    }

    fn create_type_info(registry: &mut Registry) -> String {
        T::create_type_info(registry)
    }

    fn parse(value: Option<Value>) -> InputValueResult<Self> {
        Ok(Self(T::parse(value).map_err(reason)))
    }

    fn to_value(&self) -> Value {
        self.0.as_ref().map_or(Value::Null, InputType::to_value)
    }

    fn as_raw_value(&self) -> Option<&Self::RawValueType> {
        self.0.as_ref().ok().and_then(InputType::as_raw_value)
    }
}

/// What async-graphql says of a value, made to continue a sentence that begins with the value's name.
fn reason<T: InputType>(error: InputValueError<T>) -> String {
    let told = error.into_server_error(Pos::default()).message;
    let detail = told.strip_prefix(&format!("Failed to parse \"{}\": ", T::type_name())).unwrap_or(&told);
    format!("is not a valid {}: {detail}", T::type_name())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graphql::scalars::DateTime;

    fn told<T: InputType + Copy + std::fmt::Debug>(value: Value) -> String {
        Given::<T>::parse(Some(value)).unwrap().read(&Place::of("input").field("x")).unwrap_err().to_string()
    }

    #[test]
    fn an_invalid_scalar_names_its_place_and_what_is_wrong_with_it() {
        assert_eq!(
            told::<DateTime>(Value::from("9999-01-01T00:00:00Z")),
            "Argument \"input.x\" is not a valid DateTime: it is outside the years 1970 to 2099"
        );
        assert!(told::<DateTime>(Value::from("0000-01-01T00:00:00Z")).ends_with("1970 to 2099"));
        assert!(told::<DateTime>(Value::from("yesterday")).contains("it is not in RFC 3339 format"));
        assert_eq!(
            told::<i32>(Value::from(3_000_000_000_i64)),
            "Argument \"input.x\" is not a valid Int: Only integers from -2147483648 to 2147483647 are accepted."
        );
    }

    #[test]
    fn what_is_well_formed_is_read() {
        let given = Given::<i32>::parse(Some(Value::from(5))).unwrap();
        assert_eq!(given.read(&Place::of("first")).unwrap(), 5);
        assert_eq!(given.to_value(), Value::from(5));
        assert_eq!(Given::<i32>::read_argument(None, "first").unwrap(), None);
    }
}
