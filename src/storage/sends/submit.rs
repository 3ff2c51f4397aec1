//! Storing a send with its users, deployments, first messages and outbox rows, in one transaction.

use std::collections::BTreeSet;
use std::time::Duration;

use entity::users;
use sea_orm::{ConnectionTrait, DatabaseTransaction};

use crate::domain::book::{Book, NewDeployment};
use crate::domain::clock::Timestamp;
use crate::domain::contact::ContactKey;
use crate::domain::failure::{FailureReason, OwnFailure};
use crate::domain::id::{ContactId, LineId, MessageId, SendId, VersionId, WorkspaceId};
use crate::domain::merge::Variables;
use crate::domain::phone::Phone;
use crate::domain::send::Send;
use crate::storage::bulk::{Bulk, Datum, Kind, OnConflict};
use crate::storage::ledger::{Locked, Revisions};
use crate::storage::query::Query;
use crate::storage::record::write;
use crate::storage::row::seconds;
use crate::storage::{StorageError, Tenant, contacts, rows};

/// A send that is to be stored.
#[derive(Debug)]
pub struct NewSend {
    /// The row of the send.
    pub send: Send,
    /// The line to send on.
    pub line: LineId,
    /// How long after its acceptance an undelivered message expires.
    pub time_to_live: Duration,
    /// The idempotency key, if there is one, and the digest of the whole input.
    pub idempotency: Option<(String, String)>,
    /// The users to send to, each phone number once.
    pub recipients: Vec<NewRecipient>,
}

/// A user to send to.
#[derive(Debug)]
pub struct NewRecipient {
    /// The phone number, valid or not.
    pub phone: Phone,
    /// The variables given at the submission.
    pub variables: Variables,
    /// The template of the first message, as JSON text; `None` if another system sends.
    pub template: Option<String>,
    /// Why it fails before anything is sent, if it does.
    pub own_failure: Option<FailureReason>,
}

/// The result of a submission.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Submitted {
    /// It was stored.
    Stored {
        /// The new send.
        send: SendId,
        /// The version with its new revision.
        revisions: Revisions,
        /// Keys that became known and for which facts may be parked.
        known: Vec<String>,
    },
    /// The same submission was stored before, as this send.
    Repeated(SendId),
    /// A different submission was stored under the same key before.
    KeyTaken,
}

const OUTBOX: Bulk = Bulk {
    table: "outbox",
    columns: &[
        ("message_id", Kind::Uuid),
        ("workspace_id", Kind::Uuid),
        ("line_id", Kind::Uuid),
        ("send_id", Kind::Uuid),
        ("due_at", Kind::BigInt),
        ("attempt", Kind::Int),
    ],
    key: "message_id",
    on_conflict: OnConflict::Keep,
};

/// Stores a send, but only once per idempotency key.
pub async fn submit(tenant: &Tenant, new: NewSend, now: Timestamp) -> Result<Submitted, StorageError> {
    let workspace = tenant.workspace();
    let contacts = contacts_of(tenant, &new, now).await?;
    let db = tenant.database().begin().await?;
    if !insert(&db, workspace, &new).await? {
        let Some(key) = &new.idempotency else { return Err(StorageError::Overtaken) };
        return known(&db, workspace, key).await?.ok_or(StorageError::Overtaken);
    }
    let mut locked = lock(&db, workspace, new.send.version).await?;
    let mut book = Book::default();
    enter_users(&db, workspace, new.send.version, &contacts, &mut book).await?;
    let queued = deploy(&mut book, &new, contacts, now);
    let settlement = book.settle();
    let revisions = write::book(&db, workspace, &mut locked, &mut book, &settlement, now).await?;
    OUTBOX.write(&db, &outbox(workspace, &new, &queued)).await?;
    db.commit().await?;
    Ok(Submitted::Stored { send: new.send.id, revisions, known: settlement.known.into_iter().collect() })
}

/// Looks up what was stored before under an idempotency key and with a digest of the whole input.
pub async fn find_repeated(tenant: &Tenant, key: &(String, String)) -> Result<Option<Submitted>, StorageError> {
    known(tenant.database().reader(), tenant.workspace(), key).await
}

async fn known(
    db: &impl ConnectionTrait,
    workspace: WorkspaceId,
    (key, digest): &(String, String),
) -> Result<Option<Submitted>, StorageError> {
    let mut query = Query::on(db);
    let (workspace, key) = (query.bind(workspace.0), query.bind(key.as_str()));
    let sql =
        format!("SELECT id, input_digest FROM sends WHERE workspace_id = {workspace} AND idempotency_key = {key}");
    let found = query.first(sql, |row| Ok((row.id()?, row.value::<String>()?))).await?;
    Ok(found.map(|(send, known)| if known == *digest { Submitted::Repeated(send) } else { Submitted::KeyTaken }))
}

/// Inserts the send's row; `false` if its key is taken. If a concurrent transaction has inserted the key, it waits for the
/// outcome of that one.
async fn insert(db: &DatabaseTransaction, workspace: WorkspaceId, new: &NewSend) -> Result<bool, StorageError> {
    let send = &new.send;
    let (key, digest) = new.idempotency.clone().unzip();
    let mut query = Query::on(db);
    let values = [
        query.bind(send.id.0),
        query.bind(workspace.0),
        query.bind(send.conversation.0),
        query.bind(send.version.0),
        query.bind(send.total_users),
        query.bind(send.created_at.micros()),
        query.bind(send.scheduled_at.map(Timestamp::micros)),
        query.bind(send.time_to_live.map(seconds)),
        query.bind(send.retry_of.map(|send| send.0)),
        query.bind(key),
        query.bind(digest),
    ];
    let sql = format!(
        "INSERT INTO sends (id, workspace_id, conversation_id, version_id, total_users, created_at, scheduled_at, \
         time_to_live, retry_of, idempotency_key, input_digest) VALUES ({}) ON CONFLICT DO NOTHING",
        values.map(|value| value.to_string()).join(", ")
    );
    Ok(query.execute(sql).await? == 1)
}

async fn contacts_of(tenant: &Tenant, new: &NewSend, now: Timestamp) -> Result<Vec<Option<ContactId>>, StorageError> {
    let key = |one: &NewRecipient| ContactKey { phone: Some(one.phone.clone()), ..ContactKey::default() };
    let keys: Vec<_> = new.recipients.iter().map(key).collect();
    let directory = contacts::resolve(tenant, &keys, now).await?;
    Ok(keys.iter().map(|key| directory.find(key)).collect())
}

async fn lock(db: &DatabaseTransaction, workspace: WorkspaceId, version: VersionId) -> Result<Locked, StorageError> {
    let mut query = Query::on(db);
    let (workspace, version) = (query.bind(workspace.0), query.bind(version.0));
    Locked::lock(query, &format!("workspace_id = {workspace} AND id = {version}")).await
}

async fn enter_users(
    db: &DatabaseTransaction,
    workspace: WorkspaceId,
    version: VersionId,
    contacts: &[Option<ContactId>],
    book: &mut Book,
) -> Result<(), StorageError> {
    let ids: BTreeSet<ContactId> = contacts.iter().flatten().copied().collect();
    let mut query = Query::on(db);
    let (workspace, version) = (query.bind(workspace.0), query.bind(version.0));
    let ids = query.among("contact_id", &ids.into_iter().collect::<Vec<_>>());
    let sql = format!("SELECT * FROM users WHERE workspace_id = {workspace} AND version_id = {version} AND {ids}");
    for row in query.models::<users::Model>(sql).await? {
        book.enter_user(rows::user_entry(&row)?);
    }
    Ok(())
}

/// Adds the deployments to the book. Returns the messages for the outbox.
fn deploy(book: &mut Book, new: &NewSend, contacts: Vec<Option<ContactId>>, now: Timestamp) -> Vec<MessageId> {
    let mut queued = Vec::new();
    for (recipient, contact) in new.recipients.iter().zip(contacts) {
        let Some(contact) = contact else { continue };
        let first = book.deploy(NewDeployment {
            contact,
            version: new.send.version,
            line: new.line,
            send: new.send.id,
            queued_at: due(&new.send),
            variables: recipient.variables.clone(),
            template: recipient.template.clone(),
            time_to_live: new.time_to_live,
            retries: false,
            own_failure: recipient.own_failure.map(|reason| OwnFailure { at: now, reason }),
        });
        queued.extend(first.filter(|_| recipient.own_failure.is_none()));
    }
    queued
}

fn outbox(workspace: WorkspaceId, new: &NewSend, queued: &[MessageId]) -> Vec<Vec<Datum>> {
    let row = |id: &MessageId| {
        vec![
            Datum::id(*id),
            Datum::id(workspace),
            Datum::id(new.line),
            Datum::id(new.send.id),
            Datum::at(due(&new.send)),
            Datum::number(0),
        ]
    };
    queued.iter().map(row).collect()
}

fn due(send: &Send) -> Timestamp {
    send.scheduled_at.unwrap_or(send.created_at)
}
