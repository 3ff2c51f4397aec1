//! The tally of a version: how many of its users stand in each combination of status, stage, session status and
//! failure reason.

use sea_orm::entity::prelude::*;

/// A cell of a version's tally.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "tally")]
pub struct Model {
    /// The version.
    #[sea_orm(primary_key, auto_increment = false)]
    pub version_id: Uuid,
    /// The combination, as one number.
    #[sea_orm(primary_key, auto_increment = false)]
    pub cell: i32,
    /// The workspace of the version.
    pub workspace_id: Uuid,
    /// How many users stand in it; never negative.
    pub users: i64,
}

/// None: storage writes its joins by column.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
