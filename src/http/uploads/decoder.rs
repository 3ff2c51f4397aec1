//! From bytes to rows, whatever the format. How the bytes are split into pieces makes no difference.

use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;

use super::csv::Csv;
use super::ndjson::Ndjson;
use crate::dispatch::uploads::ListRow;
use crate::http::refusal::{Kind, Refusal};

/// The most bytes that one row may have. It bounds what a row without an end can take.
pub(super) const MAX_ROW_BYTES: usize = 1_024 * 1_024;

/// What some programs write at the beginning of a text in UTF-8.
const MARK: &[u8] = "\u{feff}".as_bytes();

/// Decodes a list.
pub(super) struct Decoder {
    /// The first bytes, until they are known to be the mark or not.
    head: Option<Vec<u8>>,
    format: Format,
}

enum Format {
    Csv(Box<Csv>),
    Ndjson(Ndjson),
}

/// Why a list cannot be read on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Unreadable {
    pub(super) kind: Kind,
    pub(super) message: String,
}

impl Decoder {
    /// The decoder of the content type in a request's head.
    pub(super) fn of(headers: &HeaderMap) -> Result<Self, Refusal> {
        let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let mut parts = content_type.split(';').map(|part| part.trim().to_ascii_lowercase());
        let decoder = match parts.next().as_deref() {
            Some("text/csv") => Some(Self::csv()),
            Some("application/x-ndjson") => Some(Self::ndjson()),
            _ => None,
        };
        let is_utf8 = |charset: &str| matches!(charset.trim_matches('"'), "utf-8" | "utf8");
        let unread = parts.any(|part| part.strip_prefix("charset=").is_some_and(|charset| !is_utf8(charset)));
        let message = "The body must be text/csv or application/x-ndjson in UTF-8, and Content-Type must say so";
        decoder.filter(|_| !unread).ok_or_else(|| Refusal::new(Kind::UnsupportedMediaType, message))
    }

    pub(super) fn csv() -> Self {
        Self { head: Some(Vec::new()), format: Format::Csv(Box::default()) }
    }

    pub(super) fn ndjson() -> Self {
        Self { head: Some(Vec::new()), format: Format::Ndjson(Ndjson::default()) }
    }

    /// Decodes the next bytes, and adds the rows that they complete.
    pub(super) fn push(&mut self, bytes: &[u8], rows: &mut Vec<ListRow>) -> Result<(), Unreadable> {
        let Some(head) = &mut self.head else { return self.format.push(bytes, rows) };
        let (first, rest) = bytes.split_at(bytes.len().min(MARK.len() - head.len()));
        head.extend_from_slice(first);
        if head.len() < MARK.len() {
            return Ok(());
        }
        self.begin(rows)?;
        self.format.push(rest, rows)
    }

    /// Adds the last row, now that there are no more bytes.
    pub(super) fn finish(&mut self, rows: &mut Vec<ListRow>) -> Result<(), Unreadable> {
        self.begin(rows)?;
        match &mut self.format {
            Format::Csv(csv) => return csv.finish(rows),
            Format::Ndjson(ndjson) => ndjson.finish(rows),
        }
        Ok(())
    }

    fn begin(&mut self, rows: &mut Vec<ListRow>) -> Result<(), Unreadable> {
        let head = self.head.take().unwrap_or_default();
        if head == MARK { Ok(()) } else { self.format.push(&head, rows) }
    }
}

impl Format {
    fn push(&mut self, bytes: &[u8], rows: &mut Vec<ListRow>) -> Result<(), Unreadable> {
        match self {
            Self::Csv(csv) => csv.push(bytes, rows),
            Self::Ndjson(ndjson) => ndjson.push(bytes, rows),
        }
    }
}

impl Unreadable {
    /// The list is malformed from this line on.
    pub(super) fn malformed(line: u64, what: &str) -> Self {
        Self { kind: Kind::BadRequest, message: format!("Line {line}: {what}") }
    }

    /// The row that begins on this line does not end.
    pub(super) fn too_long(line: u64, hint: &str) -> Self {
        let message = format!("Line {line}: the row is longer than {MAX_ROW_BYTES} bytes{hint}");
        Self { kind: Kind::TooLarge, message }
    }
}
