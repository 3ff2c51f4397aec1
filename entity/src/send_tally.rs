//! The tally of a send: how many of its deployments stand in each combination of status, stage, session status and
//! failure reason.

use sea_orm::entity::prelude::*;

/// A cell of a send's tally.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "send_tally")]
pub struct Model {
    /// The send.
    #[sea_orm(primary_key, auto_increment = false)]
    pub send_id: Uuid,
    /// The combination, as one number.
    #[sea_orm(primary_key, auto_increment = false)]
    pub cell: i32,
    /// The workspace of the send.
    pub workspace_id: Uuid,
    /// How many deployments stand in it; never negative.
    pub deployments: i64,
}

/// None: storage writes its joins by column.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
