//! What is kept for a time only.

use super::query::Query;
use super::{Database, StorageError};
use crate::domain::clock::Timestamp;

/// A kind of rows that nobody needs after some time.
#[derive(Debug, Clone, Copy)]
pub enum Passing {
    /// Payloads that were not understood or belonged to nothing.
    Kept,
    /// Entries of the audit log.
    Audit,
    /// Stream tokens, from their expiry on.
    StreamTokens,
}

impl Passing {
    /// The table, its key, and the column of the time that counts.
    const fn place(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Kept => ("kept", "id", "kept_at"),
            Self::Audit => ("audit", "id", "at"),
            Self::StreamTokens => ("stream_tokens", "hash", "expires_at"),
        }
    }
}

/// Deletes rows of any workspace that are from before a time, at most `limit`. Returns how many there were.
pub async fn forget(db: &Database, passing: Passing, before: Timestamp, limit: u32) -> Result<u64, StorageError> {
    let db = db.writer();
    let mut query = Query::on(db);
    let (before, limit) = (query.bind(before.micros()), query.bind(limit));
    let (table, key, at) = passing.place();
    let old = format!("SELECT {key} FROM {table} WHERE {at} < {before} ORDER BY {at} LIMIT {limit}");
    query.execute(format!("DELETE FROM {table} WHERE {key} IN ({old})")).await
}
