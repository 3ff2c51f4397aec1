//! Variables: the named values of a deployment, given at the send or captured in the flow.

use sea_orm::entity::prelude::*;

/// A variable.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "variables")]
pub struct Model {
    /// The deployment.
    #[sea_orm(primary_key, auto_increment = false)]
    pub deployment_id: Uuid,
    /// The variable's name.
    #[sea_orm(primary_key, auto_increment = false)]
    pub name: String,
    /// The workspace of the deployment.
    pub workspace_id: Uuid,
    /// Its latest value.
    pub value: String,
    /// When it took that value.
    pub at: i64,
}

/// None: storage writes its joins by column.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
