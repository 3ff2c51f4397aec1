//! Looks up the token of every request.
//!
//! Lookups are cached for two seconds, so that a busy client causes one statement in that time, and a revoked token stops
//! working within it on every node. Unknown tokens are cached, too. The cache is bounded, so a flood of unknown tokens does
//! not exhaust the memory, and repeating the same one does not reach the database.

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use moka::future::Cache;

use super::jwt::{self, Bearer, Jwts};
use super::stream::Streams;
use super::{Scopes, Viewer, secret};
use crate::domain::clock::Clock;
use crate::domain::id::WorkspaceId;
use crate::storage::tokens::{self, Token};
use crate::storage::{Database, StorageError};

/// How long a lookup is cached, and so how long a revoked token may remain usable.
const CACHE_TTL: Duration = Duration::from_secs(2);
/// The most lookups that are cached, at about 200 bytes each.
const CACHE_CAPACITY: u64 = 20_000;

/// Identifies the viewers of tokens. Cheap to clone.
#[derive(Clone)]
pub struct Tokens {
    jwts: Option<Arc<Jwts>>,
    find_workspace: FindWorkspace,
    /// The workspaces that JWTs name.
    workspaces: Cache<String, Option<WorkspaceId>>,
    find: Find,
    viewers: Cache<String, Option<Viewer>>,
    /// Where stream tokens are, if there are any.
    pub(super) streams: Option<Streams>,
}

/// Finds the valid token with a hash.
pub(crate) type Find = Arc<dyn Fn(String) -> BoxFuture<'static, Result<Option<Token>, StorageError>> + Send + Sync>;

/// Finds the workspace of a name.
type FindWorkspace = Arc<dyn Fn(String) -> BoxFuture<'static, Result<Option<WorkspaceId>, StorageError>> + Send + Sync>;

impl Tokens {
    /// The tokens of a database.
    pub fn new(db: Database, clock: Arc<dyn Clock>) -> Self {
        let (workspaces, streams) = (db.clone(), Streams { db: db.clone(), clock });
        let find = move |hash: String| {
            let db = db.clone();
            async move { tokens::find_by_hash(&db, &hash).await }.boxed()
        };
        let find_workspace = move |name: String| {
            let db = workspaces.clone();
            async move { tokens::find_workspace(&db, &name).await }.boxed()
        };
        Self {
            find_workspace: Arc::new(find_workspace),
            streams: Some(streams),
            ..Self::cached(Arc::new(find), CACHE_TTL)
        }
    }

    /// Also accepts JWTs.
    #[must_use]
    pub fn with_jwts(self, jwts: Option<Jwts>) -> Self {
        Self { jwts: jwts.map(Arc::new), ..self }
    }

    /// Tokens found by `find`, with lookups cached for `ttl`.
    pub(crate) fn cached(find: Find, ttl: Duration) -> Self {
        let viewers = Cache::builder().max_capacity(CACHE_CAPACITY).time_to_live(ttl).build();
        let workspaces = Cache::builder().max_capacity(CACHE_CAPACITY).time_to_live(ttl).build();
        let find_workspace: FindWorkspace = Arc::new(|_| async { Ok(None) }.boxed());
        Self { jwts: None, find_workspace, workspaces, find, viewers, streams: None }
    }

    /// The viewer of a token; `None` if it is unknown or was revoked. Concurrent requests with the same token share the lookup,
    /// hence the shared error.
    pub async fn viewer(&self, token: &str) -> Result<Option<Viewer>, Arc<StorageError>> {
        if let Some(jwts) = self.jwts.as_ref().filter(|_| jwt::is_well_formed(token)) {
            return self.viewer_of_jwt(jwts, token).await;
        }
        if !secret::is_well_formed(secret::TOKEN, token) {
            return Ok(None);
        }
        let hash = secret::hash(token);
        let found = async { Ok((self.find)(hash.clone()).await?.as_ref().map(viewer_of)) };
        self.viewers.try_get_with_by_ref(&hash, found).await
    }

    async fn viewer_of_jwt(&self, jwts: &Jwts, token: &str) -> Result<Option<Viewer>, Arc<StorageError>> {
        let Some(Bearer { token, person, workspace, scopes, expires }) = jwts.verify(token) else { return Ok(None) };
        let found = (self.find_workspace)(workspace.clone());
        let workspace = self.workspaces.try_get_with(workspace, found).await?;
        Ok(workspace.map(|workspace| Viewer { token, person, workspace, scopes, expires: Some(expires) }))
    }
}

const fn viewer_of(token: &Token) -> Viewer {
    let scopes = Scopes::from_bits(token.scopes);
    Viewer { token: token.id, person: None, workspace: token.workspace, scopes, expires: None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::fake::FakeTokens;

    const LONG: Duration = Duration::from_hours(1);

    #[tokio::test]
    async fn lookups_are_cached() {
        let fake = FakeTokens::default();
        let tokens = Tokens::cached(fake.find(), LONG);
        let token = fake.add("read,write");
        let unknown = secret::generate(secret::TOKEN, &mut rand::rng());
        for _ in 0..10 {
            assert!(tokens.viewer(&token).await.unwrap().is_some());
            assert_eq!(tokens.viewer(unknown.expose()).await.unwrap(), None);
        }
        assert_eq!(fake.lookups(), 2);
    }

    #[tokio::test]
    async fn a_revoked_token_stops_working_once_its_lookup_expires() {
        let fake = FakeTokens::default();
        let (cached, uncached) = (Tokens::cached(fake.find(), LONG), Tokens::cached(fake.find(), Duration::ZERO));
        let token = fake.add("read,write");
        assert!(cached.viewer(&token).await.unwrap().is_some());
        assert!(uncached.viewer(&token).await.unwrap().is_some());

        fake.revoke(&token);
        assert!(cached.viewer(&token).await.unwrap().is_some());
        assert_eq!(uncached.viewer(&token).await.unwrap(), None);
    }

    #[tokio::test]
    async fn malformed_tokens_are_not_looked_up() {
        let fake = FakeTokens::default();
        let tokens = Tokens::cached(fake.find(), LONG);
        for text in ["", "bt_", "secret", &"x".repeat(1_000_000)] {
            assert_eq!(tokens.viewer(text).await.unwrap(), None);
        }
        assert_eq!(fake.lookups(), 0);
    }

    #[tokio::test]
    async fn a_failed_lookup_is_reported_and_not_cached() {
        let fake = FakeTokens::default();
        let tokens = Tokens::cached(fake.find(), LONG);
        let token = fake.add("read");
        fake.set_unavailable(true);
        assert!(tokens.viewer(&token).await.is_err());
        fake.set_unavailable(false);
        assert!(tokens.viewer(&token).await.unwrap().is_some());
    }
}
