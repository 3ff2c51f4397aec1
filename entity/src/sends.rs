//! Sends: submissions of users to the version that was current at the time.

use sea_orm::entity::prelude::*;

/// A send.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "sends")]
pub struct Model {
    /// The send's id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The workspace that submitted it.
    pub workspace_id: Uuid,
    /// The conversation sent.
    pub conversation_id: Uuid,
    /// The version sent.
    pub version_id: Uuid,
    /// How many users were submitted.
    pub total_users: i32,
    /// When it was submitted.
    pub created_at: i64,
    /// When it is due; null where that was at once.
    pub scheduled_at: Option<i64>,
    /// When its last deployment left the queue; null until then.
    pub completed_at: Option<i64>,
    /// When it was canceled; null where it was not.
    pub canceled_at: Option<i64>,
    /// From when on nothing of it is sent; null while it is not paused.
    pub paused_at: Option<i64>,
    /// Seconds after which an undelivered message expires; null where the template's category decides.
    pub time_to_live: Option<i32>,
    /// The number of the last staged user whose deployment is made; null where no user is staged (any more).
    pub prepared: Option<i32>,
    /// The send whose failed users it retries; null where it retries none.
    pub retry_of: Option<Uuid>,
    /// The client's name for the submission, unique in the workspace; null where it gave none.
    pub idempotency_key: Option<String>,
    /// Hash of what was submitted under that key, to tell a repetition from another input; null exactly where the key
    /// is.
    pub input_digest: Option<String>,
}

/// None: storage writes its joins by column.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
