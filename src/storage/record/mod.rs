//! Recording a batch of facts in one transaction: lock the versions, open the book, apply, settle, write.
//!
//! Rows are read and written in sets, so a batch of a thousand facts takes about fifteen statements. Missing contacts are created
//! beforehand, in a short transaction of their own. What became known about contacts is written last, in the order of ids.

mod inbound;
mod keys;
pub(super) mod open;
mod running;
pub(super) mod write;

use std::sync::Arc;

use uuid::Uuid;

use self::inbound::Inbound;
use self::keys::{Keys, People};
use super::flows::Flows;
use super::ledger::Revisions;
use super::{StorageError, Tenant, contacts, outbox, parked};
use crate::domain::book::{Applied, Book, Resolved};
use crate::domain::clock::Timestamp;
use crate::domain::fact::{Fact, MessageFact};
use crate::domain::id::{MessageId, WorkspaceId};
use crate::domain::preference::PreferenceWords;

/// What applies to facts whatever workspace they belong to.
#[derive(Debug, Clone)]
pub struct Rules {
    /// How long facts wait that refer to something unknown.
    pub parking: parked::Parking,
    /// The words by which contacts opt out and in again.
    pub words: Arc<PreferenceWords>,
    /// The flows of versions.
    pub flows: Flows,
}

/// A fact that is offered to a batch.
#[derive(Debug, Clone)]
pub struct Offered {
    /// The fact.
    pub fact: Fact,
    /// The id of its parked row, if it was parked.
    pub parked: Option<Uuid>,
    /// Whether its time is up, so that it is no longer parked but kept (a message) or dropped (any other fact).
    pub expired: bool,
}

/// The result of a batch.
#[derive(Debug, Default)]
pub struct Batch {
    /// The result of each fact, in order.
    pub applied: Vec<Applied>,
    /// The versions that changed, with their new revisions.
    pub revisions: Revisions,
    /// Keys that became known and for which facts may be parked.
    pub known: Vec<String>,
    /// Whether something was said that is to be sent.
    pub replies: bool,
}

/// Records facts in one transaction.
pub async fn batch(tenant: &Tenant, offered: &[Offered], rules: &Rules, now: Timestamp) -> Result<Batch, StorageError> {
    let workspace = tenant.workspace();
    let people = People::of(tenant, offered, now).await?;
    let keys = Keys::of(offered, &people);
    let inbound = Inbound::of(tenant, offered).await?;
    let resolved = resolve(offered, &people, &inbound);
    let db = tenant.database().begin().await?;
    let begins = inbound.versions(&resolved);
    let mut locked = keys.lock(&db, workspace, &begins).await?;
    let claims = outbox::held_claims(&db, &keys.claims).await?;
    let (mut book, versions) = open::book(&db, workspace, &keys, &people).await?;
    (book.words, book.now) = (Arc::clone(&rules.words), now);
    running::open(&db, workspace, (&keys, &begins), &rules.flows, &mut book).await?;
    let opened = book.deployments.values().map(|deployment| deployment.version);
    if opened.chain(versions).any(|version| !locked.holds(version)) {
        // Another transaction made something known after the versions were locked: retry, and lock more versions.
        return Err(StorageError::Overtaken);
    }
    let apply = |(one, resolved): (&Offered, &_)| match &one.fact {
        Fact::Dispatched { message, epoch, .. } | Fact::Withdrawn { message, epoch }
            if !claims.contains(&(*message, *epoch)) =>
        {
            Applied::Refused
        }
        _ => apply(&mut book, workspace, one, *resolved),
    };
    let applied: Vec<_> = offered.iter().zip(&resolved).map(apply).collect();
    open::find_answers(&db, workspace, &mut book).await?;
    let settlement = book.settle();
    let revisions = write::book(&db, workspace, &mut locked, &mut book, &settlement, now).await?;
    contacts::check_known(&db, workspace, &keys.contacts).await?;
    outbox::announce(&db, &announced(offered, &applied)).await?;
    parked::set_aside(&db, workspace, offered.iter().zip(&applied), rules.parking, now).await?;
    let led = parked::lead_on(&db, workspace, settlement.jumps, rules.parking, now).await?;
    db.commit().await?;
    let known = settlement.known.into_iter().chain(led).collect();
    Ok(Batch { applied, revisions, known, replies: !settlement.replies.is_empty() })
}

/// What each fact needs to be applied.
fn resolve(offered: &[Offered], people: &People, inbound: &Inbound) -> Vec<Resolved> {
    let resolve = |(one, contact): (&Offered, &_)| Resolved { contact: *contact, begins: inbound.begun_by(&one.fact) };
    offered.iter().zip(&people.contacts).map(resolve).collect()
}

/// The messages whose calls a batch announces, each with the time of its call, or of which it tells that none was made.
fn announced(offered: &[Offered], applied: &[Applied]) -> Vec<(MessageId, Option<Timestamp>)> {
    let merged = offered.iter().zip(applied).filter(|(_, applied)| **applied == Applied::Merged);
    let announced = merged.filter_map(|(one, _)| match &one.fact {
        Fact::Dispatched { message, at, .. } => Some((*message, Some(*at))),
        Fact::Withdrawn { message, .. } => Some((*message, None)),
        _ => None,
    });
    announced.collect()
}

/// Applies a fact. A reply whose time is up, and whose quoted message is still unknown, is attributed by time.
fn apply(book: &mut Book, workspace: WorkspaceId, one: &Offered, resolved: Resolved) -> Applied {
    let applied = book.apply(workspace, &one.fact, resolved);
    match (&applied, &one.fact) {
        (Applied::Waits(_), Fact::Message(message)) if one.expired && message.in_reply_to.is_some() => {
            let by_time = MessageFact { in_reply_to: None, ..message.clone() };
            book.apply(workspace, &Fact::Message(by_time), resolved)
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
