//! Deployments: the attempts to bring a version to a user. They hold the facts reported of the deployment itself;
//! those of its messages stand with the messages.

use sea_orm::entity::prelude::*;

/// A deployment.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "deployments")]
pub struct Model {
    /// The deployment's id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The workspace of its user.
    pub workspace_id: Uuid,
    /// The user it was made for.
    pub user_id: Uuid,
    /// The user's version.
    pub version_id: Uuid,
    /// The user's contact.
    pub contact_id: Uuid,
    /// The line on which it runs.
    pub line_id: Uuid,
    /// The send that asked for it; null for one that an inbound message began.
    pub send_id: Option<Uuid>,
    /// 1, 2, 3 … within the user; the highest is the latest.
    pub number: i32,
    /// Whether it retries the user's deployment before it.
    pub retries: bool,
    /// When it was due: at the submission, or as scheduled.
    pub queued_at: i64,
    /// When the provider was first called; null until then, and on external lines.
    pub dispatched_at: Option<i64>,
    /// From when on the contact's messages on the line belong to it; null until it began.
    pub began_at: Option<i64>,
    /// When the provider accepted the deployment.
    pub accepted_at: Option<i64>,
    /// When the provider reported the deployment as held back, for instance to judge a template's quality first.
    pub held_at: Option<i64>,
    /// When the deployment left the provider's server (one tick).
    pub sent_at: Option<i64>,
    /// When the deployment reached the phone (two ticks).
    pub delivered_at: Option<i64>,
    /// When the deployment was read (two blue ticks); null also where the contact hides receipts.
    pub read_at: Option<i64>,
    /// When the provider failed the deployment.
    pub failed_at: Option<i64>,
    /// The provider's code of that failure; null also where it gave none.
    pub failed_code: Option<i32>,
    /// The API's reason for the provider's failure; null exactly where `failed_at` is.
    pub failed_reason: Option<i16>,
    /// The provider's words for its failure; null exactly where `failed_at` is.
    pub failed_text: Option<String>,
    /// When we failed the deployment ourselves, before or instead of the provider.
    pub refused_at: Option<i64>,
    /// The API's reason for our own failure; null exactly where `refused_at` is.
    pub refused_reason: Option<i16>,
    /// When a call was found to have ended without an answer, so that nobody knows its outcome; null where every answer
    /// came.
    pub unknown_at: Option<i64>,
    /// When the user first answered; null until then.
    pub answered_at: Option<i64>,
    /// When the user answered a final step of the flow; null until then.
    pub finished_at: Option<i64>,
    /// The latest session status, 0 to 4; null until a session began.
    pub session_status: Option<i16>,
    /// When that session status was taken on; null exactly where `session_status` is.
    pub session_at: Option<i64>,
}

/// None: storage writes its joins by column.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
