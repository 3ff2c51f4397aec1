//! Contacts: the persons of a workspace. Known by at least one of three names, each of them unique in the
//! workspace.

use sea_orm::entity::prelude::*;

/// A contact.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "contacts")]
pub struct Model {
    /// The contact's id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The workspace that knows the contact.
    pub workspace_id: Uuid,
    /// The number as sent to, in E.164 with the plus, or as it was given where it is no valid number; null where the
    /// provider hides it.
    pub phone: Option<String>,
    /// The provider's account id, digits only; may differ from the number. Null until the provider told it.
    pub wa_id: Option<String>,
    /// The provider's id of the user, which stands in where the number is hidden; null until told.
    pub provider_user_id: Option<String>,
    /// The name in the contact's own profile; null until reported.
    pub name: Option<String>,
    /// When that name was reported; null exactly where `name` is.
    pub name_at: Option<i64>,
    /// When the contact asked not to be written to; null while it may be.
    pub opted_out_at: Option<i64>,
    /// When the contact last said whether it may be written to, either way; null until then.
    pub preference_at: Option<i64>,
    /// When the provider last named the contact as blocked by the company; null where it never did.
    pub blocked_at: Option<i64>,
    /// When the contact's data was erased, so that this row only stands for somebody unknown; null otherwise.
    pub erased_at: Option<i64>,
    /// When the contact was first heard of.
    pub created_at: i64,
}

/// None: storage writes its joins by column.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
