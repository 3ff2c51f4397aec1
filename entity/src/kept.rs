//! Kept payloads: what arrived and could not be understood or recorded, for people to look at.

use sea_orm::entity::prelude::*;

/// A kept payload.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "kept")]
pub struct Model {
    /// The kept payload's id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The workspace that it arrived for; null where that cannot be told.
    pub workspace_id: Option<Uuid>,
    /// Why it was kept.
    pub reason: String,
    /// What arrived.
    pub payload: String,
    /// When it was kept.
    pub kept_at: i64,
}

/// None: storage writes its joins by column.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
