//! A batch of facts in one transaction: lock the versions, open the book, apply, settle, write.
//!
//! Everything is loaded and written by sets, so a batch of a thousand facts costs some fifteen statements. Contacts are
//! made before, in a short transaction of their own; what is learnt of them is written at the end, in the order of ids.

mod keys;
mod open;
pub(super) mod write;

use uuid::Uuid;

use self::keys::{Keys, People};
use super::ledger::Revisions;
use super::{StorageError, Tenant, parked};
use crate::domain::book::{Applied, Book};
use crate::domain::clock::Timestamp;
use crate::domain::fact::{Fact, MessageFact};
use crate::domain::id::{ContactId, WorkspaceId};

/// A fact as it is offered to a batch.
#[derive(Debug, Clone)]
pub struct Offered {
    /// The fact.
    pub fact: Fact,
    /// Where it was parked, if it was.
    pub parked: Option<Uuid>,
    /// Whether its time is up: then it no longer waits, but is kept (a message) or dropped (all else).
    pub expired: bool,
}

/// What a batch did.
#[derive(Debug, Default)]
pub struct Batch {
    /// What became of each fact, in order.
    pub applied: Vec<Applied>,
    /// The versions that changed, with their new revisions.
    pub revisions: Revisions,
    /// What parked facts may wait for and has become known.
    pub known: Vec<String>,
}

/// Records facts in one transaction. All of it is committed, or nothing.
pub async fn batch(
    tenant: &Tenant,
    offered: &[Offered],
    parking: parked::Parking,
    now: Timestamp,
) -> Result<Batch, StorageError> {
    let workspace = tenant.workspace();
    let people = People::of(tenant, offered, now).await?;
    let keys = Keys::of(offered, &people);
    let inbound = keys.inbound_versions(tenant).await?;
    let db = tenant.database().begin().await?;
    let mut locked = keys.lock(&db, workspace, &inbound).await?;
    let mut book = open::book(&db, workspace, &keys, &inbound).await?;
    if book.deployments.values().any(|deployment| !locked.holds(deployment.version)) {
        // Another node made something known between the lock and the reading: begin again, with more locked.
        return Err(StorageError::Overtaken);
    }
    let apply = |(one, contact): (&Offered, &_)| apply(&mut book, workspace, one, *contact);
    let applied: Vec<_> = offered.iter().zip(&people.contacts).map(apply).collect();
    open::find_answers(&db, workspace, &mut book).await?;
    let settlement = book.settle();
    let revisions = write::book(&db, workspace, &mut locked, &mut book, &settlement, now).await?;
    parked::set_aside(&db, workspace, offered.iter().zip(&applied), parking, now).await?;
    db.commit().await?;
    Ok(Batch { applied, revisions, known: settlement.known.into_iter().collect() })
}

/// Applies a fact. A reply that has waited long enough for the message that it answers is attributed by its time.
fn apply(book: &mut Book, workspace: WorkspaceId, one: &Offered, contact: Option<ContactId>) -> Applied {
    let applied = book.apply(workspace, &one.fact, contact);
    match (&applied, &one.fact) {
        (Applied::Waits(_), Fact::Message(message)) if one.expired && message.in_reply_to.is_some() => {
            let by_time = MessageFact { in_reply_to: None, ..message.clone() };
            book.apply(workspace, &Fact::Message(by_time), contact)
        }
        _ => applied,
    }
}

impl Offered {
    /// A fact that was not parked.
    pub const fn fresh(fact: Fact) -> Self {
        Self { fact, parked: None, expired: false }
    }
}
