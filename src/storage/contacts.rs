//! Contacts: resolving phone numbers, WhatsApp ids and the provider's user ids to people.

use std::collections::{BTreeSet, HashMap};

use entity::contacts;
use sea_orm::{ConnectionTrait, DatabaseTransaction};

use super::bulk::{Bulk, Datum, Kind, OnConflict};
use super::query::{Query, belongs};
use super::row;
use super::{StorageError, Tenant, dialect};
use crate::domain::book::ContactEntry;
use crate::domain::clock::Timestamp;
use crate::domain::contact::{ContactKey, ProfileName};
use crate::domain::fact::Person;
use crate::domain::id::{ContactId, WorkspaceId, new_key};
use crate::domain::merge::ContactFacts;
use crate::domain::phone::Phone;
use crate::domain::preference::Preference;

/// A contact as it is stored.
#[derive(Debug, Clone)]
pub(super) struct Contact {
    pub(super) id: ContactId,
    pub(super) entry: ContactEntry,
    created_at: Timestamp,
}

/// Contacts by each of their identifiers.
#[derive(Debug, Default)]
pub(super) struct Directory {
    by_wa_id: HashMap<String, ContactId>,
    by_user_id: HashMap<String, ContactId>,
    by_phone: HashMap<String, ContactId>,
    contacts: HashMap<ContactId, Contact>,
}

const CONTACTS: Bulk = Bulk {
    table: "contacts",
    columns: &[
        ("id", Kind::Uuid),
        ("workspace_id", Kind::Uuid),
        ("phone", Kind::Text),
        ("wa_id", Kind::Text),
        ("provider_user_id", Kind::Text),
        ("name", Kind::Text),
        ("name_at", Kind::BigInt),
        ("opted_out_at", Kind::BigInt),
        ("preference_at", Kind::BigInt),
        ("blocked_at", Kind::BigInt),
        ("erased_at", Kind::BigInt),
        ("created_at", Kind::BigInt),
    ],
    key: "id",
    on_conflict: OnConflict::Overwrite,
};

/// A column, and what of a key it holds.
type Identifier = (&'static str, fn(&ContactKey) -> Option<&str>);

/// What contacts are found by: the most certain first.
const IDENTIFIERS: [Identifier; 3] = [
    ("wa_id", |key| key.wa_id.as_deref()),
    ("provider_user_id", |key| key.provider_user_id.as_deref()),
    ("phone", |key| key.phone.as_ref().map(Phone::as_str)),
];

impl Directory {
    /// Looks for the contacts to which keys refer, by each of their identifiers until one is known: mostly the first is.
    async fn search(&mut self, tenant: &Tenant, keys: &[ContactKey]) -> Result<(), StorageError> {
        for (column, identifier) in IDENTIFIERS {
            let unknown = keys.iter().filter(|key| self.find(key).is_none());
            let texts: Vec<_> = unknown.filter_map(identifier).collect();
            self.extend(read(tenant.database().reader(), tenant.workspace(), (column, &texts)).await?);
        }
        Ok(())
    }

    fn extend(&mut self, other: Self) {
        self.by_wa_id.extend(other.by_wa_id);
        self.by_user_id.extend(other.by_user_id);
        self.by_phone.extend(other.by_phone);
        self.contacts.extend(other.contacts);
    }

    /// The contact to which a key refers. The WhatsApp id takes precedence over the provider's user id, and both over the
    /// phone number, which may differ from WhatsApp's spelling.
    pub(super) fn find(&self, key: &ContactKey) -> Option<ContactId> {
        let by_wa_id = key.wa_id.as_ref().and_then(|wa_id| self.by_wa_id.get(wa_id));
        let by_user_id = || key.provider_user_id.as_ref().and_then(|user_id| self.by_user_id.get(user_id));
        let by_phone = || key.phone.as_ref().and_then(|phone| self.by_phone.get(phone.as_str()));
        by_wa_id.or_else(by_user_id).or_else(by_phone).copied()
    }

    pub(super) fn get(&self, id: ContactId) -> Option<&Contact> {
        self.contacts.get(&id)
    }

    fn enter(&mut self, contact: Contact) {
        let key = &contact.entry.person.key;
        if let Some(wa_id) = &key.wa_id {
            self.by_wa_id.insert(wa_id.clone(), contact.id);
        }
        if let Some(user_id) = &key.provider_user_id {
            self.by_user_id.insert(user_id.clone(), contact.id);
        }
        if let Some(phone) = &key.phone {
            self.by_phone.insert(phone.as_str().to_owned(), contact.id);
        }
        self.contacts.insert(contact.id, contact);
    }
}

/// Finds the contacts to which these keys refer, and creates missing ones in the order of the keys. This is a short transaction
/// of its own, before any version is locked.
pub(super) async fn resolve(tenant: &Tenant, keys: &[ContactKey], now: Timestamp) -> Result<Directory, StorageError> {
    let mut directory = Directory::default();
    directory.search(tenant, keys).await?;
    let missing: BTreeSet<_> = keys.iter().filter(|key| directory.find(key).is_none()).collect();
    if missing.is_empty() {
        return Ok(directory);
    }
    let mut made = Directory::default();
    let mut rows = Vec::new();
    for &key in &missing {
        if made.find(key).is_some() {
            continue;
        }
        let person = Person { key: key.clone(), name: None };
        let entry = ContactEntry { person, ..ContactEntry::default() };
        let contact = Contact { id: new_key().into(), entry, created_at: now };
        rows.push(row(tenant.workspace(), &contact));
        made.enter(contact);
    }
    // Another node may create the same contact at the same moment; the first row is kept.
    let insert = Bulk { on_conflict: OnConflict::Keep, ..CONTACTS };
    insert.write(tenant.database().writer(), &rows).await?;
    let missing: Vec<_> = missing.into_iter().cloned().collect();
    directory.search(tenant, &missing).await?;
    Ok(directory)
}

/// Reads contacts by their ids.
pub(super) async fn by_ids(
    db: &DatabaseTransaction,
    workspace: WorkspaceId,
    ids: &[ContactId],
) -> Result<Directory, StorageError> {
    let mut query = Query::on(db);
    let workspace = query.bind(workspace.0);
    let ids = query.among("id", ids);
    load(query, &format!("{} AND {ids}", belongs("workspace_id", workspace)), "").await
}

/// Checks at the end of a transaction that none of these contacts was erased since they were looked up: what was written about
/// one of them is somebody else's by now. Whoever wrote about a contact in a version that its erasure did not lock, waited
/// for the erasure by the reference to the contact.
pub(super) async fn check_known(
    db: &DatabaseTransaction,
    workspace: WorkspaceId,
    ids: &BTreeSet<ContactId>,
) -> Result<(), StorageError> {
    if ids.is_empty() {
        return Ok(());
    }
    let mut query = Query::on(db);
    let workspace = query.bind(workspace.0);
    let ids = query.among("id", &ids.iter().copied().collect::<Vec<_>>());
    let erased = query.number(format!(
        "SELECT count(*) FROM contacts WHERE {} AND {ids} AND erased_at IS NOT NULL",
        belongs("workspace_id", workspace)
    ));
    if erased.await?.unwrap_or_default() > 0 { Err(StorageError::Overtaken) } else { Ok(()) }
}

/// Reads contacts by their ids and locks them, always in the same order.
async fn lock(db: &DatabaseTransaction, workspace: WorkspaceId, ids: &[ContactId]) -> Result<Directory, StorageError> {
    let mut query = Query::on(db);
    let workspace = query.bind(workspace.0);
    let ids = query.among("id", ids);
    let lock = dialect::for_update(db.get_database_backend());
    load(query, &format!("{} AND {ids}", belongs("workspace_id", workspace)), lock).await
}

/// Writes what became known about people, merged with what other transactions wrote meanwhile. An identifier that another
/// contact already has stays with that contact.
pub(super) async fn learn(
    db: &DatabaseTransaction,
    workspace: WorkspaceId,
    learnt: &[(ContactId, &ContactEntry)],
) -> Result<(), StorageError> {
    let directory = lock(db, workspace, &learnt.iter().map(|(id, _)| *id).collect::<Vec<_>>()).await?;
    let mut holders = Directory::default();
    for (column, identifier) in IDENTIFIERS {
        let texts: Vec<_> = learnt.iter().filter_map(|(_, entry)| identifier(&entry.person.key)).collect();
        holders.extend(read(db, workspace, (column, &texts)).await?);
    }
    let free = |holder: Option<&ContactId>, id| holder.is_none_or(|holder| *holder == id);
    let mut rows = Vec::new();
    for &(id, entry) in learnt {
        let Some(known) = directory.get(id) else { continue };
        let mut contact = known.clone();
        contact.entry.learn(Some(&entry.person), &entry.facts);
        let key = &mut contact.entry.person.key;
        key.phone = key.phone.take().filter(|phone| free(holders.by_phone.get(phone.as_str()), id));
        key.wa_id = key.wa_id.take().filter(|wa_id| free(holders.by_wa_id.get(wa_id), id));
        key.provider_user_id = key.provider_user_id.take().filter(|user_id| free(holders.by_user_id.get(user_id), id));
        rows.push(row(workspace, &contact));
    }
    Ok(CONTACTS.write(db, &rows).await?)
}

/// Reads the contacts that have one of these identifiers.
async fn read(
    db: &impl ConnectionTrait,
    workspace: WorkspaceId,
    (column, texts): (&str, &[&str]),
) -> Result<Directory, StorageError> {
    let mut query = Query::on(db);
    let workspace = query.bind(workspace.0);
    let texts = query.among_texts(column, texts);
    load(query, &format!("workspace_id = {workspace} AND {texts}"), "").await
}

async fn load(query: Query<'_, impl ConnectionTrait>, condition: &str, lock: &str) -> Result<Directory, StorageError> {
    let sql = format!("SELECT * FROM contacts WHERE {condition} ORDER BY id DESC {lock}");
    let rows = query.models::<contacts::Model>(sql).await?;
    let mut directory = Directory::default();
    for row in rows {
        directory.enter(contact(row)?);
    }
    Ok(directory)
}

fn contact(row: contacts::Model) -> Result<Contact, StorageError> {
    let name = row.name_at.map(row::time).transpose()?.zip(row.name).map(|(at, name)| ProfileName { at, name });
    let key =
        ContactKey { phone: row.phone.map(Phone::stored), wa_id: row.wa_id, provider_user_id: row.provider_user_id };
    // The opt-out alone is set exactly while it is the latest preference.
    let preference = row.preference_at.map(row::time).transpose()?;
    let preference = preference.map(|at| Preference { at, stopped: row.opted_out_at.is_some() });
    let blocked = row.blocked_at.map(row::time).transpose()?;
    Ok(Contact {
        id: row.id.into(),
        entry: ContactEntry {
            person: Person { key, name },
            facts: ContactFacts { preference, blocked },
            erased: row.erased_at.map(row::time).transpose()?,
        },
        created_at: row::time(row.created_at)?,
    })
}

fn row(workspace: WorkspaceId, contact: &Contact) -> Vec<Datum> {
    let ContactEntry { person: Person { key, name }, facts, erased } = &contact.entry;
    vec![
        Datum::id(contact.id),
        Datum::id(workspace),
        Datum::Text(key.phone.as_ref().map(|phone| phone.as_str().to_owned())),
        Datum::Text(key.wa_id.clone()),
        Datum::Text(key.provider_user_id.clone()),
        Datum::Text(name.as_ref().map(|name| name.name.clone())),
        Datum::optional_time(name.as_ref().map(|name| name.at)),
        Datum::optional_time(facts.opted_out()),
        Datum::optional_time(facts.preference.map(|preference| preference.at)),
        Datum::optional_time(facts.blocked),
        Datum::optional_time(*erased),
        Datum::at(contact.created_at),
    ]
}
