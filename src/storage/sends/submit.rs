//! Storing a send with its users, deployments, first messages and outbox rows, in one transaction.

use super::deploy::{Made, Order, Planned, Work};
use super::{insert, key};
use crate::domain::book::Book;
use crate::domain::clock::Timestamp;
use crate::domain::contact::ContactKey;
use crate::domain::id::{ContactId, SendId};
use crate::domain::merge::Variables;
use crate::domain::opening::Opening;
use crate::domain::phone::Phone;
use crate::domain::send::Send;
use crate::storage::ledger::Revisions;
use crate::storage::{StorageError, Tenant, contacts};

/// A send that is to be stored.
#[derive(Debug)]
pub struct NewSend {
    /// The row of the send.
    pub send: Send,
    /// What its deployments have in common.
    pub order: Order,
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
    /// The first message, or why it fails before anything is sent.
    pub opening: Opening,
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

/// Stores a send, but only once per idempotency key.
pub async fn submit(tenant: &Tenant, new: NewSend, now: Timestamp) -> Result<Submitted, StorageError> {
    let workspace = tenant.workspace();
    let contacts = contacts_of(tenant, &new, now).await?;
    let db = tenant.database().begin().await?;
    if !insert(&db, workspace, &new.send, new.idempotency.as_ref()).await? {
        let Some((key, digest)) = &new.idempotency else { return Err(StorageError::Overtaken) };
        let known = key::find(&db, workspace, key).await?;
        return known.map(|known| Submitted::before(&known, digest)).ok_or(StorageError::Overtaken);
    }
    let work = Work { db: &db, workspace, order: &new.order, now };
    let mut locked = work.lock().await?;
    let (send, planned) = (new.send.id, planned(&new.send, new.recipients, contacts));
    let Made { revisions, known } = work.make(&mut locked, &mut Book::default(), planned).await?;
    db.commit().await?;
    Ok(Submitted::Stored { send, revisions, known })
}

/// Looks up what was stored before under an idempotency key and with a digest of the whole input.
pub async fn find_repeated(
    tenant: &Tenant,
    (key, digest): &(String, String),
) -> Result<Option<Submitted>, StorageError> {
    let known = key::find(tenant.database().reader(), tenant.workspace(), key).await?;
    Ok(known.map(|known| Submitted::before(&known, digest)))
}

impl Submitted {
    /// The result of a submission with a key that is known.
    fn before(known: &key::Known, digest: &str) -> Self {
        if known.digest == digest { Self::Repeated(known.send) } else { Self::KeyTaken }
    }
}

async fn contacts_of(tenant: &Tenant, new: &NewSend, now: Timestamp) -> Result<Vec<Option<ContactId>>, StorageError> {
    let key = |one: &NewRecipient| ContactKey { phone: Some(one.phone.clone()), ..ContactKey::default() };
    let keys: Vec<_> = new.recipients.iter().map(key).collect();
    let directory = contacts::resolve(tenant, &keys, now).await?;
    Ok(keys.iter().map(|key| directory.find(key)).collect())
}

fn planned(send: &Send, recipients: Vec<NewRecipient>, contacts: Vec<Option<ContactId>>) -> Vec<Planned> {
    let due = send.due_at();
    let plan = |(one, contact): (NewRecipient, Option<ContactId>)| {
        let NewRecipient { variables, opening, .. } = one;
        Some(Planned { contact: contact?, variables, opening, due, retries: false })
    };
    recipients.into_iter().zip(contacts).filter_map(plan).collect()
}
