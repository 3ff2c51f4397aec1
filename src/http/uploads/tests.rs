//! The decoders: what is a row, what is none, and that pieces make no difference.

use proptest::prelude::*;

use super::decoder::{Decoder, MAX_ROW_BYTES, Unreadable};
use crate::dispatch::Recipient;
use crate::dispatch::uploads::ListRow;
use crate::http::refusal::Kind;

type Decoded = (Vec<ListRow>, Result<(), Unreadable>);

/// Decodes pieces, until one cannot be read.
fn decode<'p>(mut decoder: Decoder, pieces: impl IntoIterator<Item = &'p [u8]>) -> Decoded {
    let mut rows = Vec::new();
    let pushed = pieces.into_iter().try_for_each(|piece| decoder.push(piece, &mut rows));
    let ended = pushed.and_then(|()| decoder.finish(&mut rows));
    (rows, ended)
}

fn csv(text: &str) -> Vec<ListRow> {
    let (rows, ended) = decode(Decoder::csv(), [text.as_bytes()]);
    assert_eq!(ended, Ok(()));
    rows
}

fn ndjson(text: &str) -> Vec<ListRow> {
    let (rows, ended) = decode(Decoder::ndjson(), [text.as_bytes()]);
    assert_eq!(ended, Ok(()));
    rows
}

fn row(line: u64, phone: &str, variables: &[(&str, &str)]) -> ListRow {
    let variables = variables.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
    ListRow { line, user: Ok(Recipient { phone: phone.to_owned(), variables }) }
}

fn unreadable(decoder: Decoder, bytes: &[u8]) -> Unreadable {
    decode(decoder, [bytes]).1.unwrap_err()
}

fn reasons(rows: &[ListRow]) -> Vec<(u64, String)> {
    rows.iter().filter_map(|row| Some((row.line, row.user.clone().err()?))).collect()
}

#[test]
fn csv_rows_are_read_by_their_columns() {
    let rows = csv("name,phone,city\r\nAna,+571,Cali\r\n\r\n\"Luis, \"\"el\nalto\"\"\",+572,\nEva,+573,Bogotá");
    let expected = [
        row(2, "+571", &[("name", "Ana"), ("city", "Cali")]),
        row(4, "+572", &[("name", "Luis, \"el\nalto\"")]),
        row(6, "+573", &[("name", "Eva"), ("city", "Bogotá")]),
    ];
    assert_eq!(rows, expected);
}

#[test]
fn a_byte_order_mark_is_left_out_and_only_one() {
    assert_eq!(csv("\u{feff}phone\n1"), [row(2, "1", &[])]);
    assert_eq!(csv("\u{feff}\"phone\"\n1"), [row(2, "1", &[])]);
    assert!(unreadable(Decoder::csv(), "\u{feff}\u{feff}phone\n1".as_bytes()).message.contains("no column"));
    assert_eq!(ndjson("\u{feff}{\"phone\":\"1\"}"), [row(1, "1", &[])]);
}

#[test]
fn a_csv_row_of_another_length_is_refused_and_the_next_one_is_read() {
    let rows = csv("phone,name\n1\n2,Ana\n3,Eva,x\n");
    assert_eq!(rows[1], row(3, "2", &[("name", "Ana")]));
    let fields = |count| format!("the row has {count} fields, and the header 2");
    assert_eq!(reasons(&rows), [(2, fields(1)), (4, fields(3))]);
}

#[test]
fn a_row_that_is_not_utf_8_is_refused_and_the_next_one_is_read() {
    let (rows, ended) = decode(Decoder::csv(), [&b"phone,name\n1,\xff\n2,b\n"[..]]);
    assert_eq!((ended, reasons(&rows)), (Ok(()), vec![(2, "the row is not UTF-8".to_owned())]));
    assert_eq!(rows[1], row(3, "2", &[("name", "b")]));
    let (rows, _) = decode(Decoder::ndjson(), [&b"{\"phone\":\"\xff\"}\n{\"phone\":\"2\"}"[..]]);
    assert_eq!((reasons(&rows).len(), &rows[1]), (1, &row(2, "2", &[])));
}

#[test]
fn a_header_that_cannot_be_read_ends_the_list() {
    for (text, words) in [
        ("", "Line 1: the header is missing"),
        ("\n\n", "Line 1: the header is missing"),
        ("number,name\n1,a", "Line 1: the header has no column \"phone\""),
        ("phone;name\n1;a", "Line 1: the header has no column \"phone\""),
        ("\nphone,name,name\n1,a,b", "Line 2: the header has the column \"name\" twice"),
        ("phone,\n1,", "Line 1: the name of column 2 must not be empty"),
    ] {
        let found = unreadable(Decoder::csv(), text.as_bytes());
        assert_eq!(found.kind, Kind::BadRequest);
        assert!(found.message.starts_with(words), "{}", found.message);
    }
    let wide = |columns| vec!["a"; columns].join(",");
    assert!(unreadable(Decoder::csv(), wide(1_000).as_bytes()).message.contains("twice"));
    assert_eq!(
        unreadable(Decoder::csv(), wide(1_001).as_bytes()).message,
        "Line 1: the row has more than 1000 columns"
    );
}

#[test]
fn a_quote_that_is_not_closed_ends_the_list() {
    let found = unreadable(Decoder::csv(), b"phone,name\n1,a\n2,\"b\n3,c\n");
    assert_eq!(found.message, "Line 3: a quote is not closed");
    assert_eq!(csv("phone\n\"1\""), [row(2, "1", &[])]);
}

#[test]
fn a_row_without_an_end_takes_no_more_than_its_bound() {
    let piece = vec![b'x'; 64 * 1_024];
    for (mut decoder, beginning) in
        [(Decoder::csv(), &b"phone,name\n1,\""[..]), (Decoder::ndjson(), &b"\n{\"phone\":\""[..])]
    {
        let mut rows = Vec::new();
        decoder.push(beginning, &mut rows).unwrap();
        let read = (0..).find_map(|count| decoder.push(&piece, &mut rows).err().map(|found| (count, found)));
        let (pieces, found) = read.unwrap();
        assert!(pieces * piece.len() <= MAX_ROW_BYTES, "{pieces}");
        assert_eq!(found.kind, Kind::TooLarge);
        assert!(found.message.starts_with("Line 2: the row is longer than 1048576 bytes"), "{}", found.message);
    }
}

#[test]
fn a_long_row_is_read_up_to_the_bound() {
    let value = "x".repeat(MAX_ROW_BYTES - 100);
    assert_eq!(csv(&format!("phone,v\n1,\"{value}\"\n")), [row(2, "1", &[("v", &value)])]);
    assert_eq!(
        ndjson(&format!("{{\"phone\":\"1\",\"variables\":{{\"v\":\"{value}\"}}}}")),
        [row(1, "1", &[("v", &value)])]
    );
}

#[test]
fn json_lines_are_users_and_nothing_else() {
    let rows = ndjson(
        "{\"phone\":\"1\",\"variables\":{\"b\":\"2\",\"a\":\"\",\"b\":\"3\"}}\r\n\n  \n{\"phone\":\"2\",\"variables\":null}",
    );
    assert_eq!(rows, [row(1, "1", &[("a", ""), ("b", "3")]), row(4, "2", &[])]);
    let wrong = [
        "[]",
        "{}",
        "{\"phone\":1}",
        "{\"phone\":\"1\",\"variable\":{}}",
        "{\"phone\":\"1\",\"variables\":{\"a\":1}}",
        "{\"phone\":\"1\"} {}",
        "nobody",
    ];
    let rows = ndjson(&wrong.join("\n"));
    assert_eq!(reasons(&rows).len(), wrong.len());
    let long = ndjson(&format!("{{\"phone\":\"1\",\"variables\":\"{}\"}}", "x".repeat(10_000)));
    assert!(reasons(&long)[0].1.len() < 300);
}

/// Bytes that formats care about come often.
fn bytes() -> impl Strategy<Value = Vec<u8>> {
    let fragment = prop_oneof![
        Just(&b"phone,a\n"[..]),
        Just(&b"\""[..]),
        Just(&b","[..]),
        Just(&b"\r\n"[..]),
        Just(&b"\n"[..]),
        Just(&b"\r"[..]),
        Just(&b"\xef\xbb\xbf"[..]),
        Just(&b"\xef\xbb"[..]),
        Just(&b"\xff"[..]),
        Just(&b"1"[..]),
        Just(&b"{\"phone\":\"1\"}"[..]),
        Just("é".as_bytes()),
        Just(&b"x"[..]),
    ];
    let known = prop::collection::vec(fragment, 0..40).prop_map(|fragments| fragments.concat());
    prop_oneof![known, prop::collection::vec(any::<u8>(), 0..200)]
}

proptest! {
    #[test]
    fn pieces_make_no_difference(
        bytes in prop_oneof![bytes(), bytes().prop_map(|bytes| [b"phone,a\n", &bytes[..]].concat())],
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..8),
    ) {
        let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
        cuts.extend([0, bytes.len()]);
        cuts.sort_unstable();
        let pieces: Vec<_> = cuts.windows(2).map(|ends| &bytes[ends[0]..ends[1]]).collect();
        for make in [Decoder::csv, Decoder::ndjson] {
            let whole = decode(make(), [&bytes[..]]);
            prop_assert_eq!(&decode(make(), pieces.iter().copied()), &whole);
            prop_assert_eq!(&decode(make(), bytes.chunks(1)), &whole);
        }
    }

    #[test]
    fn written_rows_are_read_back(rows in prop::collection::vec(("[0-9]{1,3}", "[^\\x00]{1,12}"), 0..20)) {
        let quoted = |text: &str| format!("\"{}\"", text.replace('"', "\"\""));
        let text: Vec<_> = rows.iter().map(|(phone, value)| format!("{phone},{}\r\n", quoted(value))).collect();
        let users = |rows: Vec<ListRow>| rows.into_iter().map(|row| row.user.unwrap()).collect::<Vec<_>>();
        let expected = users(rows.iter().map(|(phone, value)| row(0, phone, &[("a", value)])).collect());
        prop_assert_eq!(users(csv(&format!("phone,a\n{}", text.concat()))), &expected[..]);
        let lines = rows.iter().map(|(phone, value)| serde_json::json!({ "phone": phone, "variables": { "a": value } }));
        let text: Vec<_> = lines.map(|line| line.to_string()).collect();
        prop_assert_eq!(users(ndjson(&text.join("\n"))), &expected[..]);
    }
}
