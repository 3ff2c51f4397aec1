//! Parsing documents, within bounds that the parser does not keep by itself.

use std::sync::{Arc, LazyLock};

use async_graphql::parser::types::ExecutableDocument;
use async_graphql::{Request, ServerError};
use moka::sync::Cache;

use crate::graphql::error::Code;

/// How deep selections, lists and objects may be nested in a document. The parser recurses and would exhaust a thread's
/// stack at some hundreds.
const MAX_NESTING: usize = 200;

/// How many bytes of documents are kept parsed. Clients have few and send them again and again.
const CACHE_BYTES: u64 = 16 << 20;

/// Documents that were parsed lately, by their text.
static PARSED: LazyLock<Cache<String, Arc<ExecutableDocument>>> = LazyLock::new(|| {
    let weight = |text: &String, _: &_| u32::try_from(text.len()).unwrap_or(u32::MAX);
    Cache::builder().weigher(weight).max_capacity(CACHE_BYTES).build()
});

/// Parses a request's document, once.
pub fn parse(request: &mut Request) -> Result<&ExecutableDocument, ServerError> {
    if let Some(parsed) = PARSED.get(&request.query) {
        request.set_parsed_query(ExecutableDocument::clone(&parsed));
    } else {
        let parsed = Arc::new(parse_anew(request)?.clone());
        PARSED.insert(request.query.clone(), parsed);
    }
    request.parsed_query()
}

fn parse_anew(request: &mut Request) -> Result<&ExecutableDocument, ServerError> {
    let marked = |mut error| {
        Code::ParseFailed.mark(&mut error);
        error
    };
    let nesting = nesting(&request.query);
    if nesting > MAX_NESTING {
        let message = format!("The document is nested {nesting} levels deep; the maximum is {MAX_NESTING}");
        return Err(marked(ServerError::new(message, None)));
    }
    request.parsed_query().map_err(marked)
}

/// How many brackets are open at once, at most. What stands in strings and comments opens none.
fn nesting(document: &str) -> usize {
    let (mut open, mut deepest) = (0_usize, 0);
    let mut rest = document.as_bytes();
    while let Some((&byte, behind)) = rest.split_first() {
        rest = behind;
        match byte {
            b'{' | b'[' | b'(' => open += 1,
            b'}' | b']' | b')' => open = open.saturating_sub(1),
            b'#' => rest = behind_comment(rest),
            b'"' => rest = behind_string(rest),
            _ => {}
        }
        deepest = deepest.max(open);
    }
    deepest
}

fn behind_comment(text: &[u8]) -> &[u8] {
    let end = text.iter().position(|byte| matches!(byte, b'\n' | b'\r')).unwrap_or(text.len());
    text.split_at(end).1
}

/// What follows a string whose first quote was read. One that does not end leaves nothing.
fn behind_string(text: &[u8]) -> &[u8] {
    const BLOCK: &[u8] = b"\"\"";
    match text.strip_prefix(BLOCK) {
        Some(block) => behind(block, b"\"\"\"", b"\\\"\"\""),
        None => behind(text, b"\"", b"\\\""),
    }
}

/// What follows the first `end` that is not part of an `escape`.
fn behind<'a>(mut text: &'a [u8], end: &[u8], escape: &[u8]) -> &'a [u8] {
    // In an ordinary string a backslash may itself be escaped.
    let escapes: [&[u8]; 2] = if end.len() == 1 { [escape, b"\\\\"] } else { [escape, escape] };
    while !text.is_empty() {
        if let Some(rest) = text.strip_prefix(end) {
            return rest;
        }
        let escaped = escapes.iter().find_map(|escape| text.strip_prefix(*escape));
        text = escaped.unwrap_or_else(|| text.split_at(1).1);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brackets_are_counted_where_they_open_something() {
        for (document, depth) in [
            ("", 0),
            ("{ a }", 1),
            ("query ($a: [[Int!]]) { b(c: [{ d: 1 }]) { e } }", 4),
            ("{ a } # {{{{\n{ b { c } }", 2),
            (r#"{ a(b: "{[(\"{[(\\") { c } }"#, 2),
            (r#"{ a(b: """ {{{ \""" {{{ " {{{ "" """) { c } }"#, 2),
            (r#"{ a(b: "") { c } }"#, 2),
            ("}}}{", 1),
            (r#"{ a(b: "never ends {{{"#, 2),
        ] {
            assert_eq!(nesting(document), depth, "{document}");
        }
    }

    #[test]
    fn a_document_that_is_nested_too_deeply_is_not_parsed() {
        let nested = |depth| Request::new("{ a".repeat(depth) + &"}".repeat(depth));
        assert!(parse(&mut nested(30)).is_ok());
        let told = parse(&mut nested(201)).unwrap_err();
        assert_eq!(told.message, "The document is nested 201 levels deep; the maximum is 200");
        assert!(parse(&mut nested(1_000_000)).is_err());
    }
}
