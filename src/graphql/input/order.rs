//! Directions of orders.

use async_graphql::Enum;

/// Which end of an order comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub(crate) enum OrderDirection {
    /// The least first: the earliest, or the first by name.
    Asc,
    /// The greatest first: the latest, or the last by name.
    Desc,
}

impl OrderDirection {
    /// Whether the greatest comes first.
    pub(crate) fn descending(self) -> bool {
        self == Self::Desc
    }
}
