//! Conversions between the rows of the database and the entries of a book.

use entity::{deployments, messages, sessions, users};
use sea_orm::FromQueryResult;
use uuid::Uuid;

use super::StorageError;
use super::bulk::{Bulk, Datum, Kind, OnConflict};
use super::facts::{self, fact_list, facts_of_model, write_facts};
use super::row::{self, Row};
use crate::domain::book::{DeploymentEntry, MessageEntry, Said, SessionEntry, UserEntry};
use crate::domain::clock::Timestamp;
use crate::domain::code::Coded;
use crate::domain::fact::Content;
use crate::domain::flow::engine::State;
use crate::domain::flow::steps::Steps;
use crate::domain::id::{DeploymentId, WorkspaceId};
use crate::domain::merge::{DeploymentFacts, Session, Variables};
use crate::domain::message::MessageKind;
use crate::domain::standing::Cell;

/// A deployment's row, with a column of its line.
#[derive(Debug, FromQueryResult)]
pub(super) struct DeploymentRow {
    #[sea_orm(nested)]
    pub(super) row: deployments::Model,
    /// Whether another system sends on the line.
    pub(super) external: bool,
}

/// A message's row, with a column of its deployment.
#[derive(Debug, FromQueryResult)]
pub(super) struct MessageRow {
    #[sea_orm(nested)]
    pub(super) row: messages::Model,
    pub(super) version_id: Uuid,
}

/// The users table, as a batch writes it.
pub(super) const USERS: Bulk = Bulk {
    table: "users",
    columns: &[
        ("id", Kind::Uuid),
        ("workspace_id", Kind::Uuid),
        ("version_id", Kind::Uuid),
        ("contact_id", Kind::Uuid),
        ("deployments", Kind::Int),
        ("deployed_at", Kind::BigInt),
        ("status", Kind::SmallInt),
        ("stage", Kind::SmallInt),
        ("session_status", Kind::SmallInt),
        ("failure_reason", Kind::SmallInt),
        ("activity_at", Kind::BigInt),
    ],
    key: "id",
    on_conflict: OnConflict::Overwrite,
};

/// The columns of a user that change.
pub(super) const USER_STANDINGS: Bulk = Bulk {
    table: "users",
    columns: &[
        ("id", Kind::Uuid),
        ("deployments", Kind::Int),
        ("deployed_at", Kind::BigInt),
        ("status", Kind::SmallInt),
        ("stage", Kind::SmallInt),
        ("session_status", Kind::SmallInt),
        ("failure_reason", Kind::SmallInt),
        ("activity_at", Kind::BigInt),
    ],
    key: "id",
    on_conflict: OnConflict::Overwrite,
};

/// The deployments table, as a batch writes it.
pub(super) const DEPLOYMENTS: Bulk = Bulk {
    table: "deployments",
    columns: fact_list!(write_facts =>
        ("id", Kind::Uuid),
        ("workspace_id", Kind::Uuid),
        ("user_id", Kind::Uuid),
        ("version_id", Kind::Uuid),
        ("contact_id", Kind::Uuid),
        ("line_id", Kind::Uuid),
        ("send_id", Kind::Uuid),
        ("number", Kind::Int),
        ("retries", Kind::Bool),
        ("queued_at", Kind::BigInt),
        ("dispatched_at", Kind::BigInt),
        ("began_at", Kind::BigInt),
        ("answered_at", Kind::BigInt),
        ("finished_at", Kind::BigInt),
        ("session_status", Kind::SmallInt),
        ("session_at", Kind::BigInt),
    ),
    key: "id",
    on_conflict: OnConflict::Overwrite,
};

/// The messages table, as a batch writes it.
pub(super) const MESSAGES: Bulk = Bulk {
    table: "messages",
    columns: fact_list!(write_facts =>
        ("id", Kind::Uuid),
        ("workspace_id", Kind::Uuid),
        ("user_id", Kind::Uuid),
        ("deployment_id", Kind::Uuid),
        ("line_id", Kind::Uuid),
        ("sender", Kind::SmallInt),
        ("kind", Kind::SmallInt),
        ("text", Kind::Text),
        ("payload", Kind::Text),
        ("provider_message_id", Kind::Text),
        ("at", Kind::BigInt),
        ("first", Kind::Bool),
        ("revision", Kind::BigInt),
        ("time_to_live", Kind::Int),
        ("expires_at", Kind::BigInt),
    ),
    key: "id",
    on_conflict: OnConflict::Overwrite,
};

/// The columns that change of a message whose content stays the same.
pub(super) const MESSAGE_PROGRESS: Bulk = Bulk {
    table: "messages",
    columns: fact_list!(write_facts =>
        ("id", Kind::Uuid),
        ("provider_message_id", Kind::Text),
        ("at", Kind::BigInt),
        ("first", Kind::Bool),
        ("expires_at", Kind::BigInt),
    ),
    key: "id",
    on_conflict: OnConflict::Overwrite,
};

pub(super) fn message_entry(row: messages::Model) -> Result<MessageEntry, StorageError> {
    let facts = fact_list!(facts_of_model => row)?;
    let content = Content { at: row::time(row.at)?, kind: row::code(row.kind)?, text: row.text, payload: row.payload };
    Ok(MessageEntry {
        id: row.id.into(),
        user: row.user_id.into(),
        deployment: row.deployment_id.into(),
        line: row.line_id.into(),
        sender: row::code(row.sender)?,
        content,
        provider_message_id: row.provider_message_id,
        first: row.first,
        time_to_live: row::optional_seconds(row.time_to_live)?,
        facts,
        revision: Some(row.revision),
    })
}

/// Reads a user's message: deployment, time, the provider's id, and kind.
pub(super) fn said(row: &mut Row<'_>) -> Result<Said, StorageError> {
    Ok(Said {
        deployment: row.id()?,
        at: row.time()?,
        provider_message_id: row.value()?,
        answers: row.code::<MessageKind>()?.answers(),
    })
}

/// A row of [`MESSAGE_PROGRESS`].
pub(super) fn message_progress(entry: &MessageEntry) -> Vec<Datum> {
    let mut row = vec![
        Datum::id(entry.id),
        Datum::Text(entry.provider_message_id.clone()),
        Datum::at(entry.content.at),
        Datum::Bool(entry.first),
        Datum::optional_time(entry.expires_at()),
    ];
    row.extend(facts::data(&entry.facts));
    row
}

/// A row of [`MESSAGES`].
pub(super) fn message_row(workspace: WorkspaceId, entry: &MessageEntry) -> Vec<Datum> {
    let mut row = vec![
        Datum::id(entry.id),
        Datum::id(workspace),
        Datum::id(entry.user),
        Datum::id(entry.deployment),
        Datum::id(entry.line),
        Datum::number(entry.sender.code()),
        Datum::number(entry.content.kind.code()),
        Datum::Text(entry.content.text.clone()),
        Datum::Text(entry.content.payload.clone()),
        Datum::Text(entry.provider_message_id.clone()),
        Datum::at(entry.content.at),
        Datum::Bool(entry.first),
        Datum::number(entry.revision.unwrap_or_default()),
        Datum::optional(entry.time_to_live.map(row::seconds)),
        Datum::optional_time(entry.expires_at()),
    ];
    row.extend(facts::data(&entry.facts));
    row
}

pub(super) fn deployment_facts(row: &deployments::Model) -> Result<DeploymentFacts, StorageError> {
    Ok(DeploymentFacts {
        reported: fact_list!(facts_of_model => row)?,
        dispatched: row.dispatched_at.map(row::time).transpose()?,
        answered: row.answered_at.map(row::time).transpose()?,
        finished: row.finished_at.map(row::time).transpose()?,
        session: match (row.session_at.map(row::time).transpose()?, row.session_status.map(row::code).transpose()?) {
            (Some(at), Some(status)) => Some(Session { at, status }),
            _ => None,
        },
    })
}

pub(super) fn deployment_entry(found: DeploymentRow) -> Result<DeploymentEntry, StorageError> {
    let row = found.row;
    Ok(DeploymentEntry {
        facts: deployment_facts(&row)?,
        id: row.id.into(),
        user: row.user_id.into(),
        version: row.version_id.into(),
        contact: row.contact_id.into(),
        line: row.line_id.into(),
        send: row.send_id.map(Into::into),
        number: row.number,
        retries: row.retries,
        queued_at: row::time(row.queued_at)?,
        began: row.began_at.map(row::time).transpose()?,
        made: row.send_id.is_some() && !found.external,
        first: None,
        variables: Variables::default(),
        cell_before: None,
    })
}

pub(super) fn deployment_row(workspace: WorkspaceId, entry: &DeploymentEntry) -> Vec<Datum> {
    let facts = &entry.facts;
    let mut row = vec![
        Datum::id(entry.id),
        Datum::id(workspace),
        Datum::id(entry.user),
        Datum::id(entry.version),
        Datum::id(entry.contact),
        Datum::id(entry.line),
        Datum::Uuid(entry.send.map(Into::into)),
        Datum::number(entry.number),
        Datum::Bool(entry.retries),
        Datum::at(entry.queued_at),
        Datum::optional_time(facts.dispatched),
        Datum::optional_time(entry.began),
        Datum::optional_time(facts.answered),
        Datum::optional_time(facts.finished),
        Datum::optional(facts.session.map(|session| session.status.code())),
        Datum::optional_time(facts.session.map(|session| session.at)),
    ];
    row.extend(facts::data(&facts.reported));
    row
}

pub(super) fn user_entry(row: &users::Model) -> Result<UserEntry, StorageError> {
    Ok(UserEntry {
        id: row.id.into(),
        version: row.version_id.into(),
        contact: row.contact_id.into(),
        deployments: row.deployments,
        deployed_at: row::time(row.deployed_at)?,
        cell: Some(Cell {
            status: row::code(row.status)?,
            stage: row.stage.map(row::code).transpose()?,
            session_status: row.session_status.map(row::code).transpose()?,
            failure_reason: row.failure_reason.map(row::code).transpose()?,
        }),
        activity: Some(row::time(row.activity_at)?).filter(|&at| at > Timestamp::MIN),
    })
}

/// A row of [`USERS`].
pub(super) fn user_row(workspace: WorkspaceId, entry: &UserEntry) -> Vec<Datum> {
    let mut row = user_standing(entry);
    row.splice(1..1, [Datum::id(workspace), Datum::id(entry.version), Datum::id(entry.contact)]);
    row
}

/// A row of [`USER_STANDINGS`].
pub(super) fn user_standing(entry: &UserEntry) -> Vec<Datum> {
    let cell = entry.standing();
    vec![
        Datum::id(entry.id),
        Datum::number(entry.deployments),
        Datum::at(entry.deployed_at),
        Datum::number(cell.status.code()),
        Datum::optional(cell.stage.map(Coded::code)),
        Datum::optional(cell.session_status.map(Coded::code)),
        Datum::optional(cell.failure_reason.map(Coded::code)),
        Datum::at(entry.activity.unwrap_or(Timestamp::MIN)),
    ]
}

/// The sessions table, as a batch writes it.
pub(super) const SESSIONS: Bulk = Bulk {
    table: "sessions",
    columns: &[
        ("deployment_id", Kind::Uuid),
        ("workspace_id", Kind::Uuid),
        ("step", Kind::Text),
        ("step_at", Kind::BigInt),
        ("invalid", Kind::SmallInt),
        ("ended", Kind::Bool),
        ("entered", Kind::Text),
        ("answered", Kind::Text),
        ("agent", Kind::Text),
        ("agent_at", Kind::BigInt),
        ("expires_at", Kind::BigInt),
        ("said_at", Kind::BigInt),
        ("jumping", Kind::Bool),
    ],
    key: "deployment_id",
    on_conflict: OnConflict::Overwrite,
};

/// A row of [`SESSIONS`].
pub(super) fn session_row(workspace: WorkspaceId, deployment: DeploymentId, entry: &SessionEntry) -> Vec<Datum> {
    let (state, agent) = (entry.state.as_ref(), entry.agent.as_ref());
    vec![
        Datum::id(deployment),
        Datum::id(workspace),
        Datum::Text(state.map(|state| state.step.clone())),
        Datum::optional_time(state.map(|state| state.since)),
        Datum::number(state.map_or(0, |state| state.invalid)),
        Datum::Bool(state.is_some_and(|state| state.ended)),
        Datum::text(state.map(|state| state.entered.written()).unwrap_or_default()),
        Datum::text(state.map(|state| state.answered.written()).unwrap_or_default()),
        Datum::Text(agent.map(|(_, agent)| agent.clone())),
        Datum::optional_time(agent.map(|(at, _)| *at)),
        Datum::optional_time(entry.expires),
        Datum::optional_time(entry.said),
        Datum::Bool(entry.jumping),
    ]
}

/// A session as a batch finds it.
pub(super) fn session_entry(row: sessions::Model) -> Result<(DeploymentId, SessionEntry), StorageError> {
    let steps = |text: &str| Steps::read(text).ok_or(StorageError::Corrupt("steps of a session"));
    let (entered, answered) = (steps(&row.entered)?, steps(&row.answered)?);
    let state = match (row.step, row.step_at) {
        (Some(step), Some(since)) => {
            let invalid = u8::try_from(row.invalid).map_err(|_| StorageError::Corrupt("invalid answers"))?;
            Some(State { step, since: row::time(since)?, invalid, entered, answered, ended: row.ended })
        }
        _ => None,
    };
    let agent = row.agent_at.map(row::time).transpose()?.zip(row.agent);
    let expires = row.expires_at.map(row::time).transpose()?;
    let (said, jumping) = (row.said_at.map(row::time).transpose()?, row.jumping);
    Ok((row.deployment_id.into(), SessionEntry { state, agent, expires, said, jumping, ..SessionEntry::default() }))
}
