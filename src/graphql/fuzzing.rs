//! What fuzzers feed of GraphQL; see the module `fuzzing`.

#![expect(clippy::missing_panics_doc, reason = "a target tells by a panic that something does not hold")]

use std::sync::LazyLock;

use async_graphql::{InputType, Request, Value};

use super::document::Documents;
use super::input::user::UserFilter;
use crate::config::Settings;

/// A filter is read or refused.
pub fn filter(bytes: &[u8]) {
    let Ok(value) = serde_json::from_slice(bytes) else { return };
    let Ok(value) = Value::from_json(value) else { return };
    if let Ok(filter) = UserFilter::parse(Some(value)) {
        drop(filter.read());
    }
}

/// A document is admitted, or refused with a code.
pub fn document(bytes: &[u8]) {
    static DOCUMENTS: LazyLock<Option<Documents>> = LazyLock::new(|| {
        let settings = Settings::with(&[]).ok()?;
        Documents::new(&super::sdl(), settings.graphql).ok()
    });
    let (Ok(text), Some(documents)) = (std::str::from_utf8(bytes), &*DOCUMENTS) else { return };
    if let Err(errors) = documents.admit(&mut Request::new(text), true) {
        assert!(!errors.is_empty() && errors.iter().all(|error| error.extensions.is_some()), "{errors:?}");
    }
}
