//! An in-memory stand-in for the table of tokens, for tests.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use futures_util::FutureExt;
use futures_util::future::ready;

use super::secret;
use super::tokens::Find;
use crate::domain::clock::Timestamp;
use crate::domain::id::{TokenId, WorkspaceId, new_key};
use crate::storage::StorageError;
use crate::storage::tokens::Token;

/// Tokens in memory instead of a database. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(crate) struct FakeTokens {
    tokens: Arc<Mutex<HashMap<String, Token>>>,
    lookups: Arc<AtomicUsize>,
    unavailable: Arc<AtomicBool>,
}

impl FakeTokens {
    /// Creates a token with these scopes, in a workspace of its own.
    pub(crate) fn add(&self, scopes: &str) -> String {
        let token = secret::generate(secret::TOKEN, &mut rand::rng()).expose().to_owned();
        let row = Token {
            id: TokenId(new_key()),
            workspace: WorkspaceId(new_key()),
            workspace_name: "acme".to_owned(),
            scopes: scopes.parse::<super::Scopes>().unwrap().bits(),
            created_at: Timestamp::MIN,
            revoked_at: None,
        };
        self.tokens.lock().unwrap().insert(secret::hash(&token), row);
        token
    }

    /// Revokes a token.
    pub(crate) fn revoke(&self, token: &str) {
        self.tokens.lock().unwrap().remove(&secret::hash(token));
    }

    /// Sets whether every lookup fails.
    pub(crate) fn set_unavailable(&self, unavailable: bool) {
        self.unavailable.store(unavailable, Ordering::SeqCst);
    }

    /// How many lookups there were.
    pub(crate) fn lookups(&self) -> usize {
        self.lookups.load(Ordering::SeqCst)
    }

    /// The lookup function over these tokens.
    pub(crate) fn find(&self) -> Find {
        let tokens = self.clone();
        Arc::new(move |hash| {
            tokens.lookups.fetch_add(1, Ordering::SeqCst);
            let found = tokens.tokens.lock().unwrap().get(&hash).cloned();
            let unavailable = tokens.unavailable.load(Ordering::SeqCst);
            ready(if unavailable { Err(StorageError::Corrupt("token")) } else { Ok(found) }).boxed()
        })
    }
}
