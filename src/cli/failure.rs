//! How a command fails.

use std::error::Error;
use std::process::ExitCode;

use super::note;
use crate::telemetry::causes;

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
        note(self.sentence());
        ExitCode::from(self.code)
    }

    /// The cause with the causes behind it.
    pub(super) fn sentence(&self) -> String {
        let chain = [vec![self.cause.to_string()], causes(self.cause.as_ref())].concat();
        format!("bluetick: {}", chain.join(": "))
    }
}

impl<E: Error + Send + Sync + 'static> From<E> for Failure {
    fn from(cause: E) -> Self {
        Self::failed(cause)
    }
}
