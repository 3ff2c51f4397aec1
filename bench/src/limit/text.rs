//! Codes, ids and times as the API writes them.

use bluetick::domain::clock::Timestamp;
use bluetick::domain::code::Coded;
use bluetick::domain::message::{MessageKind, Sender};
use bluetick::domain::standing::{DeploymentStatus, Stage};

pub(super) fn time(micros: i64) -> String {
    Timestamp::from_micros(micros).map(|at| at.to_string()).unwrap_or_default()
}

pub(super) fn status(code: i16) -> &'static str {
    DeploymentStatus::from_code(code).map(DeploymentStatus::word).unwrap_or_default()
}

pub(super) fn stage(code: i16) -> &'static str {
    Stage::from_code(code).map(Stage::word).unwrap_or_default()
}

pub(super) fn sender(code: i16) -> &'static str {
    Sender::from_code(code).map(Sender::word).unwrap_or_default()
}

pub(super) fn kind(code: i16) -> &'static str {
    MessageKind::from_code(code).map(MessageKind::word).unwrap_or_default()
}

/// Keys as a JSON list of hexadecimal digits, which is how they get into SQLite.
pub(super) fn keys(keys: &[uuid::Uuid]) -> String {
    let digits: Vec<_> = keys.iter().map(|key| format!("\"{}\"", key.simple())).collect();
    format!("[{}]", digits.join(","))
}
