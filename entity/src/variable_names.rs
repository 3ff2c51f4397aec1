//! Names of the variables that occur among a version's users: the variable columns of its users table. Kept apart,
//! so that they are not gathered from all its deployments.

use sea_orm::entity::prelude::*;

/// The name of a variable of a version.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "variable_names")]
pub struct Model {
    /// The version.
    #[sea_orm(primary_key, auto_increment = false)]
    pub version_id: Uuid,
    /// The variable's name.
    #[sea_orm(primary_key, auto_increment = false)]
    pub name: String,
    /// The workspace of the version.
    pub workspace_id: Uuid,
}

/// None: storage writes its joins by column.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
