//! The digest of a list: of what it says, whatever its format and however it arrived.

use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::{ListRow, Order};
use crate::domain::clock::Timestamp;

/// A digest in progress.
pub(super) struct Digest(Sha256);

impl Digest {
    /// The digest of what is to be done with a list that has no rows yet.
    pub(super) fn of(order: &Order) -> Self {
        let parameters = json!([
            "list",
            order.conversation.to_string(),
            order.scheduled_at.map(Timestamp::micros),
            order.time_to_live.map(|time_to_live| time_to_live.as_secs()),
            order.skip_invalid,
        ]);
        Self(Sha256::new_with_prefix(parameters.to_string()))
    }

    /// Adds a row.
    pub(super) fn add(&mut self, row: &ListRow) {
        let row = match &row.user {
            Ok(user) => json!([user.phone, user.variables]),
            Err(reason) => json!({ "refused": reason }),
        };
        self.0.update(b"\n");
        self.0.update(row.to_string());
    }

    /// The digest in hexadecimal.
    pub(super) fn finish(self) -> String {
        hex::encode(self.0.finalize())
    }
}
