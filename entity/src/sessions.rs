//! What is kept of sessions beyond their statuses, which deployments have.

use sea_orm::entity::prelude::*;

/// The session of a deployment.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "sessions")]
pub struct Model {
    /// The deployment.
    #[sea_orm(primary_key, auto_increment = false)]
    pub deployment_id: Uuid,
    /// The deployment's workspace.
    pub workspace_id: Uuid,
    /// The step of the flow in which the user stands; null where no flow runs.
    pub step: Option<String>,
    /// Since when; null exactly where `step` is.
    pub step_at: Option<i64>,
    /// How many invalid answers the user gave to the step.
    pub invalid: i16,
    /// Whether the flow is at its end.
    pub ended: bool,
    /// The steps that the user entered, by their places among all names: hexadecimal digits of four steps each.
    pub entered: String,
    /// The steps from which the user went on, written in the same way.
    pub answered: String,
    /// The agent to whom it was last assigned; null while it never was.
    pub agent: Option<String>,
    /// When it was assigned; null exactly where `agent` is.
    pub agent_at: Option<i64>,
    /// When it expires unless something is said; null once it is over.
    pub expires_at: Option<i64>,
    /// When the flow or an agent last said something in it; null before that.
    pub said_at: Option<i64>,
    /// Whether it ended by a jump to another conversation that has yet to begin.
    pub jumping: bool,
}

/// None: storage writes its joins by column.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
