//! The outbox: messages still to be sent. It is the dispatcher's own, so that claiming takes no version's lock; a
//! row goes when its message's outcome is settled.

use sea_orm::entity::prelude::*;

/// A message to send.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "outbox")]
pub struct Model {
    /// The message to send.
    #[sea_orm(primary_key, auto_increment = false)]
    pub message_id: Uuid,
    /// The workspace of the message.
    pub workspace_id: Uuid,
    /// The line to send it on.
    pub line_id: Uuid,
    /// The send that asked for the message; null where none did.
    pub send_id: Option<Uuid>,
    /// Not to be sent before this time.
    pub due_at: i64,
    /// How many calls were made for it; 0 at first.
    pub attempt: i32,
    /// When a dispatcher took it to call the provider; null while it waits.
    pub claimed_at: Option<i64>,
    /// The epoch of the lease under which it was claimed; null exactly where `claimed_at` is.
    pub epoch: Option<i64>,
    /// When the call was announced, just before it was made; null while it certainly was not.
    pub announced_at: Option<i64>,
    /// The contact to whom it is said in a session; null for the message of a send.
    pub contact_id: Option<Uuid>,
    /// When it was said, which decides the order among what is said to the contact; null exactly where `contact_id` is.
    pub said_at: Option<i64>,
}

/// None: storage writes its joins by column.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
