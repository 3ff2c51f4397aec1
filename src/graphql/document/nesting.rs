//! How deep a document is nested, found without a parser: parsers recurse, and would exhaust a thread's stack.

/// How many brackets are open at once, at most. What stands in strings and comments opens none.
pub(super) fn nesting(document: &str) -> usize {
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
}
