//! The rows that a book is made of, read and written.

use entity::{deployments, messages, users};
use sea_orm::{FromQueryResult, QueryResult};

use super::StorageError;
use super::bulk::{Bulk, Datum, Kind, OnConflict};
use super::row::Row;
use crate::domain::book::{DeploymentEntry, MessageEntry, Said, UserEntry};
use crate::domain::clock::Timestamp;
use crate::domain::code::Coded;
use crate::domain::fact::Content;
use crate::domain::failure::{OwnFailure, ProviderFailure};
use crate::domain::id::WorkspaceId;
use crate::domain::merge::{DeploymentFacts, MessageFacts, Session, Variables};
use crate::domain::message::MessageKind;
use crate::domain::standing::Cell;

/// A deployment's row with what its line and its first message add.
#[derive(Debug, FromQueryResult)]
pub(super) struct DeploymentRow {
    #[sea_orm(nested)]
    pub(super) row: deployments::Model,
    /// Whether another system sends on its line.
    pub(super) external: bool,
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

/// What changes of a user.
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
    columns: &[
        ("id", Kind::Uuid),
        ("workspace_id", Kind::Uuid),
        ("user_id", Kind::Uuid),
        ("version_id", Kind::Uuid),
        ("contact_id", Kind::Uuid),
        ("line_id", Kind::Uuid),
        ("send_id", Kind::Uuid),
        ("number", Kind::Int),
        ("queued_at", Kind::BigInt),
        ("dispatched_at", Kind::BigInt),
        ("began_at", Kind::BigInt),
        ("answered_at", Kind::BigInt),
        ("finished_at", Kind::BigInt),
        ("session_status", Kind::SmallInt),
        ("session_at", Kind::BigInt),
        ("accepted_at", Kind::BigInt),
        ("held_at", Kind::BigInt),
        ("sent_at", Kind::BigInt),
        ("delivered_at", Kind::BigInt),
        ("read_at", Kind::BigInt),
        ("failed_at", Kind::BigInt),
        ("failed_code", Kind::Int),
        ("failed_reason", Kind::SmallInt),
        ("failed_text", Kind::Text),
        ("refused_at", Kind::BigInt),
        ("refused_reason", Kind::SmallInt),
        ("unknown_at", Kind::BigInt),
    ],
    key: "id",
    on_conflict: OnConflict::Overwrite,
};

/// The messages table, as a batch writes it.
pub(super) const MESSAGES: Bulk = Bulk {
    table: "messages",
    columns: &[
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
        ("accepted_at", Kind::BigInt),
        ("held_at", Kind::BigInt),
        ("sent_at", Kind::BigInt),
        ("delivered_at", Kind::BigInt),
        ("read_at", Kind::BigInt),
        ("failed_at", Kind::BigInt),
        ("failed_code", Kind::Int),
        ("failed_reason", Kind::SmallInt),
        ("failed_text", Kind::Text),
        ("refused_at", Kind::BigInt),
        ("refused_reason", Kind::SmallInt),
        ("unknown_at", Kind::BigInt),
    ],
    key: "id",
    on_conflict: OnConflict::Overwrite,
};

/// What changes of a message whose content stays.
pub(super) const MESSAGE_PROGRESS: Bulk = Bulk {
    table: "messages",
    columns: &[
        ("id", Kind::Uuid),
        ("provider_message_id", Kind::Text),
        ("at", Kind::BigInt),
        ("first", Kind::Bool),
        ("accepted_at", Kind::BigInt),
        ("held_at", Kind::BigInt),
        ("sent_at", Kind::BigInt),
        ("delivered_at", Kind::BigInt),
        ("read_at", Kind::BigInt),
        ("failed_at", Kind::BigInt),
        ("failed_code", Kind::Int),
        ("failed_reason", Kind::SmallInt),
        ("failed_text", Kind::Text),
        ("refused_at", Kind::BigInt),
        ("refused_reason", Kind::SmallInt),
        ("unknown_at", Kind::BigInt),
    ],
    key: "id",
    on_conflict: OnConflict::Overwrite,
};

/// Reads the message-fact columns, which messages and deployments share.
macro_rules! message_facts {
    ($row:expr) => {
        MessageFacts {
            accepted: time($row.accepted_at)?,
            held: time($row.held_at)?,
            sent: time($row.sent_at)?,
            delivered: time($row.delivered_at)?,
            read: time($row.read_at)?,
            failed: match (time($row.failed_at)?, coded($row.failed_reason)?) {
                (Some(at), Some(reason)) => Some(ProviderFailure {
                    at,
                    code: $row.failed_code,
                    reason,
                    text: $row.failed_text.clone().unwrap_or_default(),
                }),
                _ => None,
            },
            own_failure: match (time($row.refused_at)?, coded($row.refused_reason)?) {
                (Some(at), Some(reason)) => Some(OwnFailure { at, reason }),
                _ => None,
            },
            unknown: time($row.unknown_at)?,
        }
    };
}

/// A time read from a column.
pub(super) fn time(micros: Option<i64>) -> Result<Option<Timestamp>, StorageError> {
    micros.map(|micros| Timestamp::from_micros(micros).ok_or(StorageError::Corrupt("time"))).transpose()
}

/// A time read from a column that is never null.
pub(super) fn some_time(micros: i64) -> Result<Timestamp, StorageError> {
    Timestamp::from_micros(micros).ok_or(StorageError::Corrupt("time"))
}

/// A word read from a column of codes.
pub(super) fn coded<T: Coded>(code: Option<i16>) -> Result<Option<T>, StorageError> {
    code.map(|code| T::of_code(code).ok_or(StorageError::Corrupt("code"))).transpose()
}

/// A word read from a column of codes that is never null.
pub(super) fn some_coded<T: Coded>(code: i16) -> Result<T, StorageError> {
    T::of_code(code).ok_or(StorageError::Corrupt("code"))
}

pub(super) fn message_entry(row: messages::Model) -> Result<MessageEntry, StorageError> {
    let facts = message_facts!(row);
    let content = Content { at: some_time(row.at)?, kind: some_coded(row.kind)?, text: row.text, payload: row.payload };
    Ok(MessageEntry {
        id: row.id.into(),
        user: row.user_id.into(),
        deployment: row.deployment_id.into(),
        line: row.line_id.into(),
        sender: some_coded(row.sender)?,
        content,
        provider_message_id: row.provider_message_id,
        first: row.first,
        facts,
        revision: Some(row.revision),
    })
}

/// What a user wrote: deployment, time, the provider's id and kind.
pub(super) fn said(row: &QueryResult) -> Result<Said, StorageError> {
    let mut row = Row::new(row);
    Ok(Said {
        deployment: row.id()?,
        at: row.time()?,
        provider_message_id: row.value()?,
        answers: row.code("kind", MessageKind::from_code)?.answers(),
    })
}

/// A row of [`MESSAGE_PROGRESS`].
pub(super) fn message_progress(entry: &MessageEntry) -> Vec<Datum> {
    let mut row = vec![
        Datum::id(entry.id),
        Datum::Text(entry.provider_message_id.clone()),
        Datum::at(entry.content.at),
        Datum::Bool(entry.first),
    ];
    row.extend(facts_row(&entry.facts));
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
    ];
    row.extend(facts_row(&entry.facts));
    row
}

pub(super) fn deployment_facts(row: &deployments::Model) -> Result<DeploymentFacts, StorageError> {
    Ok(DeploymentFacts {
        reported: message_facts!(row),
        dispatched: time(row.dispatched_at)?,
        answered: time(row.answered_at)?,
        finished: time(row.finished_at)?,
        session: match (time(row.session_at)?, coded(row.session_status)?) {
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
        queued_at: some_time(row.queued_at)?,
        began: time(row.began_at)?,
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
        Datum::at(entry.queued_at),
        Datum::optional_time(facts.dispatched),
        Datum::optional_time(entry.began),
        Datum::optional_time(facts.answered),
        Datum::optional_time(facts.finished),
        Datum::optional(facts.session.map(|session| session.status.code())),
        Datum::optional_time(facts.session.map(|session| session.at)),
    ];
    row.extend(facts_row(&facts.reported));
    row
}

pub(super) fn user_entry(row: &users::Model) -> Result<UserEntry, StorageError> {
    Ok(UserEntry {
        id: row.id.into(),
        version: row.version_id.into(),
        contact: row.contact_id.into(),
        deployments: row.deployments,
        deployed_at: some_time(row.deployed_at)?,
        cell: Some(Cell {
            status: some_coded(row.status)?,
            stage: coded(row.stage)?,
            session_status: coded(row.session_status)?,
            failure_reason: coded(row.failure_reason)?,
        }),
        activity: time((row.activity_at != 0).then_some(row.activity_at))?,
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
        Datum::optional(cell.stage.map(Coded::to_code)),
        Datum::optional(cell.session_status.map(Coded::to_code)),
        Datum::optional(cell.failure_reason.map(Coded::to_code)),
        Datum::at(entry.activity.unwrap_or(Timestamp::MIN)),
    ]
}

fn facts_row(facts: &MessageFacts) -> [Datum; 12] {
    let failed = facts.failed.as_ref();
    [
        Datum::optional_time(facts.accepted),
        Datum::optional_time(facts.held),
        Datum::optional_time(facts.sent),
        Datum::optional_time(facts.delivered),
        Datum::optional_time(facts.read),
        Datum::optional_time(failed.map(|failure| failure.at)),
        Datum::optional(failed.and_then(|failure| failure.code)),
        Datum::optional(failed.map(|failure| failure.reason.code())),
        Datum::Text(failed.map(|failure| failure.text.clone())),
        Datum::optional_time(facts.own_failure.map(|failure| failure.at)),
        Datum::optional(facts.own_failure.map(|failure| failure.reason.code())),
        Datum::optional_time(facts.unknown),
    ]
}
