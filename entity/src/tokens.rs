//! Tokens: what opens a workspace to a client. Only a token's hash is stored, so a copy of the table opens nothing.

use sea_orm::entity::prelude::*;

/// A token.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "tokens")]
pub struct Model {
    /// The token's id; not the secret.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The workspace that the token opens.
    pub workspace_id: Uuid,
    /// SHA-256 of the secret, in lower-case hexadecimal; unique.
    pub hash: String,
    /// What the token permits, a bitmask: 1 read, 2 write, 4 admin; never 0.
    pub scopes: i16,
    /// When it was made.
    pub created_at: i64,
    /// From when on it opens nothing; null while it is valid.
    pub revoked_at: Option<i64>,
}

/// None: storage writes its joins by column.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
