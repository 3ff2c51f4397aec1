//! Lines: the WhatsApp business numbers of a workspace.

use sea_orm::entity::prelude::*;

/// A line.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "lines")]
pub struct Model {
    /// The line's id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The workspace that the line belongs to.
    pub workspace_id: Uuid,
    /// Its number in E.164, with the plus.
    pub phone: String,
    /// The provider's id of the number, which webhooks name; unique in the whole installation.
    pub phone_number_id: String,
    /// What the workspace calls it.
    pub name: String,
    /// How many messages may leave on it in any second; at least 1.
    pub messages_per_second: i32,
    /// Whether another system sends on it, so that here is only recorded what that system reports.
    pub external: bool,
    /// When it was made.
    pub created_at: i64,
    /// From when on nothing is sent on it, after an error of the line or its account; null while it sends.
    pub stopped_at: Option<i64>,
    /// The provider's code of that error; null also where none was given.
    pub stop_code: Option<i32>,
    /// Its words; null where nothing is stopped.
    pub stop_text: Option<String>,
    /// When a single message is sent to see whether the error is gone; null where nothing is stopped.
    pub probe_at: Option<i64>,
    /// How many such messages were sent since it stopped.
    pub probes: i32,
    /// When it last went on after a stop; null where it never stopped.
    pub resumed_at: Option<i64>,
    /// The inbound conversation that messages without another begin; null for the newest.
    pub default_conversation_id: Option<Uuid>,
    /// The rules that choose other inbound conversations, as JSON text; null where there are none.
    pub inbound_rules: Option<String>,
}

/// None: storage writes its joins by column.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
