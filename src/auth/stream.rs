//! Stream tokens: made in the name of another token, they open subscriptions for a short time and permit nothing that writes.
//! They are for clients that can give a token only in an address, which others may see.
//!
//! What such a token opened lasts as long as the other token: until that is revoked or, if it is a JWT, expires.

use std::sync::Arc;
use std::time::Duration;

use super::{Scopes, Tokens, Viewer, secret};
use crate::config::Secret;
use crate::domain::clock::{Clock, Timestamp};
use crate::storage::stream_tokens::{self, StreamToken};
use crate::storage::{Database, StorageError, Tenant, tokens};

/// How long a stream token opens streams.
const LIFE: Duration = Duration::from_mins(1);

/// The most stream tokens of a token that open anything.
const MOST: i64 = 100;

/// Where stream tokens are.
#[derive(Clone)]
pub(super) struct Streams {
    pub(super) db: Database,
    pub(super) clock: Arc<dyn Clock>,
}

/// A new stream token. Its secret cannot be shown again later.
#[derive(Debug)]
pub struct NewStreamToken {
    /// The token itself.
    pub token: Secret,
    /// From when on it opens nothing.
    pub expires_at: Timestamp,
}

impl Tokens {
    /// Makes a stream token in the name of a viewer; `None` if there are as many as there may be.
    pub async fn make_stream_token(&self, viewer: &Viewer) -> Result<Option<NewStreamToken>, StorageError> {
        let Some(Streams { db, clock }) = &self.streams else { return Ok(None) };
        let (tenant, now) = (Tenant::new(db.clone(), viewer.workspace), clock.now());
        if stream_tokens::count(&tenant, viewer.token, now).await? >= MOST {
            return Ok(None);
        }
        let token = secret::generate(secret::STREAM, &mut rand::rng());
        let expires_at = viewer.expires.map_or(now.plus(LIFE), |end| end.min(now.plus(LIFE)));
        let stream = StreamToken {
            token: viewer.token,
            workspace: viewer.workspace,
            person: viewer.person.as_deref().map(str::to_owned),
            scopes: viewer.scopes.reading().bits(),
            expires_at,
            ends_at: viewer.expires,
        };
        stream_tokens::add(&tenant, &secret::hash(token.expose()), &stream).await?;
        Ok(Some(NewStreamToken { token, expires_at }))
    }

    /// The viewer of a token that opens streams: a stream token, or any other.
    pub async fn viewer_of_stream(&self, token: &str) -> Result<Option<Viewer>, Arc<StorageError>> {
        let Some(Streams { db, clock }) = self.streams.as_ref().filter(|_| is_stream_token(token)) else {
            return self.viewer(token).await;
        };
        let Some(found) = stream_tokens::find(db, &secret::hash(token), clock.now()).await? else { return Ok(None) };
        let viewer = Viewer {
            token: found.token,
            person: found.person.map(Arc::from),
            workspace: found.workspace,
            scopes: Scopes::from_bits(found.scopes),
            expires: found.ends_at,
        };
        Ok(self.stands(token, &viewer).await?.then_some(viewer))
    }

    /// Whether what a token opened for a viewer may go on.
    pub async fn stands(&self, token: &str, viewer: &Viewer) -> Result<bool, Arc<StorageError>> {
        let Some(Streams { db, clock }) = self.streams.as_ref().filter(|_| is_stream_token(token)) else {
            return Ok(self.viewer(token).await?.as_ref() == Some(viewer));
        };
        Ok(match viewer.expires {
            Some(end) => clock.now() < end,
            None => tokens::is_valid(db, viewer.token).await?,
        })
    }
}

fn is_stream_token(token: &str) -> bool {
    secret::is_well_formed(secret::STREAM, token)
}
