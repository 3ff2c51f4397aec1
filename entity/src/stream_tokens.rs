//! Stream tokens: each opens subscriptions for a short time, in the name of another token.

use sea_orm::entity::prelude::*;

/// A stream token.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "stream_tokens")]
pub struct Model {
    /// SHA-256 of the secret, in lower-case hexadecimal.
    #[sea_orm(primary_key, auto_increment = false)]
    pub hash: String,
    /// The workspace that it opens.
    pub workspace_id: Uuid,
    /// The token in whose name it was made. A JSON Web Token has no row among the tokens.
    pub token_id: Uuid,
    /// Whom that token names, if it is a JSON Web Token.
    pub person: Option<String>,
    /// What it permits, a bitmask: 1 read, 8 personal.
    pub scopes: i16,
    /// From when on it opens nothing.
    pub expires_at: i64,
    /// When whatever it opened ends, at the end of a JSON Web Token; null for any other token.
    pub ends_at: Option<i64>,
}

/// None: storage writes its joins by column.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
