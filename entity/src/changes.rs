//! Changes: a version's log, one net change of one user by one commit. Its numbers are consecutive and in the order
//! of commit.

use sea_orm::entity::prelude::*;

/// A change.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "changes")]
pub struct Model {
    /// The version.
    #[sea_orm(primary_key, auto_increment = false)]
    pub version_id: Uuid,
    /// The change's number within the version: 1, 2, 3 …
    #[sea_orm(primary_key, auto_increment = false)]
    pub revision: i64,
    /// The workspace of the version.
    pub workspace_id: Uuid,
    /// The user who changed.
    pub user_id: Uuid,
    /// When it was recorded.
    pub at: i64,
    /// What changed, a bitmask; never 0.
    pub kinds: i32,
    /// The tally's cell that the user left; null where the user is new.
    pub cell_before: Option<i32>,
    /// The tally's cell that the user entered, or stayed in.
    pub cell: i32,
}

/// None: storage writes its joins by column.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
