//! Rows as they are read: column by column in the order of the statement, each with the meaning that the domain gives it.
//!
//! By position and not by name, because that is what costs least where pages are read by the thousand; the columns
//! stand beside the function that reads them.

use sea_orm::prelude::Uuid;
use sea_orm::{QueryResult, TryGetable};

use super::StorageError;
use crate::domain::clock::Timestamp;
use crate::domain::standing::Cell;

/// A row, read from its first column to its last.
pub(super) struct Row<'r> {
    result: &'r QueryResult,
    next: usize,
}

impl<'r> Row<'r> {
    /// The row before its first column.
    pub(super) const fn new(result: &'r QueryResult) -> Self {
        Self { result, next: 0 }
    }

    /// The next column as the database holds it.
    pub(super) fn value<T: TryGetable>(&mut self) -> Result<T, StorageError> {
        let value = self.result.try_get_by_index(self.next)?;
        self.next += 1;
        Ok(value)
    }

    /// An id.
    pub(super) fn id<K: From<Uuid>>(&mut self) -> Result<K, StorageError> {
        self.value::<Uuid>().map(K::from)
    }

    /// An id that may be null.
    pub(super) fn optional_id<K: From<Uuid>>(&mut self) -> Result<Option<K>, StorageError> {
        Ok(self.value::<Option<Uuid>>()?.map(K::from))
    }

    /// A time.
    pub(super) fn time(&mut self) -> Result<Timestamp, StorageError> {
        time(self.value()?)
    }

    /// A time that may be null.
    pub(super) fn optional_time(&mut self) -> Result<Option<Timestamp>, StorageError> {
        self.value::<Option<i64>>()?.map(time).transpose()
    }

    /// A number that stands for a value of the domain; `what` says of which kind.
    pub(super) fn code<T>(&mut self, what: &'static str, of: fn(i16) -> Option<T>) -> Result<T, StorageError> {
        of(self.value()?).ok_or(StorageError::Corrupt(what))
    }

    /// Such a number that may be null.
    pub(super) fn optional_code<T>(
        &mut self,
        what: &'static str,
        of: fn(i16) -> Option<T>,
    ) -> Result<Option<T>, StorageError> {
        let code = self.value::<Option<i16>>()?;
        code.map(|code| of(code).ok_or(StorageError::Corrupt(what))).transpose()
    }

    /// A tally's cell.
    pub(super) fn cell(&mut self) -> Result<Cell, StorageError> {
        cell(self.value()?)
    }

    /// A tally's cell that may be null.
    pub(super) fn optional_cell(&mut self) -> Result<Option<Cell>, StorageError> {
        self.value::<Option<i32>>()?.map(cell).transpose()
    }
}

fn time(micros: i64) -> Result<Timestamp, StorageError> {
    Timestamp::from_micros(micros).ok_or(StorageError::Corrupt("time"))
}

fn cell(code: i32) -> Result<Cell, StorageError> {
    Cell::from_code(code).ok_or(StorageError::Corrupt("cell"))
}
