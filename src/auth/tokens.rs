//! Looks tokens up, for every request.
//!
//! A look-up is remembered for a short while, so that a busy client costs one statement every two seconds and a revoked
//! token stops within them, on every node. Unknown tokens are remembered likewise, and both within a bound: a flood of
//! them fills no memory, and one that repeats itself asks nothing of the database.

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use moka::future::Cache;

use super::{Scopes, Viewer, secret};
use crate::storage::tokens::{self, Token};
use crate::storage::{Database, StorageError};

/// How long a look-up is remembered: how long a revoked token may go on.
const CACHE_TTL: Duration = Duration::from_secs(2);
/// How many look-ups are remembered, some 200 bytes each.
const CACHE_CAPACITY: u64 = 20_000;

/// Identifies the viewers of tokens. Cheap to clone.
#[derive(Clone)]
pub struct Tokens {
    find: Find,
    viewers: Cache<String, Option<Viewer>>,
}

/// Finds the valid token with a hash.
pub(crate) type Find = Arc<dyn Fn(String) -> BoxFuture<'static, Result<Option<Token>, StorageError>> + Send + Sync>;

impl Tokens {
    /// The tokens of a database.
    pub fn new(db: Database) -> Self {
        let find = move |hash: String| {
            let db = db.clone();
            async move { tokens::find_by_hash(&db, &hash).await }.boxed()
        };
        Self::remembering(Arc::new(find), CACHE_TTL)
    }

    /// Tokens found by `find`, each remembered for `remembered`.
    pub(crate) fn remembering(find: Find, remembered: Duration) -> Self {
        let viewers = Cache::builder().max_capacity(CACHE_CAPACITY).time_to_live(remembered).build();
        Self { find, viewers }
    }

    /// The viewer of a token; `None` if it is unknown, or was revoked more than a moment ago. The error is
    /// shared by all who asked for the same token at once.
    pub async fn viewer(&self, token: &str) -> Result<Option<Viewer>, Arc<StorageError>> {
        if !secret::is_well_formed(token) {
            return Ok(None);
        }
        let hash = secret::hash(token);
        let found = async { Ok((self.find)(hash.clone()).await?.as_ref().map(viewer_of)) };
        self.viewers.try_get_with_by_ref(&hash, found).await
    }
}

const fn viewer_of(token: &Token) -> Viewer {
    Viewer { workspace: token.workspace, scopes: Scopes::from_bits(token.scopes) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::fake::FakeTokens;

    const LONG: Duration = Duration::from_hours(1);

    #[tokio::test]
    async fn a_token_is_looked_up_once_in_a_while() {
        let fake = FakeTokens::default();
        let tokens = Tokens::remembering(fake.find(), LONG);
        let token = fake.add("read,write");
        let unknown = secret::generate(&mut rand::rng());
        for _ in 0..10 {
            assert!(tokens.viewer(&token).await.unwrap().is_some());
            assert_eq!(tokens.viewer(unknown.expose()).await.unwrap(), None);
        }
        assert_eq!(fake.lookups(), 2);
    }

    #[tokio::test]
    async fn a_revoked_token_stops_as_soon_as_its_look_up_is_forgotten() {
        let fake = FakeTokens::default();
        let (remembering, forgetting) =
            (Tokens::remembering(fake.find(), LONG), Tokens::remembering(fake.find(), Duration::ZERO));
        let token = fake.add("read,write");
        assert!(remembering.viewer(&token).await.unwrap().is_some());
        assert!(forgetting.viewer(&token).await.unwrap().is_some());

        fake.revoke(&token);
        assert!(remembering.viewer(&token).await.unwrap().is_some());
        assert_eq!(forgetting.viewer(&token).await.unwrap(), None);
    }

    #[tokio::test]
    async fn what_is_no_token_is_not_looked_up() {
        let fake = FakeTokens::default();
        let tokens = Tokens::remembering(fake.find(), LONG);
        for text in ["", "bt_", "secret", &"x".repeat(1_000_000)] {
            assert_eq!(tokens.viewer(text).await.unwrap(), None);
        }
        assert_eq!(fake.lookups(), 0);
    }

    #[tokio::test]
    async fn a_failing_database_is_told_and_not_remembered() {
        let fake = FakeTokens::default();
        let tokens = Tokens::remembering(fake.find(), LONG);
        let token = fake.add("read");
        fake.set_unavailable(true);
        assert!(tokens.viewer(&token).await.is_err());
        fake.set_unavailable(false);
        assert!(tokens.viewer(&token).await.unwrap().is_some());
    }
}
