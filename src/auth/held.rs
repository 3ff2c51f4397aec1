//! Tokens held in memory, in place of a database, for tests.

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

/// Tokens held in memory. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(crate) struct Held {
    tokens: Arc<Mutex<HashMap<String, Token>>>,
    asked: Arc<AtomicUsize>,
    away: Arc<AtomicBool>,
}

impl Held {
    /// Makes a token with these scopes, in a workspace of its own.
    pub(crate) fn add(&self, scopes: &str) -> String {
        let token = secret::generate(&mut rand::rng()).expose().to_owned();
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

    /// Makes every look-up fail, or no longer.
    pub(crate) fn set_away(&self, away: bool) {
        self.away.store(away, Ordering::SeqCst);
    }

    /// How often a token was looked up.
    pub(crate) fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    /// Looks tokens up.
    pub(crate) fn find(&self) -> Find {
        let held = self.clone();
        Arc::new(move |hash| {
            held.asked.fetch_add(1, Ordering::SeqCst);
            let found = held.tokens.lock().unwrap().get(&hash).cloned();
            let away = held.away.load(Ordering::SeqCst);
            ready(if away { Err(StorageError::Corrupt("token")) } else { Ok(found) }).boxed()
        })
    }
}
