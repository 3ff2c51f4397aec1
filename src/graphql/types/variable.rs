//! Variables of users.

use async_graphql::SimpleObject;

use crate::graphql::scalars::DateTime;

/// A named value of a user, given with the send or captured from the user's answers.
#[derive(SimpleObject)]
pub(crate) struct Variable {
    /// Its name, unique among the user's variables.
    pub(crate) name: String,
    /// Its current value. If several were reported, the one given last counts.
    pub(crate) value: String,
    /// When the current value was given.
    pub(crate) updated_at: DateTime,
}
