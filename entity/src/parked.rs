//! Parked facts: those that name a message not known yet, kept until it is known or their time is up.

use sea_orm::entity::prelude::*;

/// A parked fact.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "parked")]
pub struct Model {
    /// The parked fact's id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The workspace that it arrived for.
    pub workspace_id: Uuid,
    /// The provider's id of the message that it waits for.
    pub key: String,
    /// Hash of the fact, unique in the workspace, so that a repetition is parked once.
    pub digest: String,
    /// The fact, as JSON.
    pub fact: String,
    /// When it was parked.
    pub parked_at: i64,
    /// When it is given up, or attributed in another way.
    pub expires_at: i64,
}

/// None: storage writes its joins by column.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
