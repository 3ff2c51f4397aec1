//! Making deployments of a send, in a transaction that then commits them: the same for a submission and for a chunk of
//! staged users.

use std::collections::BTreeSet;
use std::time::Duration;

use entity::users;
use sea_orm::DatabaseTransaction;

use crate::domain::book::{Book, NewDeployment};
use crate::domain::clock::Timestamp;
use crate::domain::failure::OwnFailure;
use crate::domain::id::{ContactId, LineId, MessageId, SendId, VersionId, WorkspaceId};
use crate::domain::merge::Variables;
use crate::domain::opening::Opening;
use crate::storage::bulk::{Bulk, Datum, Kind, OnConflict};
use crate::storage::ledger::{Locked, Revisions};
use crate::storage::query::Query;
use crate::storage::record::write;
use crate::storage::{StorageError, contacts, rows};

/// What all deployments of a send have in common.
#[derive(Debug, Clone, Copy)]
pub struct Order {
    /// The send that makes them.
    pub send: SendId,
    /// The version to deploy.
    pub version: VersionId,
    /// The line to send on.
    pub line: LineId,
    /// How long after its acceptance an undelivered message expires.
    pub time_to_live: Duration,
}

/// A deployment to be made.
#[derive(Debug)]
pub(super) struct Planned {
    pub(super) contact: ContactId,
    pub(super) variables: Variables,
    pub(super) opening: Opening,
    /// When it is due to be sent.
    pub(super) due: Timestamp,
    /// Whether it retries the user's deployment before it.
    pub(super) retries: bool,
}

/// What became of deployments that were made.
#[derive(Debug)]
pub(super) struct Made {
    /// The version with its new revision.
    pub(super) revisions: Revisions,
    /// Keys that became known and for which facts may be parked.
    pub(super) known: Vec<String>,
}

/// The transaction in which deployments of a send are made.
#[derive(Clone, Copy)]
pub(super) struct Work<'a> {
    pub(super) db: &'a DatabaseTransaction,
    pub(super) workspace: WorkspaceId,
    pub(super) order: &'a Order,
    pub(super) now: Timestamp,
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

impl Work<'_> {
    /// Locks the version.
    pub(super) async fn lock(&self) -> Result<Locked, StorageError> {
        let mut query = Query::on(self.db);
        let (workspace, version) = (query.bind(self.workspace.0), query.bind(self.order.version.0));
        Locked::lock(query, &format!("workspace_id = {workspace} AND id = {version}")).await
    }

    /// Makes deployments and writes them. The book holds what was opened under the lock.
    pub(super) async fn make(
        &self,
        locked: &mut Locked,
        book: &mut Book,
        planned: Vec<Planned>,
    ) -> Result<Made, StorageError> {
        let contacts: BTreeSet<_> = planned.iter().map(|one| one.contact).collect();
        self.enter_users(&contacts, book).await?;
        let queued: Vec<_> = planned.into_iter().filter_map(|one| self.deploy(book, one)).collect();
        let settlement = book.settle();
        let revisions = write::book(self.db, self.workspace, locked, book, &settlement, self.now).await?;
        OUTBOX.write(self.db, &queued).await?;
        contacts::check_known(self.db, self.workspace, &contacts).await?;
        Ok(Made { revisions, known: settlement.known.into_iter().collect() })
    }

    async fn enter_users(&self, contacts: &BTreeSet<ContactId>, book: &mut Book) -> Result<(), StorageError> {
        let mut query = Query::on(self.db);
        let (workspace, version) = (query.bind(self.workspace.0), query.bind(self.order.version.0));
        let contacts = query.among("contact_id", &contacts.iter().copied().collect::<Vec<_>>());
        let sql =
            format!("SELECT * FROM users WHERE workspace_id = {workspace} AND version_id = {version} AND {contacts}");
        for row in query.models::<users::Model>(sql).await? {
            book.enter_user(rows::user_entry(&row)?);
        }
        Ok(())
    }

    /// Adds a deployment to the book. Returns its row of the outbox, if it is to be sent.
    fn deploy(&self, book: &mut Book, one: Planned) -> Option<Vec<Datum>> {
        let own_failure = one.opening.own_failure.map(|reason| OwnFailure { at: self.now, reason });
        let first = book.deploy(NewDeployment {
            contact: one.contact,
            version: self.order.version,
            line: self.order.line,
            send: self.order.send,
            queued_at: one.due,
            variables: one.variables,
            template: one.opening.template,
            time_to_live: self.order.time_to_live,
            retries: one.retries,
            own_failure,
        });
        first.filter(|_| own_failure.is_none()).map(|message| self.outbox_row(message, one.due))
    }

    fn outbox_row(&self, message: MessageId, due: Timestamp) -> Vec<Datum> {
        vec![
            Datum::id(message),
            Datum::id(self.workspace),
            Datum::id(self.order.line),
            Datum::id(self.order.send),
            Datum::at(due),
            Datum::number(0),
        ]
    }
}
