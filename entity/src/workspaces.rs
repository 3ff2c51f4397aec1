//! Workspaces: the tenants. Every other row belongs to one.

use sea_orm::entity::prelude::*;

/// A workspace.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "workspaces")]
pub struct Model {
    /// The workspace's id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// What operators call it; unique in the installation.
    pub name: String,
    /// When it was made.
    pub created_at: i64,
}

/// None: storage writes its joins by column.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
