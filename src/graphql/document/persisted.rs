//! Documents that a request names by their hash instead of carrying them.
//!
//! **Automatic persisted queries**: `extensions.persistedQuery.sha256Hash` names a document that this node was sent before;
//! a node that does not know it answers `PERSISTED_QUERY_NOT_FOUND`, and the client sends the document along with the hash.
//! **Trusted documents** are registered in a file; with `graphql.trusted_only` no others are carried out.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_graphql::{Request, ServerError, Value};
use moka::sync::Cache;
use sha2::{Digest, Sha256};

use crate::graphql::error::Code;

/// The extension of a request that names its document.
const EXTENSION: &str = "persistedQuery";

/// How many bytes of documents are remembered by their hash.
const CACHE_BYTES: u64 = 4 << 20;

/// Documents by what names them.
pub(super) struct Persisted {
    /// Those that were sent lately, by their SHA-256.
    sent: Cache<[u8; 32], Arc<str>>,
    /// Those in the file, by their names there.
    trusted: HashMap<String, Arc<str>>,
    trusted_texts: HashSet<Arc<str>>,
    trusted_only: bool,
}

/// Why a file of trusted documents cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TrustedError {
    /// It cannot be read.
    #[error("cannot read the trusted documents in {}", .0.display())]
    Unreadable(PathBuf, #[source] std::io::Error),
    /// It is not what it must be.
    #[error("the trusted documents in {} must be a JSON object of documents by their hash or id", .0.display())]
    Malformed(PathBuf, #[source] serde_json::Error),
    /// There is none, and nothing else is to be trusted.
    #[error("graphql.trusted_only is set, so graphql.trusted_documents must name a file")]
    Missing,
}

impl Persisted {
    /// Remembers documents that are sent; knows those of a file, if there is one.
    pub(super) fn new(file: Option<&Path>, trusted_only: bool) -> Result<Self, TrustedError> {
        let trusted = match file {
            Some(path) => read(path)?,
            None if trusted_only => return Err(TrustedError::Missing),
            None => HashMap::new(),
        };
        let weight = |_: &_, text: &Arc<str>| u32::try_from(text.len()).unwrap_or(u32::MAX);
        let sent = Cache::builder().weigher(weight).max_capacity(CACHE_BYTES).build();
        Ok(Self { sent, trusted_texts: trusted.values().cloned().collect(), trusted, trusted_only })
    }

    /// The trusted documents, by their names.
    pub(super) fn trusted(&self) -> impl Iterator<Item = (&str, &str)> {
        self.trusted.iter().map(|(name, text)| (name.as_str(), &**text))
    }

    /// Gives a request the document that it names; afterwards the request carries it, and names it no more.
    pub(super) fn resolve(&self, request: &mut Request) -> Result<(), ServerError> {
        if let Some(name) = named(request)? {
            self.find(&name, request)?;
            request.extensions.remove(EXTENSION);
        }
        if self.trusted_only && !self.trusted_texts.contains(request.query.as_str()) {
            return Err(refusal("This server carries out registered documents only", Code::DocumentNotTrusted));
        }
        Ok(())
    }

    fn find(&self, name: &str, request: &mut Request) -> Result<(), ServerError> {
        if request.query.is_empty() {
            let sent = || self.sent.get(&hash_named(name)?);
            let found = self.trusted.get(name).cloned().or_else(sent);
            // The word is what clients look for.
            let missing = || refusal("PersistedQueryNotFound", Code::PersistedQueryNotFound);
            request.query = found.ok_or_else(missing)?.to_string();
        } else if !self.trusted.contains_key(name) {
            let hash: [u8; 32] = Sha256::digest(&request.query).into();
            if hash_named(name) != Some(hash) {
                let fault = "\"extensions.persistedQuery.sha256Hash\" is not the SHA-256 of \"query\"";
                return Err(refusal(fault, Code::BadUserInput));
            }
            if !self.trusted_only {
                self.sent.insert(hash, request.query.as_str().into());
            }
        }
        Ok(())
    }
}

/// What a request names its document by, if it does.
fn named(request: &Request) -> Result<Option<String>, ServerError> {
    let Some(named) = request.extensions.get(EXTENSION) else { return Ok(None) };
    let fault = || {
        let fault = "\"extensions.persistedQuery\" must be {\"version\": 1, \"sha256Hash\": \"…\"}";
        refusal(fault, Code::BadUserInput)
    };
    let Value::Object(members) = named else { return Err(fault()) };
    let version = matches!(members.get("version"), Some(Value::Number(version)) if version.as_u64() == Some(1));
    match members.get("sha256Hash") {
        Some(Value::String(name)) if version => Ok(Some(name.clone())),
        _ => Err(fault()),
    }
}

fn hash_named(name: &str) -> Option<[u8; 32]> {
    hex::decode(name).ok()?.try_into().ok()
}

fn read(path: &Path) -> Result<HashMap<String, Arc<str>>, TrustedError> {
    let text = std::fs::read(path).map_err(|error| TrustedError::Unreadable(path.to_owned(), error))?;
    serde_json::from_slice(&text).map_err(|error| TrustedError::Malformed(path.to_owned(), error))
}

fn refusal(message: &str, code: Code) -> ServerError {
    super::marked(ServerError::new(message, None), code)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::*;

    const DOCUMENT: &str = "{ leaf }";
    const HASH: &str = "e5fd4abbcc72a61b2f2f1d5f2ab2b0f9a1d1b8d3a7b4d7d6f2a1c6a3a1b2c3d4";

    fn hash() -> String {
        hex::encode(Sha256::digest(DOCUMENT))
    }

    fn request(query: &str, persisted: Json) -> Request {
        let mut request = Request::new(query);
        request.extensions.insert("persistedQuery".to_owned(), Value::from_json(persisted).unwrap());
        request
    }

    fn by(query: &str, hash: &str) -> Request {
        request(query, json!({ "version": 1, "sha256Hash": hash }))
    }

    fn code(resolved: Result<(), ServerError>) -> Option<String> {
        let extensions = serde_json::to_value(resolved.err()?.extensions.unwrap()).unwrap();
        Some(extensions["code"].as_str().unwrap().to_owned())
    }

    fn trusting(only: bool) -> Persisted {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), json!({ "doc-1": DOCUMENT }).to_string()).unwrap();
        Persisted::new(Some(file.path()), only).unwrap()
    }

    #[test]
    fn a_document_that_was_sent_is_found_by_its_hash() {
        let persisted = Persisted::new(None, false).unwrap();
        assert_eq!(code(persisted.resolve(&mut by("", &hash()))).as_deref(), Some("PERSISTED_QUERY_NOT_FOUND"));
        persisted.resolve(&mut by(DOCUMENT, &hash())).unwrap();
        let mut request = by("", &hash());
        persisted.resolve(&mut request).unwrap();
        assert_eq!(request.query, DOCUMENT);
        assert!(request.extensions.is_empty());
    }

    #[test]
    fn nobody_can_put_a_document_under_anothers_hash() {
        let persisted = Persisted::new(None, false).unwrap();
        assert_eq!(code(persisted.resolve(&mut by(DOCUMENT, HASH))).as_deref(), Some("BAD_USER_INPUT"));
        assert_eq!(code(persisted.resolve(&mut by("", HASH))).as_deref(), Some("PERSISTED_QUERY_NOT_FOUND"));
        for malformed in [json!(1), json!({}), json!({ "version": 2, "sha256Hash": hash() }), json!({ "version": 1 })] {
            let resolved = persisted.resolve(&mut request(DOCUMENT, malformed.clone()));
            assert_eq!(code(resolved).as_deref(), Some("BAD_USER_INPUT"), "{malformed}");
        }
    }

    #[test]
    fn where_only_trusted_documents_run_no_other_does() {
        let persisted = trusting(true);
        let mut named = by("", "doc-1");
        persisted.resolve(&mut named).unwrap();
        assert_eq!(named.query, DOCUMENT);
        persisted.resolve(&mut Request::new(DOCUMENT)).unwrap();
        let other = "{ other: leaf }";
        let other_hash = hex::encode(Sha256::digest(other));
        for mut request in [Request::new(other), by(other, &other_hash), by(other, "doc-1")] {
            assert_eq!(code(persisted.resolve(&mut request)).as_deref(), Some("DOCUMENT_NOT_TRUSTED"));
        }
        assert_eq!(code(persisted.resolve(&mut by("", &other_hash))).as_deref(), Some("PERSISTED_QUERY_NOT_FOUND"));
        assert!(matches!(Persisted::new(None, true), Err(TrustedError::Missing)));
    }

    #[test]
    fn trusted_documents_run_beside_others_unless_that_is_set() {
        let persisted = trusting(false);
        persisted.resolve(&mut Request::new("{ other: leaf }")).unwrap();
        persisted.resolve(&mut by("", "doc-1")).unwrap();
        let missing = Persisted::new(Some(Path::new("/nowhere/documents.json")), false);
        assert!(matches!(missing, Err(TrustedError::Unreadable(..))));
    }
}
