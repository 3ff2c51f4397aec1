//! Conversations: what a company sends or answers. Their content stands in their versions.

use sea_orm::entity::prelude::*;

/// A conversation.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "conversations")]
pub struct Model {
    /// The conversation's id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The workspace that wrote it.
    pub workspace_id: Uuid,
    /// The line on which it is held.
    pub line_id: Uuid,
    /// What the workspace calls it; need not be unique.
    pub name: String,
    /// The name without regard to case, as `domain` folds it: what a search for a part of the name looks at.
    pub name_folded: String,
    /// Who begins: 0 the user (inbound), 1 the company (outbound).
    pub direction: i16,
    /// How many versions there are, which is the number of the current one; at least 1.
    pub versions: i32,
    /// When it was made.
    pub created_at: i64,
    /// From when on it is no longer sent; null while it is in use.
    pub archived_at: Option<i64>,
}

/// None: storage writes its joins by column.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
