//! Where in a request's arguments a value stands.

use std::fmt;

/// The way to a value: the argument, then fields of input objects and places in lists (counted from 0).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place(Vec<String>);

impl Place {
    /// An argument.
    pub(crate) fn of(argument: &str) -> Self {
        Self(vec![argument.to_owned()])
    }

    /// A field in the object at this place.
    #[must_use]
    pub(crate) fn field(&self, name: &str) -> Self {
        Self(self.0.iter().cloned().chain([name.to_owned()]).collect())
    }

    /// An item of the list at this place.
    #[must_use]
    pub(crate) fn item(&self, index: usize) -> Self {
        self.field(&index.to_string())
    }

    /// The segments of the way.
    pub(crate) fn into_segments(self) -> Vec<String> {
        self.0
    }
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0.join("."))
    }
}
