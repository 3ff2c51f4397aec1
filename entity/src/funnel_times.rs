//! How long the answers to the steps of a flow took.

use sea_orm::entity::prelude::*;

/// The number of first valid answers to a step that took so long.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "funnel_times")]
pub struct Model {
    /// The version.
    #[sea_orm(primary_key, auto_increment = false)]
    pub version_id: Uuid,
    /// The step's name.
    #[sea_orm(primary_key, auto_increment = false)]
    pub step: String,
    /// Seconds from entering the step to the answer, rounded down to two digits.
    #[sea_orm(primary_key, auto_increment = false)]
    pub seconds: i64,
    /// The version's workspace.
    pub workspace_id: Uuid,
    /// How many answers took so long.
    pub answers: i64,
}

/// None: storage writes its joins by column.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
