//! Leases: which node sends on a line. No row until a dispatcher first took the line.

use sea_orm::entity::prelude::*;

/// The lease of a line.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "leases")]
pub struct Model {
    /// The line.
    #[sea_orm(primary_key, auto_increment = false)]
    pub line_id: Uuid,
    /// The node that holds, or last held, the lease; an id drawn at the node's start.
    pub owner: Uuid,
    /// The fencing number: grows with each take-over, so that a claim made under an older one is told apart.
    pub epoch: i64,
    /// Until when the lease holds unless renewed; in the past, anybody may take it over.
    pub expires_at: i64,
}

/// None: storage writes its joins by column.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
