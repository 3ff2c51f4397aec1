//! How a command fails.

use std::error::Error;
use std::process::ExitCode;

use super::note;

/// Why a command ends without an answer.
#[derive(Debug)]
pub(super) struct Failure {
    cause: Box<dyn Error + Send + Sync>,
    code: u8,
}

impl Failure {
    /// The work failed.
    pub(super) fn failed(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { cause: cause.into(), code: 1 }
    }

    /// The call or the settings are wrong.
    pub(super) fn wrong_call(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { cause: cause.into(), code: 2 }
    }

    /// Tells the cause with the causes behind it.
    pub(super) fn tell(&self) -> ExitCode {
        let mut text = format!("bluetick: {}", self.cause);
        let mut source = self.cause.source();
        while let Some(cause) = source {
            text.push_str(": ");
            text.push_str(&cause.to_string());
            source = cause.source();
        }
        note(text);
        ExitCode::from(self.code)
    }
}

impl<E: Error + Send + Sync + 'static> From<E> for Failure {
    fn from(cause: E) -> Self {
        Self::failed(cause)
    }
}
