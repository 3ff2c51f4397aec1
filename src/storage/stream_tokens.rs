//! Stream tokens.

use entity::stream_tokens;
use sea_orm::{EntityTrait, Set};

use super::query::Query;
use super::row::Row;
use super::{Database, StorageError, Tenant};
use crate::domain::clock::Timestamp;
use crate::domain::id::{TokenId, WorkspaceId};

/// A stream token without its secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamToken {
    /// The token in whose name it was made.
    pub token: TokenId,
    /// The workspace that it opens.
    pub workspace: WorkspaceId,
    /// Whom that token names, if it is a JWT.
    pub person: Option<String>,
    /// What it permits, as the bits of `auth::Scopes`.
    pub scopes: i16,
    /// From when on it opens nothing.
    pub expires_at: Timestamp,
    /// When whatever it opened ends; `None` for as long as the other token is valid.
    pub ends_at: Option<Timestamp>,
}

/// Stores a stream token under the hash of its secret.
pub async fn add(tenant: &Tenant, hash: &str, stream: &StreamToken) -> Result<(), StorageError> {
    let row = stream_tokens::ActiveModel {
        hash: Set(hash.to_owned()),
        workspace_id: Set(tenant.workspace().0),
        token_id: Set(stream.token.0),
        person: Set(stream.person.clone()),
        scopes: Set(stream.scopes),
        expires_at: Set(stream.expires_at.micros()),
        ends_at: Set(stream.ends_at.map(Timestamp::micros)),
    };
    stream_tokens::Entity::insert(row).exec_without_returning(tenant.database().writer()).await?;
    Ok(())
}

/// How many stream tokens of a token open anything now.
pub async fn count(tenant: &Tenant, token: TokenId, now: Timestamp) -> Result<i64, StorageError> {
    let mut query = Query::of(tenant);
    let (token, now) = (query.bind(token.0), query.bind(now.micros()));
    let sql = format!(
        "SELECT count(*) FROM stream_tokens WHERE workspace_id = $1 AND token_id = {token} AND expires_at > {now}"
    );
    Ok(query.number(sql).await?.unwrap_or_default())
}

/// The stream token with this hash that opens something now.
pub async fn find(db: &Database, hash: &str, now: Timestamp) -> Result<Option<StreamToken>, StorageError> {
    let mut query = Query::anywhere(db);
    let (hash, now) = (query.bind(hash), query.bind(now.micros()));
    let sql = format!(
        "SELECT token_id, workspace_id, person, scopes, expires_at, ends_at FROM stream_tokens \
         WHERE hash = {hash} AND expires_at > {now}"
    );
    query.first(sql, read).await
}

fn read(row: &mut Row<'_>) -> Result<StreamToken, StorageError> {
    Ok(StreamToken {
        token: row.id()?,
        workspace: row.id()?,
        person: row.value()?,
        scopes: row.value()?,
        expires_at: row.time()?,
        ends_at: row.optional_time()?,
    })
}
