//! The facts of how far a message or a deployment got: twelve columns that two tables have in common.

use super::StorageError;
use super::row::Row;
use crate::domain::failure::{FailureReason, OwnFailure, ProviderFailure};
use crate::domain::merge::MessageFacts;

/// The columns of the facts in a table, in the order in which [`read`] reads them.
macro_rules! fact_columns {
    ($table:literal) => {
        concat!(
            $table,
            ".accepted_at, ",
            $table,
            ".held_at, ",
            $table,
            ".sent_at, ",
            $table,
            ".delivered_at, ",
            $table,
            ".read_at, ",
            $table,
            ".failed_at, ",
            $table,
            ".failed_code, ",
            $table,
            ".failed_reason, ",
            $table,
            ".failed_text, ",
            $table,
            ".refused_at, ",
            $table,
            ".refused_reason, ",
            $table,
            ".unknown_at",
        )
    };
}

pub(super) use fact_columns;

/// Reads the facts.
pub(super) fn read(row: &mut Row<'_>) -> Result<MessageFacts, StorageError> {
    Ok(MessageFacts {
        accepted: row.optional_time()?,
        held: row.optional_time()?,
        sent: row.optional_time()?,
        delivered: row.optional_time()?,
        read: row.optional_time()?,
        failed: failed(row)?,
        own_failure: own_failure(row)?,
        unknown: row.optional_time()?,
    })
}

fn failed(row: &mut Row<'_>) -> Result<Option<ProviderFailure>, StorageError> {
    let (at, code) = (row.optional_time()?, row.value()?);
    let reason = row.optional_code("failure reason", FailureReason::from_code)?;
    let text: Option<String> = row.value()?;
    match (at, reason, text) {
        (None, None, None) => Ok(None),
        (Some(at), Some(reason), Some(text)) => Ok(Some(ProviderFailure { at, code, reason, text })),
        _ => Err(StorageError::Corrupt("failure")),
    }
}

fn own_failure(row: &mut Row<'_>) -> Result<Option<OwnFailure>, StorageError> {
    let at = row.optional_time()?;
    match (at, row.optional_code("failure reason", FailureReason::from_code)?) {
        (None, None) => Ok(None),
        (Some(at), Some(reason)) => Ok(Some(OwnFailure { at, reason })),
        _ => Err(StorageError::Corrupt("failure")),
    }
}
