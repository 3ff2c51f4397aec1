//! Erasing a person: everything that was known of a contact is removed, and what is left stands for somebody unknown, so that
//! all figures stay.
//!
//! Users, deployments and messages remain with their times and states, and lose their words. The contact's row loses what
//! identifies the person, and counts as opted out, so that nothing is sent any more. Whoever writes from the same number
//! afterwards is a new contact. What the person's messages were called by is removed as well: a report that names a message
//! only so finds none.

use entity::contacts;
use sea_orm::DatabaseTransaction;

use super::ledger::{Locked, Revisions};
use super::query::{Place, Query};
use super::record::{open, write};
use super::{StorageError, Tenant, dialect};
use crate::domain::book::Book;
use crate::domain::clock::Timestamp;
use crate::domain::id::{ContactId, DeploymentId, UserId, VersionId, WorkspaceId};
use crate::domain::phone::Phone;

/// Whom to erase.
#[derive(Debug, Clone)]
pub enum Person {
    /// Whoever has a phone number.
    Phone(Phone),
    /// Whoever is a user.
    User(UserId),
}

/// What became of an erasure.
#[derive(Debug, PartialEq, Eq)]
pub enum Erasure {
    /// The person is erased.
    Done {
        /// How many users the person was.
        users: usize,
        /// The versions of those users, with their new revisions.
        revisions: Revisions,
    },
    /// The person's number is on a list that is still uploaded, or of which deployments are still to be made.
    Staged,
    /// The person is not as silent as was thought.
    Heard,
}

/// A transaction that erases a contact.
struct Eraser<'a> {
    db: &'a DatabaseTransaction,
    workspace: WorkspaceId,
    contact: ContactId,
    now: Timestamp,
}

/// What stands in for the provider's ids of erased messages and people, before something random.
const STAND_IN: &str = "erased:";

/// The provider's id of a message, unless something stands in for it.
pub(super) fn unless_erased(id: Option<String>) -> Option<String> {
    id.filter(|id| !id.starts_with(STAND_IN))
}

/// The contacts that a person is and that are not erased already: usually one, and two where WhatsApp knows a number by other
/// digits and nothing joined them yet. Whoever may be on a list comes first.
pub async fn find(tenant: &Tenant, person: &Person) -> Result<Vec<ContactId>, StorageError> {
    let mut query = Query::of(tenant);
    let condition = match person {
        Person::Phone(phone) => {
            let (number, digits) = (query.bind(phone.as_str()), query.bind(phone.as_str().trim_start_matches('+')));
            format!("(phone = {number} OR wa_id = {digits})")
        }
        Person::User(id) => format!("id = (SELECT contact_id FROM users WHERE id = {})", query.bind(id.0)),
    };
    let sql = format!(
        "SELECT id FROM contacts WHERE workspace_id = $1 AND {condition} AND erased_at IS NULL ORDER BY phone IS NULL, id"
    );
    query.ids(sql).await
}

/// The condition that something was heard of a contact, or sent to it, since a time.
fn heard(contact: &str, since: Place) -> String {
    format!(
        "EXISTS (SELECT 1 FROM users u WHERE u.contact_id = {contact} AND (u.deployed_at >= {since} OR u.activity_at >= {since}))"
    )
}

/// Contacts of any workspace of whom nothing was heard, and to whom nothing was sent, since a time; in the order of their
/// ids, behind `behind`. Returns the last contact that was looked at, if any was, and who is to be erased.
pub async fn silent_since(
    db: &super::Database,
    since: Timestamp,
    behind: ContactId,
    limit: u32,
) -> Result<(Option<ContactId>, Vec<(WorkspaceId, ContactId)>), StorageError> {
    let mut query = Query::anywhere(db);
    let (since, behind, limit) = (query.bind(since.micros()), query.bind(behind.0), query.bind(limit));
    let heard = heard("c.id", since);
    let sql = format!(
        "SELECT c.workspace_id, c.id, c.erased_at IS NULL AND NOT {heard} FROM contacts c \
         WHERE c.id > {behind} AND c.created_at < {since} ORDER BY c.id LIMIT {limit}"
    );
    let seen = query.all(sql, |row| Ok((row.id()?, row.id()?, row.value::<bool>()?))).await?;
    let last = seen.last().map(|&(_, contact, _)| contact);
    Ok((last, seen.into_iter().filter(|one| one.2).map(|(workspace, contact, _)| (workspace, contact)).collect()))
}

/// Erases a contact, in one transaction; only if nothing was heard of it since `silent_since`, if that is given. Somebody who
/// was erased already is nobody's user any more.
pub async fn erase(
    tenant: &Tenant,
    contact: ContactId,
    silent_since: Option<Timestamp>,
    now: Timestamp,
) -> Result<Erasure, StorageError> {
    let db = tenant.database().begin().await?;
    let eraser = Eraser { db: &db, workspace: tenant.workspace(), contact, now };
    let mut locked = eraser.lock_versions().await?;
    if let Some(since) = silent_since
        && eraser.was_heard(since).await?
    {
        return Ok(Erasure::Heard);
    }
    let deployments: Vec<_> = eraser.deployments().await?.into_iter().map(|(id, _)| id).collect();
    let mut book = Book::default();
    open::deployments(&db, eraser.workspace, &deployments, &mut book).await?;
    book.erase_users(now);
    let settlement = book.settle();
    let revisions = write::book(&db, eraser.workspace, &mut locked, &mut book, &settlement, now).await?;
    // The contact is locked last, as everywhere: whoever holds something of the above may wait for it.
    let Some(known) = eraser.lock_contact().await? else {
        return Ok(Erasure::Done { users: 0, revisions: Revisions::new() });
    };
    if eraser.deployments().await?.iter().any(|(_, version)| !locked.holds(*version)) {
        // Somebody deployed to the contact after the versions were locked: retry, and lock more of them.
        return Err(StorageError::Overtaken);
    }
    if eraser.is_staged(&known).await? {
        return Ok(Erasure::Staged);
    }
    eraser.forget_waiting(&known).await?;
    eraser.empty(&book.users.keys().copied().collect::<Vec<_>>(), &deployments).await?;
    eraser.bury().await?;
    db.commit().await?;
    Ok(Erasure::Done { users: book.users.len(), revisions })
}

impl Eraser<'_> {
    async fn lock_versions(&self) -> Result<Locked, StorageError> {
        let mut query = Query::on(self.db);
        let (workspace, contact) = (query.bind(self.workspace.0), query.bind(self.contact.0));
        let versions = format!("SELECT version_id FROM users WHERE contact_id = {contact}");
        Locked::lock(query, &format!("workspace_id = {workspace} AND id IN ({versions})")).await
    }

    /// Locks the contact, also against new users and deployments; `None` if it is erased.
    async fn lock_contact(&self) -> Result<Option<contacts::Model>, StorageError> {
        let mut query = Query::on(self.db);
        let (workspace, contact) = (query.bind(self.workspace.0), query.bind(self.contact.0));
        let lock = dialect::for_deletion(query.backend());
        let sql = format!(
            "SELECT * FROM contacts WHERE workspace_id = {workspace} AND id = {contact} AND erased_at IS NULL {lock}"
        );
        Ok(query.models(sql).await?.pop())
    }

    async fn deployments(&self) -> Result<Vec<(DeploymentId, VersionId)>, StorageError> {
        let mut query = Query::on(self.db);
        let contact = query.bind(self.contact.0);
        let sql = format!(
            "SELECT id, version_id FROM deployments WHERE user_id IN (SELECT id FROM users WHERE contact_id = {contact})"
        );
        query.all(sql, |row| Ok((row.id()?, row.id()?))).await
    }

    async fn was_heard(&self, since: Timestamp) -> Result<bool, StorageError> {
        let mut query = Query::on(self.db);
        let (since, contact) = (query.bind(since.micros()), query.bind(self.contact.0));
        let heard = heard(&contact.to_string(), since);
        Ok(query.number(format!("SELECT count(*) FROM contacts WHERE id = {contact} AND {heard}")).await? == Some(1))
    }

    async fn is_staged(&self, known: &contacts::Model) -> Result<bool, StorageError> {
        let Some(phone) = &known.phone else { return Ok(false) };
        let mut query = Query::on(self.db);
        let (workspace, phone) = (query.bind(self.workspace.0), query.bind(phone.as_str()));
        let sql = format!("SELECT count(*) FROM staged WHERE workspace_id = {workspace} AND phone = {phone}");
        Ok(query.number(sql).await?.unwrap_or_default() > 0)
    }

    /// Deletes what was not attributed to anybody, and names the person or a message of the person.
    async fn forget_waiting(&self, known: &contacts::Model) -> Result<(), StorageError> {
        let phone = known.phone.iter().flat_map(|phone| [phone.as_str(), phone.trim_start_matches('+')]);
        let others = [&known.wa_id, &known.provider_user_id].into_iter().flatten().map(String::as_str);
        // Everything that waits is JSON, in which whatever identifies somebody is a string of its own.
        let names: Vec<String> = phone.chain(others).map(|name| format!("\"{name}\"")).collect();
        for (table, column) in [("parked", "fact"), ("kept", "payload")] {
            let mut query = Query::on(self.db);
            let (backend, workspace) = (query.backend(), query.bind(self.workspace.0));
            let conditions = names.iter().map(|name| dialect::contains(backend, column, query.bind(name.as_str())));
            let conditions = conditions.collect::<Vec<_>>().join(" OR ");
            query.execute(format!("DELETE FROM {table} WHERE workspace_id = {workspace} AND ({conditions})")).await?;
        }
        let mut query = Query::on(self.db);
        let (workspace, contact) = (query.bind(self.workspace.0), query.bind(self.contact.0));
        let sql = format!(
            "DELETE FROM parked WHERE workspace_id = {workspace} AND key IN (SELECT m.provider_message_id FROM messages m \
             JOIN users u ON u.id = m.user_id WHERE u.contact_id = {contact})"
        );
        query.execute(sql).await?;
        Ok(())
    }

    /// Removes what was said and what was asked. A message that was reported has an id that is derived from the provider's,
    /// which contains the number: it gets another, so that the same report does not find it.
    async fn empty(&self, users: &[UserId], deployments: &[DeploymentId]) -> Result<(), StorageError> {
        let mut query = Query::on(self.db);
        let (id, text) = (dialect::random_id(query.backend()), dialect::random_text(query.backend()));
        let (workspace, users) = (query.bind(self.workspace.0), query.among("user_id", users));
        let sql = format!(
            "UPDATE messages SET text = NULL, payload = NULL, provider_message_id = '{STAND_IN}' || {text}, \
             id = CASE WHEN time_to_live IS NULL THEN {id} ELSE id END WHERE workspace_id = {workspace} AND {users}"
        );
        query.execute(sql).await?;
        let mut query = Query::on(self.db);
        let (workspace, deployments) = (query.bind(self.workspace.0), query.among("deployment_id", deployments));
        query.execute(format!("DELETE FROM variables WHERE workspace_id = {workspace} AND {deployments}")).await?;
        Ok(())
    }

    /// Leaves of the contact's row what stands for somebody unknown.
    async fn bury(&self) -> Result<(), StorageError> {
        let mut query = Query::on(self.db);
        let text = dialect::random_text(query.backend());
        let (contact, now) = (query.bind(self.contact.0), query.bind(self.now.micros()));
        let sql = format!(
            "UPDATE contacts SET phone = NULL, wa_id = NULL, name = NULL, name_at = NULL, blocked_at = NULL, \
             provider_user_id = '{STAND_IN}' || {text}, opted_out_at = {now}, preference_at = {now}, erased_at = {now} \
             WHERE id = {contact}"
        );
        query.execute(sql).await?;
        let mut query = Query::on(self.db);
        let (workspace, contact) = (query.bind(self.workspace.0), query.bind(self.contact.0));
        let sql = format!("DELETE FROM reached WHERE workspace_id = {workspace} AND contact_id = {contact}");
        query.execute(sql).await?;
        Ok(())
    }
}
