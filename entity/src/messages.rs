//! Messages of a deployment, either way. A message's status is worked out from the facts that stand with it.

use sea_orm::entity::prelude::*;

/// A message.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "messages")]
pub struct Model {
    /// The message's id; every call to the provider carries it as callback data.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The workspace of its deployment.
    pub workspace_id: Uuid,
    /// The deployment's user.
    pub user_id: Uuid,
    /// The deployment that the message belongs to.
    pub deployment_id: Uuid,
    /// The line on which it went.
    pub line_id: Uuid,
    /// Who wrote it: 0 the user, 1 the bot, 2 an agent, 3 the company.
    pub sender: i16,
    /// What it is, 0 text to 12 unsupported.
    pub kind: i16,
    /// Its words; null where the kind has none.
    pub text: Option<String>,
    /// What the kind carries beyond its text, as JSON; null where there is nothing.
    pub payload: Option<String>,
    /// The provider's id of it, unique in the workspace; null until the provider gave one.
    pub provider_message_id: Option<String>,
    /// When it was written, as far as is known; its place in the history.
    pub at: i64,
    /// Whether it is the deployment's first message, whose facts are the deployment's status.
    pub first: bool,
    /// The number of the version's change that added it.
    pub revision: i64,
    /// When the provider accepted the message.
    pub accepted_at: Option<i64>,
    /// When the provider reported the message as held back, for instance to judge a template's quality first.
    pub held_at: Option<i64>,
    /// When the message left the provider's server (one tick).
    pub sent_at: Option<i64>,
    /// When the message reached the phone (two ticks).
    pub delivered_at: Option<i64>,
    /// When the message was read (two blue ticks); null also where the contact hides receipts.
    pub read_at: Option<i64>,
    /// When the provider failed the message.
    pub failed_at: Option<i64>,
    /// The provider's code of that failure; null also where it gave none.
    pub failed_code: Option<i32>,
    /// The API's reason for the provider's failure; null exactly where `failed_at` is.
    pub failed_reason: Option<i16>,
    /// The provider's words for its failure; null exactly where `failed_at` is.
    pub failed_text: Option<String>,
    /// When we failed the message ourselves, before or instead of the provider.
    pub refused_at: Option<i64>,
    /// The API's reason for our own failure; null exactly where `refused_at` is.
    pub refused_reason: Option<i16>,
    /// When a call was found to have ended without an answer, so that nobody knows its outcome; null where every answer
    /// came.
    pub unknown_at: Option<i64>,
    /// Seconds after its acceptance at which it expires unless delivered; null for what another system or a user sent.
    pub time_to_live: Option<i32>,
    /// When it expires; null unless it is accepted, and neither delivered nor failed.
    pub expires_at: Option<i64>,
}

/// None: storage writes its joins by column.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
