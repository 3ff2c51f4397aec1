//! JSON objects whose fields are parsed individually.
//!
//! Fields stay raw until they are read, so a field that cannot be parsed (a lone surrogate, a number out of range, excessive
//! nesting) affects neither its object nor its neighbours.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::domain::clock::Timestamp;

/// A JSON object with raw fields. Of duplicate fields the last counts.
pub(super) struct Object<'a> {
    raw: &'a RawValue,
    fields: BTreeMap<String, &'a RawValue>,
}

impl<'a> Object<'a> {
    /// Reads an object; `None` if the value is not an object.
    pub(super) fn read(raw: &'a RawValue) -> Option<Self> {
        typed(raw).map(|fields| Self { raw, fields })
    }

    /// The object itself, as it arrived.
    pub(super) const fn raw(&self) -> &'a RawValue {
        self.raw
    }

    /// A field; `None` if it is absent or null.
    pub(super) fn field(&self, name: &str) -> Option<&'a RawValue> {
        self.fields.get(name).copied().filter(|raw| raw.get() != "null")
    }

    /// A string field; `None` if it is anything else.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        self.field(name).and_then(typed)
    }

    /// An object field; `None` if it is anything else.
    pub(super) fn object(&self, name: &str) -> Option<Self> {
        self.field(name).and_then(Self::read)
    }

    /// A list field; `None` if it is anything else.
    pub(super) fn list(&self, name: &str) -> Option<Vec<&'a RawValue>> {
        self.field(name).and_then(typed)
    }

    /// A time in seconds since 1970, as a number or as a string with a number.
    pub(super) fn time(&self, name: &str) -> Option<Timestamp> {
        let number = self.field(name).and_then(typed::<i64>);
        let seconds = number.or_else(|| self.text(name)?.parse().ok())?;
        Timestamp::from_seconds(seconds)
    }
}

/// Parses a value as a type; `None` if it has another type.
pub(super) fn typed<'a, T: Deserialize<'a>>(raw: &'a RawValue) -> Option<T> {
    serde_json::from_str(raw.get()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(text: &str) -> Object<'_> {
        Object::read(typed_raw(text)).unwrap()
    }

    fn typed_raw(text: &str) -> &RawValue {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn an_unreadable_field_leaves_the_others_readable() {
        let deep = format!("{}{}", "[".repeat(20_000), "]".repeat(20_000));
        let text =
            format!(r#"{{"a": "\ud800", "b": 1e999, "c": {deep}, "d": "whole", "e": null, "d2": "\ud83d\ude00"}}"#);
        let object = object(&text);
        assert_eq!(object.text("a"), None);
        assert_eq!(object.time("b"), None);
        assert!(object.list("c").is_some());
        assert_eq!(object.text("d").as_deref(), Some("whole"));
        assert_eq!(object.text("d2").as_deref(), Some("😀"));
        assert!(object.field("e").is_none());
    }

    #[test]
    fn the_last_of_duplicate_fields_counts() {
        assert_eq!(object(r#"{"a": "first", "a": "last"}"#).text("a").as_deref(), Some("last"));
    }

    #[test]
    fn a_time_is_a_number_of_seconds_or_a_string_with_one() {
        let object =
            object(r#"{"a": "1700000000", "b": 1700000000, "c": "1700000000000", "d": "x", "e": 1.5, "f": -1}"#);
        assert_eq!(object.time("a"), Timestamp::from_seconds(1_700_000_000));
        assert_eq!(object.time("b"), object.time("a"));
        for name in ["c", "d", "e", "f", "g"] {
            assert_eq!(object.time(name), None, "{name}");
        }
    }

    #[test]
    fn other_values_are_not_objects() {
        for text in ["[]", "1", "\"a\"", "null"] {
            assert!(Object::read(typed_raw(text)).is_none(), "{text}");
        }
    }
}
