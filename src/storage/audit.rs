//! The audit log.

use entity::audit;
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, Set};

use super::pages::{List, Narrowed};
use super::query::Query;
use super::row::Row;
use super::source::Source;
use super::{StorageError, Tenant};
use crate::domain::audit::{AuditEntry, AuditFilter, AuditOutcome};
use crate::domain::code::Coded;
use crate::domain::id::AuditEntryId;
use crate::domain::page::{Key, Page, Slice};

const ENTRIES: Source<AuditEntry> = Source {
    table: "audit",
    columns: "audit.id, audit.at, audit.action, audit.token_id, audit.person, audit.request_id, audit.outcome, audit.subject",
    joins: "",
    read,
};

/// The entries, newest first.
const NEWEST_FIRST: List<AuditEntry> =
    List { source: &ENTRIES, order: "at", descending: true, key: |entry| Key::number(entry.at.micros(), entry.id.0) };

/// Adds an entry.
pub async fn add(tenant: &Tenant, entry: &AuditEntry) -> Result<(), StorageError> {
    let row = audit::ActiveModel {
        id: Set(entry.id.0),
        workspace_id: Set(tenant.workspace().0),
        at: Set(entry.at.micros()),
        action: Set(entry.action.clone()),
        token_id: Set(entry.token.map(Into::into)),
        person: Set(entry.person.clone()),
        request_id: Set(entry.request.clone()),
        outcome: Set(entry.outcome.map(Coded::code)),
        subject: Set(entry.subject.clone()),
    };
    audit::Entity::insert(row).exec_without_returning(tenant.database().writer()).await?;
    Ok(())
}

/// Adds to an entry what became of the write.
pub async fn finish(
    tenant: &Tenant,
    id: AuditEntryId,
    outcome: AuditOutcome,
    subject: Option<String>,
) -> Result<(), StorageError> {
    let update = audit::Entity::update_many()
        .filter(audit::Column::WorkspaceId.eq(tenant.workspace().0))
        .filter(audit::Column::Id.eq(id.0))
        .col_expr(audit::Column::Outcome, Expr::value(outcome.code()))
        .col_expr(audit::Column::Subject, Expr::value(subject));
    update.exec(tenant.database().writer()).await?;
    Ok(())
}

/// A page of the workspace's entries, newest first.
pub async fn page(tenant: &Tenant, filter: &AuditFilter, page: &Page) -> Result<Slice<AuditEntry>, StorageError> {
    let mut query = Query::of(tenant);
    let narrowed = Narrowed { conditions: conditions(&mut query, filter), ..Narrowed::default() };
    NEWEST_FIRST.page(query, narrowed, page).await
}

/// How many of the workspace's entries match.
pub async fn count(tenant: &Tenant, filter: &AuditFilter) -> Result<i64, StorageError> {
    let mut query = Query::of(tenant);
    let mut sql = "SELECT count(*) FROM audit WHERE audit.workspace_id = $1".to_owned();
    for condition in conditions(&mut query, filter) {
        sql = format!("{sql} AND {condition}");
    }
    Ok(query.number(sql).await?.unwrap_or_default())
}

fn conditions(query: &mut Query<'_>, filter: &AuditFilter) -> Vec<String> {
    let action = filter.action.as_ref().map(|action| format!("audit.action = {}", query.bind(action.as_str())));
    let token = filter.token.map(|token| format!("audit.token_id = {}", query.bind(token.0)));
    let subject = filter.subject.as_ref().map(|subject| format!("audit.subject = {}", query.bind(subject.as_str())));
    action.into_iter().chain(token).chain(subject).collect()
}

fn read(row: &mut Row<'_>) -> Result<AuditEntry, StorageError> {
    Ok(AuditEntry {
        id: row.id()?,
        at: row.time()?,
        action: row.value()?,
        token: row.optional_id()?,
        person: row.value()?,
        request: row.value()?,
        outcome: row.optional_code()?,
        subject: row.value()?,
    })
}
