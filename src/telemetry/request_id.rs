//! The name of a request, by which a client's report and the server's log find each other.

use std::fmt;
use std::sync::Arc;

use crate::domain::id::new_key;

/// Names one request. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestId(Arc<str>);

/// The longest id that a client may choose, in bytes: what tracing systems send is far shorter.
const MAX_BYTES: usize = 128;

impl RequestId {
    /// A new one.
    pub fn generate() -> Self {
        Self(new_key().simple().to_string().into())
    }

    /// The client's own id, if it is safe in a log line and a header.
    pub fn accept(text: &str) -> Option<Self> {
        let sane = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:/+=@".contains(&byte);
        ((1..=MAX_BYTES).contains(&text.len()) && text.bytes().all(sane)).then(|| Self(text.into()))
    }

    /// Its text: visible ASCII without quotes, at most 128 bytes.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_harmless_id_is_taken_from_a_client() {
        assert_eq!(RequestId::accept("a-1_b.c").unwrap().as_str(), "a-1_b.c");
        for text in ["", "a b", "a\nb", "\"", "é", &"a".repeat(129)] {
            assert_eq!(RequestId::accept(text), None, "{text}");
        }
        assert!(RequestId::accept(RequestId::generate().as_str()).is_some());
    }
}
