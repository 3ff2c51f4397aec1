//! Staged users: those of a send whose deployments are still to be made, from an upload or as retries. A row goes when
//! its deployment is made.

use sea_orm::entity::prelude::*;

/// A staged user.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "staged")]
pub struct Model {
    /// The send, which need not exist yet.
    #[sea_orm(primary_key, auto_increment = false)]
    pub send_id: Uuid,
    /// 1, 2, 3 … within the send.
    #[sea_orm(primary_key, auto_increment = false)]
    pub number: i32,
    /// The workspace of the send.
    pub workspace_id: Uuid,
    /// The number to send to, unique in the send; null for a retry.
    pub phone: Option<String>,
    /// Names and values of the variables, as JSON; null where there are none, and for a retry.
    pub variables: Option<String>,
    /// The failed deployment that is retried; null exactly where `phone` is not.
    pub retry_of: Option<Uuid>,
    /// Not to be sent before this time; null where the send itself decides.
    pub due_at: Option<i64>,
}

/// None: storage writes its joins by column.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
