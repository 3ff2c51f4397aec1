//! Variables of users.

use async_graphql::SimpleObject;

use super::super::scalars::DateTime;

/// A named value of a user: given with the send, or captured from the user's answers.
#[derive(SimpleObject)]
pub(crate) struct Variable {
    /// Its name; no user has two variables of one name.
    pub(crate) name: String,
    /// Its present value. Where several were reported, the one given last counts.
    pub(crate) value: String,
    /// When the present value was given.
    pub(crate) updated_at: DateTime,
}
