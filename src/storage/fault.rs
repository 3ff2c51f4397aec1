//! What the drivers' errors mean for callers.

use sea_orm::{DbErr, RuntimeErr};

use super::StorageError;

/// What an error of the database means for the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultKind {
    /// A race was lost. The same call succeeds when it is retried.
    Race,
    /// A unique constraint was violated. If another transaction inserted the row after it was looked up, the same call finds it
    /// when it is retried; otherwise the call itself is at fault.
    Taken,
    /// The database is unavailable or overloaded. The same call succeeds later.
    Outage,
    /// The data of the call is at fault.
    Data,
}

impl FaultKind {
    /// Whether the same call may succeed when it is retried immediately.
    pub const fn may_pass_at_once(self) -> bool {
        matches!(self, Self::Race | Self::Taken)
    }
}

/// Runs `work`, and runs it again up to `max_retries` times while it fails for a reason that may not persist.
pub async fn retry_races<T, F>(max_retries: u32, mut work: impl FnMut() -> F) -> Result<T, StorageError>
where
    F: Future<Output = Result<T, StorageError>>,
{
    for _ in 0..max_retries {
        match work().await {
            Err(error) if error.kind().may_pass_at_once() => {}
            result => return result,
        }
    }
    work().await
}

impl StorageError {
    /// What the error means for the caller.
    pub fn kind(&self) -> FaultKind {
        match self {
            Self::Overtaken => FaultKind::Race,
            Self::Corrupt(_) | Self::Url => FaultKind::Data,
            Self::Database(error) => kind(error),
        }
    }
}

fn kind(error: &DbErr) -> FaultKind {
    match error {
        DbErr::Exec(RuntimeErr::SqlxError(error)) | DbErr::Query(RuntimeErr::SqlxError(error)) => {
            match error.as_ref() {
                sqlx::Error::Database(error) => kind_of_code(error.code().as_deref().unwrap_or_default()),
                sqlx::Error::ColumnDecode { .. } | sqlx::Error::Encode(_) | sqlx::Error::Decode(_) => FaultKind::Data,
                _ => FaultKind::Outage,
            }
        }
        DbErr::Type(_) | DbErr::Json(_) | DbErr::TryIntoErr { .. } => FaultKind::Data,
        _ => FaultKind::Outage,
    }
}

/// PostgreSQL's codes have five letters and digits, of which the first two are the class. SQLite's are numbers whose low byte
/// is the class.
fn kind_of_code(code: &str) -> FaultKind {
    match code {
        // serialization failure, deadlock
        "40001" | "40P01" => FaultKind::Race,
        // unique violation; SQLITE_CONSTRAINT_PRIMARYKEY, SQLITE_CONSTRAINT_UNIQUE
        "23505" | "1555" | "2067" => FaultKind::Taken,
        // data exceptions and broken constraints
        code if code.len() == 5 && (code.starts_with("22") || code.starts_with("23")) => FaultKind::Data,
        code if code.len() == 5 => FaultKind::Outage,
        code => match code.parse::<u32>().map(|code| code & 0xff) {
            // SQLITE_BUSY, SQLITE_LOCKED
            Ok(5 | 6) => FaultKind::Race,
            // SQLITE_TOOBIG, SQLITE_CONSTRAINT, SQLITE_MISMATCH
            Ok(18..=20) => FaultKind::Data,
            _ => FaultKind::Outage,
        },
    }
}
