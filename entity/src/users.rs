//! Users: one contact of one version, the row of the users table. All but the first columns are worked out from the
//! facts of the user's latest deployment and stored for filters and orders.

use sea_orm::entity::prelude::*;

/// A user.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "users")]
pub struct Model {
    /// The user's id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The workspace of both version and contact.
    pub workspace_id: Uuid,
    /// The version.
    pub version_id: Uuid,
    /// The contact; once per version.
    pub contact_id: Uuid,
    /// How many attempts there were, which is the number of the latest deployment; at least 1.
    pub deployments: i32,
    /// `queued_at` of the latest deployment.
    pub deployed_at: i64,
    /// The deployment status, from 0 queued to 6 failed.
    pub status: i16,
    /// How far the user came: 0 in the flow, 1 finished; null until the user responded.
    pub stage: Option<i16>,
    /// The latest session status, 0 to 4; null until a session began.
    pub session_status: Option<i16>,
    /// The API's reason for the failure, 0 to 18; null exactly where `status` is not failed.
    pub failure_reason: Option<i16>,
    /// The latest action of the user's own; 0 for none yet, since an order's key is never null.
    pub activity_at: i64,
}

/// None: storage writes its joins by column.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
