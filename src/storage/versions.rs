//! Versions of conversations.

use std::collections::HashSet;

use super::pages::{List, Lists};
use super::query::Query;
use super::row::Row;
use super::source::{self, Source};
use super::{Found, StorageError, Tenant};
use crate::domain::conversation::Version;
use crate::domain::id::{ConversationId, VersionId};
use crate::domain::page::{Key, Page, Slice};

const VERSIONS: Source<Version> = Source {
    table: "versions",
    columns: "versions.id, versions.conversation_id, versions.number, versions.published_at, versions.flow",
    joins: "",
    read,
};

const OF_CONVERSATIONS: Lists<ConversationId, Version> = Lists {
    list: List {
        source: &VERSIONS,
        order: "number",
        descending: true,
        key: |version| Key::number(version.number.into(), version.id.0),
    },
    within: |conversation| format!("versions.conversation_id = {conversation}"),
    parent: |version| version.conversation,
};

/// Versions by id.
pub async fn find_many(tenant: &Tenant, ids: &[VersionId]) -> Found<VersionId, Version> {
    VERSIONS.find_many(tenant, ids, |version| version.id).await
}

/// Versions by conversation and number.
pub async fn find_by_number(
    tenant: &Tenant,
    numbers: &[(ConversationId, i32)],
) -> Found<(ConversationId, i32), Version> {
    let wanted: HashSet<_> = numbers.iter().copied().collect();
    let (conversations, numbers): (Vec<_>, Vec<_>) =
        wanted.iter().map(|&(conversation, number)| (conversation, i64::from(number))).unzip();
    let mut query = Query::of(tenant);
    let of_these = query.among("versions.conversation_id", &conversations);
    let numbered = query.among_numbers("versions.number", &numbers);
    let versions = query.all(VERSIONS.select(&format!("{of_these} AND {numbered}")), read).await?;
    // The statement combines all conversations with all numbers. That may find more than was requested, but rarely does.
    let keyed = versions.into_iter().map(|version| ((version.conversation, version.number), version));
    Ok(keyed.filter(|(key, _)| wanted.contains(key)).collect())
}

/// A page of each conversation's versions, newest first.
pub async fn pages(
    tenant: &Tenant,
    conversations: &[ConversationId],
    page: &Page,
) -> Found<ConversationId, Slice<Version>> {
    OF_CONVERSATIONS.pages(tenant, conversations, page).await
}

/// How many versions each conversation has.
pub async fn counts(tenant: &Tenant, conversations: &[ConversationId]) -> Found<ConversationId, i64> {
    source::counts(tenant, "versions", "conversation_id", conversations).await
}

/// The names of the variables that each version's users have, in alphabetical order.
pub async fn variable_names(tenant: &Tenant, versions: &[VersionId]) -> Found<VersionId, Vec<String>> {
    let mut query = Query::of(tenant);
    let among = query.among("version_id", versions);
    let sql = format!("SELECT version_id, name FROM variable_names WHERE workspace_id = $1 AND {among} ORDER BY name");
    let mut found = source::with_absent(versions, []);
    for (version, name) in query.all(sql, |row| Ok((row.id()?, row.value()?))).await? {
        found.entry(version).or_insert_with(Vec::new).push(name);
    }
    Ok(found)
}

fn read(row: &mut Row<'_>) -> Result<Version, StorageError> {
    Ok(Version {
        id: row.id()?,
        conversation: row.id()?,
        number: row.value()?,
        published_at: row.time()?,
        flow: row.value()?,
    })
}
