//! Directions of orders.

use async_graphql::Enum;

/// The direction of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub(crate) enum OrderDirection {
    /// Ascending: the earliest, or the first by name, comes first.
    Asc,
    /// Descending: the latest, or the last by name, comes first.
    Desc,
}

impl OrderDirection {
    /// Whether the greatest comes first.
    pub(crate) fn descending(self) -> bool {
        self == Self::Desc
    }
}
