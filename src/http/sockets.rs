//! How many sockets and event streams are open, of the node and of each token.
//!
//! Who comes beyond a limit is told how long to stay away. That time is drawn at random, so that those who are sent away
//! together do not come back together.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rand::RngExt;

use crate::domain::id::TokenId;
use crate::telemetry::metrics;

/// How long those who are sent away stay away, in seconds.
const WAIT_SECONDS: std::ops::RangeInclusive<u64> = 5..=30;

/// What is open. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Sockets(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    limit: usize,
    limit_per_token: usize,
    open: Mutex<Open>,
}

#[derive(Debug, Default)]
struct Open {
    all: usize,
    of_tokens: HashMap<TokenId, usize>,
}

/// The right to be open, which ends when it is dropped.
#[derive(Debug)]
pub(super) struct Admission {
    sockets: Sockets,
    token: Option<TokenId>,
}

/// Why nothing more can be opened, and when to try again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("Too many sockets are open{}: try again in {} seconds", if *.of_token { " with this token" } else { "" }, .wait.as_secs())]
pub(super) struct Full {
    /// Whether it is the token that has too many, and not the node.
    pub(super) of_token: bool,
    /// How long to stay away.
    pub(super) wait: Duration,
}

impl Sockets {
    /// Nothing is open; at most `limit` can be, and `limit_per_token` of each token.
    pub fn new(limit: usize, limit_per_token: usize) -> Self {
        Self(Arc::new(Inner { limit, limit_per_token, open: Mutex::default() }))
    }

    /// Opens a socket of somebody who is not known yet.
    pub(super) fn admit(&self) -> Result<Admission, Full> {
        let mut open = self.0.open.lock().unwrap_or_else(PoisonError::into_inner);
        if open.all >= self.0.limit {
            return Err(Full::draw(false));
        }
        open.all += 1;
        metrics::sockets(open.all);
        Ok(Admission { sockets: self.clone(), token: None })
    }
}

impl Admission {
    /// Counts it for a token.
    pub(super) fn count_for(&mut self, token: TokenId) -> Result<(), Full> {
        let mut open = self.sockets.0.open.lock().unwrap_or_else(PoisonError::into_inner);
        let of_token = open.of_tokens.entry(token).or_default();
        if *of_token >= self.sockets.0.limit_per_token {
            return Err(Full::draw(true));
        }
        *of_token += 1;
        self.token = Some(token);
        Ok(())
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        let mut open = self.sockets.0.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.all = open.all.saturating_sub(1);
        metrics::sockets(open.all);
        let Some(token) = self.token else { return };
        if let Some(of_token) = open.of_tokens.get_mut(&token) {
            *of_token = of_token.saturating_sub(1);
            if *of_token == 0 {
                open.of_tokens.remove(&token);
            }
        }
    }
}

impl Full {
    fn draw(of_token: bool) -> Self {
        Self { of_token, wait: Duration::from_secs(rand::rng().random_range(WAIT_SECONDS)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::id::new_key;

    #[test]
    fn a_node_opens_up_to_its_limit_and_again_what_was_closed() {
        let sockets = Sockets::new(2, 2);
        let (one, _other) = (sockets.admit().unwrap(), sockets.admit().unwrap());
        let full = sockets.admit().unwrap_err();
        assert!(!full.of_token && WAIT_SECONDS.contains(&full.wait.as_secs()));
        drop(one);
        assert!(sockets.admit().is_ok());
    }

    #[test]
    fn a_token_opens_up_to_its_limit_and_leaves_others_theirs() {
        let sockets = Sockets::new(10, 1);
        let (token, another) = (TokenId(new_key()), TokenId(new_key()));
        let mut first = sockets.admit().unwrap();
        first.count_for(token).unwrap();
        let mut second = sockets.admit().unwrap();
        assert!(second.count_for(token).unwrap_err().of_token);
        second.count_for(another).unwrap();
        drop(first);
        sockets.admit().unwrap().count_for(token).unwrap();
        drop(second);
        assert_eq!(sockets.0.open.lock().unwrap().all, 0);
        assert!(sockets.0.open.lock().unwrap().of_tokens.is_empty());
    }
}
