//! Uploads: lists that are being received, so that what a broken connection left behind can be found and removed.

use sea_orm::entity::prelude::*;

/// An upload.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "uploads")]
pub struct Model {
    /// The id that the send will have.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The workspace that uploads.
    pub workspace_id: Uuid,
    /// When rows last arrived.
    pub touched_at: i64,
}

/// None: storage writes its joins by column.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
