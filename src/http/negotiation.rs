//! Media types of GraphQL over HTTP: which a client accepts, and which a body has.

use axum::http::HeaderMap;
use axum::http::header::{ACCEPT, CONTENT_TYPE, HeaderValue};

/// How a response is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Media {
    /// `application/json`: a request that was understood as HTTP is answered 200, whatever became of the document.
    Json,
    /// `application/graphql-response+json`: the status distinguishes a refused document from an executed one.
    GraphqlResponse,
}

/// How much a client wants something, in thousandths.
type Quality = u16;

const FULL: Quality = 1_000;

impl Media {
    /// The `Content-Type` of such a response.
    pub(super) const fn header(self) -> HeaderValue {
        match self {
            Self::Json => HeaderValue::from_static("application/json; charset=utf-8"),
            Self::GraphqlResponse => HeaderValue::from_static("application/graphql-response+json; charset=utf-8"),
        }
    }

    /// What the client wants most; the first of what it wants as much. Without a wish, and where anything will do, it is
    /// `application/json`, which every client reads. `None` where it accepts neither.
    pub(super) fn accepted(headers: &HeaderMap) -> Option<Self> {
        if !headers.contains_key(ACCEPT) {
            return Some(Self::Json);
        }
        let lines = headers.get_all(ACCEPT).iter().filter_map(|line| line.to_str().ok());
        let wishes = lines.flat_map(|line| line.split(',')).filter_map(wish).filter(|(_, quality)| *quality > 0);
        let (_, media) = wishes.fold(
            (0, None),
            |best, (media, quality)| {
                if quality > best.0 { (quality, Some(media)) } else { best }
            },
        );
        media
    }
}

/// One element of an `Accept` header, if it names what we write.
fn wish(element: &str) -> Option<(Media, Quality)> {
    let mut parts = element.split(';').map(str::trim);
    let media = match parts.next()?.to_ascii_lowercase().as_str() {
        "application/graphql-response+json" => Media::GraphqlResponse,
        "application/json" | "application/*" | "*/*" => Media::Json,
        _ => return None,
    };
    let quality = parts.find_map(|part| parameter(part, "q"));
    Some((media, quality.map_or(FULL, read_quality)))
}

/// Whether the client takes a stream of events. One that does not say what it takes does.
pub(super) fn accepts_event_stream(headers: &HeaderMap) -> bool {
    let lines = headers.get_all(ACCEPT).iter().filter_map(|line| line.to_str().ok());
    let takes = |element: &str| {
        let mut parts = element.split(';').map(str::trim);
        let media = parts.next().unwrap_or_default().to_ascii_lowercase();
        let quality = parts.find_map(|part| parameter(part, "q")).map_or(FULL, read_quality);
        ["text/event-stream", "text/*", "*/*"].contains(&media.as_str()) && quality > 0
    };
    !headers.contains_key(ACCEPT) || lines.flat_map(|line| line.split(',')).any(takes)
}

/// A malformed quality counts as a full wish: the client named the type after all.
fn read_quality(text: &str) -> Quality {
    let digits = match text.split_once('.') {
        Some(("0", decimals)) if decimals.len() <= 3 => format!("{decimals:0<3}"),
        None if text == "0" => return 0,
        _ => return FULL,
    };
    digits.parse().unwrap_or(FULL)
}

/// Whether the body is JSON in UTF-8, the only encoding of JSON between systems.
pub(super) fn has_json_body(headers: &HeaderMap) -> bool {
    let Some(content_type) = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()) else { return false };
    let mut parts = content_type.split(';').map(str::trim);
    let is_json = parts.next().is_some_and(|essence| essence.eq_ignore_ascii_case("application/json"));
    let charset = parts.find_map(|part| parameter(part, "charset"));
    is_json && charset.is_none_or(|charset| charset.trim_matches('"').eq_ignore_ascii_case("utf-8"))
}

fn parameter<'a>(part: &'a str, name: &str) -> Option<&'a str> {
    let (key, value) = part.split_once('=')?;
    key.trim().eq_ignore_ascii_case(name).then_some(value.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepted(accept: &str) -> Option<Media> {
        Media::accepted(&HeaderMap::from_iter([(ACCEPT, HeaderValue::from_str(accept).unwrap())]))
    }

    #[test]
    fn a_client_gets_what_it_wants_most() {
        assert_eq!(Media::accepted(&HeaderMap::new()), Some(Media::Json));
        for (accept, media) in [
            ("*/*", Media::Json),
            ("application/*", Media::Json),
            ("application/json", Media::Json),
            ("Application/GraphQL-Response+JSON", Media::GraphqlResponse),
            ("application/graphql-response+json, application/json;q=0.9", Media::GraphqlResponse),
            ("application/graphql-response+json;charset=utf-8, application/json", Media::GraphqlResponse),
            ("application/json, application/graphql-response+json", Media::Json),
            ("application/json;q=0.5, application/graphql-response+json; q=0.51", Media::GraphqlResponse),
            ("application/graphql-response+json;q=0, application/json;q=0.001", Media::Json),
            ("text/html, application/xhtml+xml, */*;q=0.8", Media::Json),
            ("application/json;q=much", Media::Json),
        ] {
            assert_eq!(accepted(accept), Some(media), "{accept}");
        }
    }

    #[test]
    fn what_is_not_accepted_is_not_answered() {
        for accept in ["text/html", "application/json;q=0", "application/json;q=0.000", "nonsense", ""] {
            assert_eq!(accepted(accept), None, "{accept}");
        }
    }

    #[test]
    fn events_are_for_those_who_take_them() {
        let accepts = |accept: &str| {
            accepts_event_stream(&HeaderMap::from_iter([(ACCEPT, HeaderValue::from_str(accept).unwrap())]))
        };
        assert!(accepts_event_stream(&HeaderMap::new()));
        for accept in ["text/event-stream", "application/json, Text/Event-Stream;q=0.1", "*/*", "text/*"] {
            assert!(accepts(accept), "{accept}");
        }
        for accept in ["application/json", "text/event-stream;q=0", "text/html", ""] {
            assert!(!accepts(accept), "{accept}");
        }
    }

    #[test]
    fn only_json_in_utf_8_is_read() {
        let read =
            |text: &str| has_json_body(&HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_str(text).unwrap())]));
        for text in [
            "application/json",
            "APPLICATION/JSON",
            "application/json; charset=UTF-8",
            "application/json;charset=\"utf-8\"",
        ] {
            assert!(read(text), "{text}");
        }
        for text in ["text/plain", "application/json; charset=latin1", "application/jsonp", "multipart/form-data", ""] {
            assert!(!read(text), "{text}");
        }
        assert!(!has_json_body(&HeaderMap::new()));
    }
}
