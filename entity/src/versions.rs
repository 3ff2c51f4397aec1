//! Versions: the published edits of a conversation. Whoever changes a version's users locks its row here first, so
//! that its changes are numbered without a gap.

use sea_orm::entity::prelude::*;

/// A version.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "versions")]
pub struct Model {
    /// The version's id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The workspace of its conversation.
    pub workspace_id: Uuid,
    /// The conversation of which this is an edit.
    pub conversation_id: Uuid,
    /// 1, 2, 3 … within the conversation.
    pub number: i32,
    /// When it was published.
    pub published_at: i64,
    /// The flow, as JSON; never changes.
    pub flow: String,
    /// The number of the version's last change; 0 where nothing has changed yet.
    pub revision: i64,
    /// When that change was recorded; null while `revision` is 0.
    pub changed_at: Option<i64>,
    /// How many deployments were made of it; a user sent to twice counts twice.
    pub total_deployments: i64,
    /// The changes up to and including this number are no longer in the log; 0 while it is whole.
    pub trimmed: i64,
}

/// None: storage writes its joins by column.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
