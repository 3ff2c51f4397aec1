//! Expected errors, as data.

use async_graphql::{Enum, SimpleObject};

use super::place::Place;
use crate::domain::input::Fault;

/// Why a mutation changed nothing.
#[derive(Debug, Clone, PartialEq, Eq, SimpleObject)]
pub(crate) struct UserError {
    /// The path to the value at fault: the argument, then field names and list indexes (counted from 0), such as
    /// `["input", "users", "3", "phone"]`. Null if no single value is at fault.
    field: Option<Vec<String>>,
    /// The kind of error, for programs.
    code: UserErrorCode,
    /// What is wrong, for people.
    message: String,
}

/// The kinds of user errors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub(crate) enum UserErrorCode {
    /// The value is not acceptable.
    Invalid,
    /// The workspace has nothing with this id.
    NotFound,
    /// It conflicts with something that already exists.
    Conflict,
    /// There are more items than one call accepts.
    TooMany,
}

/// What is wrong with an input, collected before anything is changed.
#[derive(Debug, Default)]
pub(crate) struct UserErrors(Vec<UserError>);

impl UserErrors {
    /// Refuses the value at a place. The fault continues a sentence that begins with the place.
    pub(crate) fn refuse(&mut self, place: Place, code: UserErrorCode, fault: &Fault) {
        let message = format!("\"{place}\" {fault}");
        self.0.push(UserError { field: Some(place.into_segments()), code, message });
    }

    /// The value, where the check passed; otherwise the value is refused as invalid.
    pub(crate) fn check<T>(&mut self, place: Place, outcome: Result<T, Fault>) -> Option<T> {
        outcome.map_err(|fault| self.refuse(place, UserErrorCode::Invalid, &fault)).ok()
    }

    /// The value, where it was found; otherwise its id is refused.
    pub(crate) fn found<T>(&mut self, place: Place, noun: &str, value: Option<T>) -> Option<T> {
        if value.is_none() {
            self.refuse(place, UserErrorCode::NotFound, &Fault(format!("does not name a {noun} in this workspace")));
        }
        value
    }

    /// Whether nothing was found wrong.
    pub(crate) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How much was found wrong.
    pub(crate) const fn len(&self) -> usize {
        self.0.len()
    }

    /// As `userErrors`.
    pub(crate) fn into_vec(self) -> Vec<UserError> {
        self.0
    }
}

#[cfg(test)]
impl UserErrors {
    /// Where something was found wrong.
    pub(crate) fn places(&self) -> Vec<String> {
        self.0.iter().filter_map(|error| error.field.as_ref()).map(|field| field.join(".")).collect()
    }
}
