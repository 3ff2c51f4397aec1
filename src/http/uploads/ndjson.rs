//! Lists as newline-delimited JSON: `{"phone": "…", "variables": {"name": "value"}}` on each line.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::decoder::{MAX_ROW_BYTES, Unreadable};
use crate::dispatch::Recipient;
use crate::dispatch::uploads::ListRow;

/// Decodes newline-delimited JSON.
#[derive(Default)]
pub(super) struct Ndjson {
    /// The beginning of a line whose end has not arrived.
    begun: Vec<u8>,
    /// How many lines have ended.
    ended: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct User {
    phone: String,
    #[serde(default)]
    variables: Option<BTreeMap<String, String>>,
}

/// How much of a parser's message is told, in characters, as it may repeat what it read.
const REASON_CHARACTERS: usize = 200;

impl Ndjson {
    pub(super) fn push(&mut self, bytes: &[u8], rows: &mut Vec<ListRow>) -> Result<(), Unreadable> {
        let mut lines = bytes.split(|byte| *byte == b'\n');
        // What follows the last line feed has no end yet.
        let begun = lines.next_back().unwrap_or_default();
        for line in lines {
            self.extend(line)?;
            self.end(rows);
        }
        self.extend(begun)
    }

    pub(super) fn finish(&mut self, rows: &mut Vec<ListRow>) {
        self.end(rows);
    }

    fn extend(&mut self, bytes: &[u8]) -> Result<(), Unreadable> {
        if self.begun.len() + bytes.len() > MAX_ROW_BYTES {
            return Err(Unreadable::too_long(self.ended + 1, ""));
        }
        self.begun.extend_from_slice(bytes);
        Ok(())
    }

    fn end(&mut self, rows: &mut Vec<ListRow>) {
        self.ended += 1;
        let line = std::mem::take(&mut self.begun);
        if !line.trim_ascii().is_empty() {
            rows.push(ListRow { line: self.ended, user: read(&line) });
        }
    }
}

fn read(line: &[u8]) -> Result<Recipient, String> {
    let user: User = serde_json::from_slice(line).map_err(|error| {
        let reason: String = error.to_string().chars().take(REASON_CHARACTERS).collect();
        format!("the row is not {{\"phone\": \"…\", \"variables\": {{\"name\": \"value\"}}}}: {reason}")
    })?;
    Ok(Recipient { phone: user.phone, variables: user.variables.unwrap_or_default().into_iter().collect() })
}
