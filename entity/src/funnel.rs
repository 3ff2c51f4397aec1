//! The funnels of versions: what all their sessions add up to, step by step.

use sea_orm::entity::prelude::*;

/// The figures of a step.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "funnel")]
pub struct Model {
    /// The version.
    #[sea_orm(primary_key, auto_increment = false)]
    pub version_id: Uuid,
    /// The step's name.
    #[sea_orm(primary_key, auto_increment = false)]
    pub step: String,
    /// The version's workspace.
    pub workspace_id: Uuid,
    /// Sessions that entered the step; without those whose first step a send said.
    pub entered: i64,
    /// Sessions that went on from it.
    pub answered: i64,
    /// Sessions that ended in it without an answer.
    pub left_here: i64,
}

/// None: storage writes its joins by column.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
