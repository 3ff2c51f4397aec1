//! Reading rows: column by column in the order of the statement, converted to the domain's types.
//!
//! Columns are read by position rather than by name, because that is the cheapest way and pages are read by the thousand. The
//! list of columns is next to the function that reads them.

use std::time::Duration;

use sea_orm::prelude::Uuid;
use sea_orm::{QueryResult, TryGetable};

use super::StorageError;
use crate::domain::clock::Timestamp;
use crate::domain::code::Coded;
use crate::domain::standing::Cell;

/// A row, read from its first column to its last.
pub(super) struct Row<'r> {
    result: &'r QueryResult,
    next: usize,
}

impl<'r> Row<'r> {
    /// A row, positioned before its first column.
    pub(super) const fn new(result: &'r QueryResult) -> Self {
        Self { result, next: 0 }
    }

    /// The next column, as the database returns it.
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

    /// A number of seconds that may be null.
    pub(super) fn optional_seconds(&mut self) -> Result<Option<Duration>, StorageError> {
        optional_seconds(self.value()?)
    }

    /// A value of an enum.
    pub(super) fn code<T: Coded>(&mut self) -> Result<T, StorageError> {
        code(self.value()?)
    }

    /// A value of an enum that may be null.
    pub(super) fn optional_code<T: Coded>(&mut self) -> Result<Option<T>, StorageError> {
        self.value::<Option<i16>>()?.map(code).transpose()
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

/// A time as it is stored.
pub(super) fn time(micros: i64) -> Result<Timestamp, StorageError> {
    Timestamp::from_micros(micros).ok_or(StorageError::Corrupt("time"))
}

/// A number of seconds as it is stored.
pub(super) fn optional_seconds(seconds: Option<i32>) -> Result<Option<Duration>, StorageError> {
    let duration = |seconds| u64::try_from(seconds).map(Duration::from_secs);
    seconds.map(duration).transpose().map_err(|_| StorageError::Corrupt("duration"))
}

/// A duration as it is stored.
pub(super) fn seconds(duration: Duration) -> i32 {
    i32::try_from(duration.as_secs()).unwrap_or(i32::MAX)
}

/// A value of an enum as it is stored.
pub(super) fn code<T: Coded>(code: i16) -> Result<T, StorageError> {
    T::from_code(code).ok_or(StorageError::Corrupt(T::NAME))
}

/// A tally's cell as it is stored.
pub(super) fn cell(code: i32) -> Result<Cell, StorageError> {
    Cell::from_code(code).ok_or(StorageError::Corrupt("cell"))
}
