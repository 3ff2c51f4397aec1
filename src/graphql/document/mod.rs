//! Parsing documents, within bounds that the parser does not keep by itself.

use std::collections::BTreeSet;
use std::sync::{Arc, LazyLock};

use async_graphql::parser::types::{ExecutableDocument, OperationDefinition, OperationType, Selection, SelectionSet};
use async_graphql::{Name, Positioned, Request, ServerError};
use moka::sync::Cache;

use crate::graphql::error::Code;

/// How deep selections, lists and objects may be nested in a document. The parser recurses and would exhaust a thread's
/// stack at some hundreds.
const MAX_NESTING: usize = 200;

/// How many bytes of documents are kept parsed, and of one at most: parsed, they take many times as much. Clients have few
/// and small ones, and send them again and again.
const CACHE_BYTES: u64 = 2 << 20;
const MAX_CACHED_BYTES: usize = 16 << 10;

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
        let is_kept = request.query.len() <= MAX_CACHED_BYTES;
        let parsed = parse_anew(request)?;
        if is_kept {
            let parsed = Arc::new(parsed.clone());
            PARSED.insert(request.query.clone(), parsed);
        }
    }
    request.parsed_query()
}

/// The operation that a request asks for; `None` where the document does not tell, which the executor will. As the executor
/// has it, the only operation of a document need not be named by the request, whatever its name.
pub fn operation<'d>(
    document: &'d ExecutableDocument,
    operation_name: Option<&str>,
) -> Option<&'d Positioned<OperationDefinition>> {
    let is_meant = |name: Option<&Name>| operation_name.is_none() || name.map(Name::as_str) == operation_name;
    let mut meant = document.operations.iter().filter(|(name, _)| is_meant(*name));
    let (_, operation) = meant.next()?;
    meant.next().is_none().then_some(operation)
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

/// A subscription needs a transport that can carry its events. It has one source of them, so it selects one field; the
/// framework would run several side by side.
pub(crate) fn check_subscription(
    document: &ExecutableDocument,
    operation_name: Option<&str>,
    can_stream: bool,
) -> Result<(), ServerError> {
    let meant = operation(document, operation_name);
    let Some(operation) = meant.filter(|operation| operation.node.ty == OperationType::Subscription) else {
        return Ok(());
    };
    let (mut fields, mut spread) = (BTreeSet::new(), BTreeSet::new());
    collect(document, &operation.node.selection_set.node, &mut fields, &mut spread);
    let fault = match fields.len() {
        _ if !can_stream => {
            "Subscriptions are served over WebSocket at /graphql/ws (by graphql-transport-ws), and as server-sent events at /graphql/sse"
        }
        0 | 1 => return Ok(()),
        _ => "A subscription must select exactly one field",
    };
    let mut error = ServerError::new(fault, Some(operation.pos));
    Code::ValidationFailed.mark(&mut error);
    Err(error)
}

/// The response names of what is selected, also by fragments, each of which is looked at once.
fn collect<'d>(
    document: &'d ExecutableDocument,
    selections: &'d SelectionSet,
    fields: &mut BTreeSet<&'d str>,
    spread: &mut BTreeSet<&'d str>,
) {
    for selection in &selections.items {
        match &selection.node {
            Selection::Field(field) => {
                fields.insert(field.node.response_key().node.as_str());
            }
            Selection::InlineFragment(inline) => collect(document, &inline.node.selection_set.node, fields, spread),
            Selection::FragmentSpread(named) => {
                let name = &named.node.fragment_name.node;
                let fragment = document.fragments.get(name).filter(|_| spread.insert(name.as_str()));
                if let Some(fragment) = fragment {
                    collect(document, &fragment.node.selection_set.node, fields, spread);
                }
            }
        }
    }
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
        let skipped = escapes.iter().find_map(|escape| text.strip_prefix(*escape));
        text = skipped.unwrap_or_else(|| text.split_at(1).1);
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
    fn a_subscription_selects_one_field() {
        let check = |document: &str| {
            let document = async_graphql::parser::parse_query(document).unwrap();
            check_subscription(&document, None, true).is_ok()
        };
        for right in [
            "subscription { a }",
            "subscription { a { b c } a { d } }",
            "subscription { ...A } fragment A on Subscription { a ...A }",
            "query { a b }",
        ] {
            assert!(check(right), "{right}");
        }
        for wrong in [
            "subscription { a b }",
            "subscription { x: a y: a }",
            "subscription { a ...B } fragment B on Subscription { b }",
            "subscription { a ... { b } }",
        ] {
            assert!(!check(wrong), "{wrong}");
        }
    }

    #[test]
    fn a_subscription_needs_a_transport_that_streams() {
        let document = async_graphql::parser::parse_query("subscription A { a } query B { b }").unwrap();
        assert!(check_subscription(&document, Some("A"), false).unwrap_err().message.contains("graphql-transport-ws"));
        assert!(check_subscription(&document, Some("B"), false).is_ok());
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
