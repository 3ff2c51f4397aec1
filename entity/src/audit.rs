//! The audit log: who wrote what, and when.

use sea_orm::entity::prelude::*;

/// A write that somebody asked for.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "audit")]
pub struct Model {
    /// The entry's id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The workspace that was written to.
    pub workspace_id: Uuid,
    /// When it began.
    pub at: i64,
    /// What was asked for: the name of a mutation, or what else writes.
    pub action: String,
    /// The token that asked for it; null for an operator's command. A JSON Web Token has no row among the tokens.
    pub token_id: Option<Uuid>,
    /// Whom a JSON Web Token names; null for any other token, and where it names nobody.
    pub person: Option<String>,
    /// What identifies the request; null for an operator's command.
    pub request_id: Option<String>,
    /// What became of it: 0 done, 1 rejected; null while it runs, and where it failed or was interrupted.
    pub outcome: Option<i16>,
    /// The id of what was written, as the API writes it; null where nothing was, or nothing that has one.
    pub subject: Option<String>,
}

/// None: storage writes its joins by column.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
