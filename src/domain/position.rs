//! Places in the logs of versions, as clients carry them from one connection to the next.

use std::fmt;
use std::str::FromStr;

use super::id::{AnyId, VersionId};

/// A place in a version's log: behind one of its changes. Written as `version:revision`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct LogPosition {
    /// The version.
    pub version: VersionId,
    /// The revision of the change; 0 for the beginning of the log.
    pub revision: i64,
}

/// A text that is no such place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it is not a position in the log of a version")]
pub struct NoPosition;

impl fmt::Display for LogPosition {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}", self.version, self.revision)
    }
}

impl FromStr for LogPosition {
    type Err = NoPosition;

    fn from_str(text: &str) -> Result<Self, NoPosition> {
        let (version, revision) = text.split_once(':').ok_or(NoPosition)?;
        let Ok(AnyId::Version(version)) = AnyId::parse(version) else { return Err(NoPosition) };
        let position = Self { version, revision: revision.parse().map_err(|_| NoPosition)? };
        Some(position).filter(|position| position.revision >= 0 && position.to_string() == text).ok_or(NoPosition)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::id::{SendId, new_key};

    #[test]
    fn a_position_is_read_as_it_is_written_and_nothing_else_is() {
        let version = VersionId(new_key());
        for revision in [0, 1, i64::MAX] {
            let position = LogPosition { version, revision };
            assert_eq!(position.to_string().parse(), Ok(position));
        }
        let send = SendId(new_key());
        for text in [
            String::new(),
            "1".to_owned(),
            version.to_string(),
            format!("{version}:"),
            format!("{version}:-1"),
            format!("{version}:+1"),
            format!("{version}:01"),
            format!("{version}:1:2"),
            format!("{version}:9223372036854775808"),
            format!("{send}:1"),
        ] {
            assert_eq!(text.parse::<LogPosition>(), Err(NoPosition), "{text}");
        }
    }
}
