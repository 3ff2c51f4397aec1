//! API tokens, and the workspaces to which they give access.

use entity::{tokens, workspaces};
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, DbErr, EntityTrait, ExprTrait, QueryFilter, QuerySelect, Set};

use super::query::Query;
use super::row::Row;
use super::{Database, StorageError, Tenant};
use crate::domain::clock::Timestamp;
use crate::domain::id::{TokenId, WorkspaceId, new_key};

/// A token without its secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// The token's id.
    pub id: TokenId,
    /// The workspace to which it gives access.
    pub workspace: WorkspaceId,
    /// The workspace's name.
    pub workspace_name: String,
    /// What it permits, as the bits of `auth::Scopes`.
    pub scopes: i16,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it was revoked; `None` while it is valid.
    pub revoked_at: Option<Timestamp>,
}

/// The workspace with a name, which is created if it does not exist.
pub async fn get_workspace(db: &Database, name: &str, now: Timestamp) -> Result<WorkspaceId, StorageError> {
    let row = workspaces::ActiveModel { id: Set(new_key()), name: Set(name.to_owned()), created_at: Set(now.micros()) };
    // A concurrent call may have inserted it; then nothing is inserted here.
    let insert = workspaces::Entity::insert(row).on_conflict_do_nothing_on([workspaces::Column::Name]);
    insert.exec_without_returning(db.writer()).await?;
    let named = workspaces::Entity::find().filter(workspaces::Column::Name.eq(name));
    let workspace = named.one(db.writer()).await?;
    let missing = || DbErr::RecordNotFound("a workspace that was there a moment ago".to_owned());
    Ok(workspace.ok_or_else(missing)?.id.into())
}

/// The workspace with a name, if there is one.
pub async fn find_workspace(db: &Database, name: &str) -> Result<Option<WorkspaceId>, StorageError> {
    let named = workspaces::Entity::find().filter(workspaces::Column::Name.eq(name));
    Ok(named.one(db.reader()).await?.map(|workspace| workspace.id.into()))
}

/// The name of the workspace.
pub async fn workspace_name(tenant: &Tenant) -> Result<Option<String>, StorageError> {
    let name = workspaces::Entity::find_by_id(tenant.workspace().0).select_only().column(workspaces::Column::Name);
    Ok(name.into_tuple().one(tenant.database().reader()).await?)
}

/// Stores a token under the hash of its secret.
pub async fn create(tenant: &Tenant, hash: &str, scopes: i16, now: Timestamp) -> Result<TokenId, StorageError> {
    let id = TokenId(new_key());
    let row = tokens::ActiveModel {
        id: Set(id.0),
        workspace_id: Set(tenant.workspace().0),
        hash: Set(hash.to_owned()),
        scopes: Set(scopes),
        created_at: Set(now.micros()),
        revoked_at: Set(None),
    };
    tokens::Entity::insert(row).exec_without_returning(tenant.database().writer()).await?;
    Ok(id)
}

/// The valid token with this hash.
pub async fn find_by_hash(db: &Database, hash: &str) -> Result<Option<Token>, StorageError> {
    let mut query = Query::anywhere(db);
    let hash = query.bind(hash);
    let tokens = query.all(select(&format!("tokens.hash = {hash} AND tokens.revoked_at IS NULL")), read).await?;
    Ok(tokens.into_iter().next())
}

/// All tokens of all workspaces, oldest first.
pub async fn list(db: &Database) -> Result<Vec<Token>, StorageError> {
    Query::anywhere(db).all(format!("{} ORDER BY tokens.created_at, tokens.id", select("TRUE")), read).await
}

/// Whether there is a token with this id, and it is not revoked.
pub async fn is_valid(db: &Database, id: TokenId) -> Result<bool, StorageError> {
    let valid = tokens::Entity::find_by_id(id.0).filter(tokens::Column::RevokedAt.is_null());
    Ok(valid.one(db.reader()).await?.is_some())
}

/// The workspace of a token, if there is one with this id.
pub async fn workspace_of(db: &Database, id: TokenId) -> Result<Option<WorkspaceId>, StorageError> {
    let found = tokens::Entity::find_by_id(id.0).one(db.reader()).await?;
    Ok(found.map(|token| token.workspace_id.into()))
}

/// Revokes a token; if it is revoked already, the earlier time is kept.
pub async fn revoke(tenant: &Tenant, id: TokenId, now: Timestamp) -> Result<(), StorageError> {
    let revoked = Expr::col(tokens::Column::RevokedAt).if_null(now.micros());
    let update = tokens::Entity::update_many()
        .filter(tokens::Column::WorkspaceId.eq(tenant.workspace().0))
        .filter(tokens::Column::Id.eq(id.0))
        .col_expr(tokens::Column::RevokedAt, revoked);
    update.exec(tenant.database().writer()).await?;
    Ok(())
}

fn select(condition: &str) -> String {
    format!(
        "SELECT tokens.id, tokens.workspace_id, workspaces.name, tokens.scopes, tokens.created_at, tokens.revoked_at \
         FROM tokens JOIN workspaces ON workspaces.id = tokens.workspace_id WHERE {condition}"
    )
}

fn read(row: &mut Row<'_>) -> Result<Token, StorageError> {
    Ok(Token {
        id: row.id()?,
        workspace: row.id()?,
        workspace_name: row.value()?,
        scopes: row.value()?,
        created_at: row.time()?,
        revoked_at: row.optional_time()?,
    })
}
