//! Preparing: making the deployments of staged users, one chunk a transaction, so that nobody waits long for the version.
//!
//! A chunk is read and its contacts are resolved beforehand. The transaction then locks the send, and goes on only if
//! nothing was made meanwhile: so two nodes at once, or a crash at any moment, leave each deployment made once. The send is
//! locked before the version, as everywhere.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use sea_orm::{ConnectionTrait, DatabaseTransaction};

use super::deploy::{Made, Order, Planned, Work};
use super::staging::remove_some;
use crate::domain::book::{Book, DeploymentEntry};
use crate::domain::clock::Timestamp;
use crate::domain::contact::ContactKey;
use crate::domain::flow::Start;
use crate::domain::id::{ContactId, DeploymentId, SendId, WorkspaceId};
use crate::domain::merge::{VariableValue, Variables};
use crate::domain::opening::Opening;
use crate::domain::phone::Phone;
use crate::domain::send::Send;
use crate::domain::standing::DeploymentStatus;
use crate::storage::contacts::{self, Directory};
use crate::storage::ledger::{self, Revisions};
use crate::storage::query::Query;
use crate::storage::record::open;
use crate::storage::row::Row;
use crate::storage::{Database, StorageError, Tenant, dialect};

/// A send of which deployments are still to be made, and what they are made of.
#[derive(Debug)]
pub struct Plan {
    /// The send.
    pub send: Send,
    /// What its deployments have in common.
    pub order: Order,
    /// The template of the first messages; `None` if another system sends.
    pub template: Option<Start>,
}

/// What became of a chunk.
#[derive(Debug)]
pub enum Chunk {
    /// Deployments were made, or staged users of a canceled send removed.
    Done {
        /// The version with its new revision.
        revisions: Revisions,
        /// Keys that became known and for which facts may be parked.
        known: Vec<String>,
    },
    /// There was nothing to do, or another node is at it.
    Nothing,
}

/// How far a send is.
struct Position {
    /// The number of the last user whose deployment is made.
    prepared: i32,
    canceled: bool,
}

/// A staged user.
struct Staged {
    number: i32,
    who: Who,
    /// Not to be sent before this time; `None` if the send itself decides.
    due: Option<Timestamp>,
}

enum Who {
    /// Somebody of a list.
    Listed(Phone, Variables),
    /// The user of a failed deployment.
    Failed(DeploymentId),
}

/// The most users in a chunk.
const CHUNK_USERS: i64 = 1_000;
/// Roughly the most bytes of variables in a chunk, as a single user may have close to a megabyte.
const CHUNK_BYTES: i64 = 4 * 1_024 * 1_024;

/// The sends of which deployments are still to be made.
pub async fn list_unprepared(db: &Database) -> Result<Vec<(WorkspaceId, SendId)>, StorageError> {
    let sql = "SELECT workspace_id, id FROM sends WHERE prepared IS NOT NULL ORDER BY id".to_owned();
    Query::anywhere(db).all(sql, |row| Ok((row.id()?, row.id()?))).await
}

/// Makes the next deployments of a send.
pub async fn chunk(tenant: &Tenant, plan: &Plan, now: Timestamp) -> Result<Chunk, StorageError> {
    let Some(seen) = position(tenant, plan.send.id).await? else { return Ok(Chunk::Nothing) };
    let staged = if seen.canceled { Vec::new() } else { read_staged(tenant, plan, seen.prepared).await? };
    let directory = contacts::resolve(tenant, &keys(&staged), now).await?;
    let db = tenant.database().begin().await?;
    let Some(Position { prepared, canceled }) = lock(&db, tenant, plan.send.id).await? else {
        return Ok(Chunk::Nothing);
    };
    if prepared != seen.prepared {
        return Err(StorageError::Overtaken);
    }
    let work = Work { db: &db, workspace: tenant.workspace(), order: &plan.order, now };
    let preparing = Preparing { work, plan, directory };
    let made = if canceled { preparing.cancel().await? } else { preparing.make(&staged).await? };
    db.commit().await?;
    Ok(Chunk::Done { revisions: made.revisions, known: made.known })
}

/// A chunk under its locks.
struct Preparing<'a> {
    work: Work<'a>,
    plan: &'a Plan,
    directory: Directory,
}

impl Preparing<'_> {
    async fn make(&self, staged: &[Staged]) -> Result<Made, StorageError> {
        let mut locked = self.work.lock().await?;
        let mut book = Book::default();
        let retried = self.open_retried(staged, &mut book).await?;
        let planned = self.plan(staged, &book, &retried);
        let skipped = staged.len() - planned.len();
        let made = self.work.make(&mut locked, &mut book, planned).await?;
        if let Some(last) = staged.last() {
            self.advance(last.number, skipped).await?;
        }
        self.finish_if_done().await?;
        Ok(made)
    }

    /// Removes staged users of a canceled send, so that no deployments are made of them.
    async fn cancel(&self) -> Result<Made, StorageError> {
        self.work.lock().await?;
        let removed = remove_some(self.work.db, self.plan.send.id).await?;
        let mut query = Query::on(self.work.db);
        let (removed, send) = (query.bind(number(removed)), query.bind(self.plan.send.id.0));
        query.execute(format!("UPDATE sends SET total_users = total_users - {removed} WHERE id = {send}")).await?;
        self.finish_if_done().await?;
        Ok(Made { revisions: Revisions::new(), known: Vec::new() })
    }

    /// The deployments to be made. A retry is left out unless its user's latest deployment is still the failed one, and the user
    /// is known.
    fn plan(&self, staged: &[Staged], book: &Book, retried: &Retried) -> Vec<Planned> {
        let mut seen = BTreeSet::new();
        let planned = staged.iter().filter_map(|one| match &one.who {
            Who::Listed(phone, variables) => self.listed(phone, variables),
            Who::Failed(id) => self.retry(book.deployments.get(id)?, one.due, book, retried),
        });
        planned.filter(|one| seen.insert(one.contact)).collect()
    }

    fn listed(&self, phone: &Phone, variables: &Variables) -> Option<Planned> {
        let contact = self.directory.find(&key(phone))?;
        let opening = Opening::of(self.plan.template.as_ref(), phone.is_valid(), variables);
        Some(Planned { contact, variables: variables.clone(), opening, due: self.plan.send.due_at(), retries: false })
    }

    fn retry(
        &self,
        failed: &DeploymentEntry,
        due: Option<Timestamp>,
        book: &Book,
        retried: &Retried,
    ) -> Option<Planned> {
        let latest = book.users.get(&failed.user)?.deployments == failed.number;
        let has_failed = failed.cell_before.is_some_and(|cell| cell.status == DeploymentStatus::Failed);
        if !latest || !has_failed || failed.version != self.work.order.version {
            return None;
        }
        let contact = retried.people.get(failed.contact).map(|contact| &contact.entry);
        if contact.is_some_and(|contact| contact.erased.is_some()) {
            return None;
        }
        let phone = contact.and_then(|contact| contact.person.key.phone.as_ref());
        let variables = retried.variables.get(&failed.id).cloned().unwrap_or_default();
        let opening = Opening::of(self.plan.template.as_ref(), phone.is_none_or(Phone::is_valid), &variables);
        let due = due.map_or(self.work.now, |due| due.max(self.work.now));
        Some(Planned { contact: failed.contact, variables, opening, due, retries: true })
    }

    /// Reads the deployments that are retried.
    async fn open_retried(&self, staged: &[Staged], book: &mut Book) -> Result<Retried, StorageError> {
        let ids = staged.iter().filter_map(|one| match one.who {
            Who::Failed(id) => Some(id),
            Who::Listed(..) => None,
        });
        let ids: Vec<_> = ids.collect();
        if ids.is_empty() {
            return Ok(Retried::default());
        }
        let Work { db, workspace, .. } = self.work;
        open::deployments(db, workspace, &ids, book).await?;
        let people: BTreeSet<ContactId> = book.deployments.values().map(|one| one.contact).collect();
        let people = contacts::by_ids(db, workspace, &people.into_iter().collect::<Vec<_>>()).await?;
        Ok(Retried { people, variables: variables_of(db, workspace, &ids).await? })
    }

    /// Removes the staged users of the chunk, of whom some were left out.
    async fn advance(&self, last: i32, skipped: usize) -> Result<(), StorageError> {
        let mut query = Query::on(self.work.db);
        let (send, last_place) = (query.bind(self.plan.send.id.0), query.bind(last));
        query.execute(format!("DELETE FROM staged WHERE send_id = {send} AND number <= {last_place}")).await?;
        let mut query = Query::on(self.work.db);
        let (send, last) = (query.bind(self.plan.send.id.0), query.bind(last));
        let skipped = query.bind(i32::try_from(skipped).unwrap_or(i32::MAX));
        let sql =
            format!("UPDATE sends SET prepared = {last}, total_users = total_users - {skipped} WHERE id = {send}");
        query.execute(sql).await?;
        Ok(())
    }

    /// Once no user is staged, the send is prepared; and it is completed if nothing of it is queued. The version is locked,
    /// so nothing leaves the queue at this moment.
    async fn finish_if_done(&self) -> Result<(), StorageError> {
        let id = self.plan.send.id;
        let mut query = Query::on(self.work.db);
        let send = query.bind(id.0);
        let sql = format!("SELECT number FROM staged WHERE send_id = {send} LIMIT 1");
        if query.first(sql, |_| Ok(())).await?.is_some() {
            return Ok(());
        }
        let tallies = ledger::read_send_tallies(self.work.db, &[id]).await?;
        let queued = tallies.get(&id).map_or(0, |tally| tally.with_status(DeploymentStatus::Queued));
        let mut query = Query::on(self.work.db);
        let (send, completed) = (query.bind(id.0), query.bind((queued == 0).then_some(self.work.now.micros())));
        let sql = format!(
            "UPDATE sends SET prepared = NULL, completed_at = COALESCE(completed_at, {completed}) WHERE id = {send}"
        );
        query.execute(sql).await?;
        Ok(())
    }
}

/// What is read of deployments that are retried, beside the book.
#[derive(Default)]
struct Retried {
    people: Directory,
    variables: HashMap<DeploymentId, Variables>,
}

async fn variables_of(
    db: &DatabaseTransaction,
    workspace: WorkspaceId,
    ids: &[DeploymentId],
) -> Result<HashMap<DeploymentId, Variables>, StorageError> {
    let mut query = Query::on(db);
    let workspace = query.bind(workspace.0);
    let ids = query.among("deployment_id", ids);
    let sql =
        format!("SELECT deployment_id, name, value, at FROM variables WHERE workspace_id = {workspace} AND {ids}");
    let read = |row: &mut Row<'_>| {
        let (id, name): (DeploymentId, String) = (row.id()?, row.value()?);
        let value = row.value()?;
        Ok((id, name, VariableValue { value, at: row.time()? }))
    };
    let mut found: HashMap<_, Variables> = HashMap::new();
    for (id, name, value) in query.all(sql, read).await? {
        found.entry(id).or_default().insert(name, value);
    }
    Ok(found)
}

/// How far a send is; `None` if nothing of it is to be made.
async fn position(tenant: &Tenant, send: SendId) -> Result<Option<Position>, StorageError> {
    Position::find(tenant.database().reader(), tenant, send, "").await
}

/// The same, and locks the send; `None` also if somebody else has locked it.
async fn lock(db: &DatabaseTransaction, tenant: &Tenant, send: SendId) -> Result<Option<Position>, StorageError> {
    Position::find(db, tenant, send, dialect::for_update_if_free(db.get_database_backend())).await
}

impl Position {
    async fn find(
        db: &impl ConnectionTrait,
        tenant: &Tenant,
        send: SendId,
        lock: &str,
    ) -> Result<Option<Self>, StorageError> {
        let mut query = Query::on(db);
        let (workspace, send) = (query.bind(tenant.workspace().0), query.bind(send.0));
        let sql = format!(
            "SELECT prepared, canceled_at IS NOT NULL FROM sends \
             WHERE workspace_id = {workspace} AND id = {send} AND prepared IS NOT NULL {lock}"
        );
        query.first(sql, |row| Ok(Self { prepared: row.value()?, canceled: row.value()? })).await
    }
}

/// The next staged users: as many as a chunk may have, but at least one.
async fn read_staged(tenant: &Tenant, plan: &Plan, after: i32) -> Result<Vec<Staged>, StorageError> {
    let mut query = Query::of(tenant);
    let (send, after) = (query.bind(plan.send.id.0), query.bind(after));
    let (users, bytes) = (query.bind(CHUNK_USERS), query.bind(CHUNK_BYTES));
    let sql = format!(
        "SELECT number, phone, variables, retry_of, due_at FROM (SELECT chunk.*, \
         COALESCE(sum(length(variables)) OVER (ORDER BY number ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0) \
         AS bytes_before FROM (SELECT * FROM staged WHERE workspace_id = $1 AND send_id = {send} AND number > {after} \
         ORDER BY number LIMIT {users}) AS chunk) AS sized WHERE bytes_before < {bytes} ORDER BY number"
    );
    let at = plan.send.created_at;
    query.all(sql, |row| read(row, at)).await
}

fn read(row: &mut Row<'_>, at: Timestamp) -> Result<Staged, StorageError> {
    let (number, phone, variables) = (row.value()?, row.value::<Option<String>>()?, row.value::<Option<String>>()?);
    let retried = row.optional_id()?;
    let who = match (phone, retried) {
        (Some(phone), _) => Who::Listed(Phone::stored(phone), read_variables(variables.as_deref(), at)?),
        (None, Some(id)) => Who::Failed(id),
        (None, None) => return Err(StorageError::Corrupt("staged user")),
    };
    Ok(Staged { number, who, due: row.optional_time()? })
}

fn read_variables(json: Option<&str>, at: Timestamp) -> Result<Variables, StorageError> {
    let values: BTreeMap<String, String> = match json {
        None => BTreeMap::new(),
        Some(json) => serde_json::from_str(json).map_err(|_| StorageError::Corrupt("staged variable"))?,
    };
    Ok(values.into_iter().map(|(name, value)| (name, VariableValue { at, value })).collect())
}

fn keys(staged: &[Staged]) -> Vec<ContactKey> {
    let phone = |one: &Staged| match &one.who {
        Who::Listed(phone, _) => Some(key(phone)),
        Who::Failed(_) => None,
    };
    staged.iter().filter_map(phone).collect()
}

fn key(phone: &Phone) -> ContactKey {
    ContactKey { phone: Some(phone.clone()), ..ContactKey::default() }
}

fn number(count: u64) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}
