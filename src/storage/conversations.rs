//! Conversations.

use entity::{conversations, versions};
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, ExprTrait, QueryFilter, QuerySelect, Set, UpdateMany};

use super::pages::{List, Narrowed};
use super::query::Query;
use super::row::Row;
use super::source::Source;
use super::{Found, StorageError, Tenant, dialect};
use crate::domain::clock::Timestamp;
use crate::domain::code::Coded;
use crate::domain::conversation::{Conversation, ConversationFilter, Version, fold_name};
use crate::domain::id::{ConversationId, VersionId, new_key};
use crate::domain::page::{Key, Page, Slice};

pub(super) const CONVERSATIONS: Source<Conversation> = Source {
    table: "conversations",
    columns: "conversations.id, conversations.line_id, conversations.name, conversations.direction, \
              conversations.created_at, conversations.archived_at, versions.id",
    joins: "JOIN versions ON versions.conversation_id = conversations.id AND versions.number = conversations.versions",
    read,
};

/// The orders of conversations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ConversationOrder {
    /// By the time of creation.
    Created,
    /// By name, compared bytewise.
    Name,
}

/// Creates a conversation together with its first version.
pub async fn create(tenant: &Tenant, conversation: &Conversation, first: &Version) -> Result<(), StorageError> {
    let row = conversations::ActiveModel {
        id: Set(conversation.id.0),
        workspace_id: Set(tenant.workspace().0),
        line_id: Set(conversation.line.0),
        name: Set(conversation.name.clone()),
        name_folded: Set(fold_name(&conversation.name)),
        direction: Set(conversation.direction.code()),
        versions: Set(first.number),
        created_at: Set(conversation.created_at.micros()),
        archived_at: Set(conversation.archived_at.map(Timestamp::micros)),
    };
    let transaction = tenant.database().begin().await?;
    conversations::Entity::insert(row).exec_without_returning(&transaction).await?;
    insert_version(&transaction, tenant, first).await?;
    Ok(transaction.commit().await?)
}

/// Publishes the next version; `None` if the conversation does not exist. The version's number is determined under the
/// conversation's lock, so concurrent calls get consecutive numbers.
pub async fn publish(
    tenant: &Tenant,
    conversation: ConversationId,
    flow: &str,
    now: Timestamp,
) -> Result<Option<Version>, StorageError> {
    let transaction = tenant.database().begin().await?;
    // Incrementing the count locks the row until the commit.
    let count = Expr::col(conversations::Column::Versions).add(1);
    one(tenant, conversation).col_expr(conversations::Column::Versions, count).exec(&transaction).await?;
    let Some(number) = count_versions(&transaction, tenant, conversation).await? else { return Ok(None) };
    let version = Version { id: VersionId(new_key()), conversation, number, published_at: now, flow: flow.to_owned() };
    insert_version(&transaction, tenant, &version).await?;
    transaction.commit().await?;
    Ok(Some(version))
}

/// Archives a conversation; if it is archived already, the earlier time is kept. `false` if it does not exist.
pub async fn archive(tenant: &Tenant, id: ConversationId, now: Timestamp) -> Result<bool, StorageError> {
    let archived = Expr::col(conversations::Column::ArchivedAt).if_null(now.micros());
    let update = one(tenant, id).col_expr(conversations::Column::ArchivedAt, archived);
    Ok(update.exec(tenant.database().writer()).await?.rows_affected > 0)
}

/// Conversations by id.
pub async fn find_many(tenant: &Tenant, ids: &[ConversationId]) -> Found<ConversationId, Conversation> {
    CONVERSATIONS.find_many(tenant, ids, |conversation| conversation.id).await
}

/// A page of the workspace's conversations.
pub async fn page(
    tenant: &Tenant,
    filter: &ConversationFilter,
    order: ConversationOrder,
    descending: bool,
    page: &Page,
) -> Result<Slice<Conversation>, StorageError> {
    let mut query = Query::of(tenant);
    let narrowed = Narrowed { conditions: conditions(&mut query, filter), ..Narrowed::default() };
    order.list(descending).page(query, narrowed, page).await
}

/// How many conversations match.
pub async fn count(tenant: &Tenant, filter: &ConversationFilter) -> Result<i64, StorageError> {
    let mut query = Query::of(tenant);
    let mut sql = "SELECT count(*) FROM conversations WHERE conversations.workspace_id = $1".to_owned();
    for condition in conditions(&mut query, filter) {
        sql = format!("{sql} AND {condition}");
    }
    Ok(query.number(sql).await?.unwrap_or_default())
}

impl ConversationOrder {
    const fn list(self, descending: bool) -> List<Conversation> {
        let source = &CONVERSATIONS;
        match self {
            Self::Created => {
                let key =
                    |conversation: &Conversation| Key::number(conversation.created_at.micros(), conversation.id.0);
                List { source, order: "created_at", descending, key }
            }
            Self::Name => {
                let key = |conversation: &Conversation| Key::text(conversation.name.clone(), conversation.id.0);
                List { source, order: "name", descending, key }
            }
        }
    }
}

fn conditions(query: &mut Query<'_>, filter: &ConversationFilter) -> Vec<String> {
    let name = filter.name.as_ref().map(|part| {
        let part = query.bind(fold_name(part));
        dialect::contains(query.backend(), "conversations.name_folded", part)
    });
    let direction = filter.direction.map(|direction| format!("conversations.direction = {}", direction.code()));
    let archived = filter
        .archived
        .map(|archived| format!("conversations.archived_at IS {}", if archived { "NOT NULL" } else { "NULL" }));
    name.into_iter().chain(direction).chain(archived).collect()
}

fn one(tenant: &Tenant, id: ConversationId) -> UpdateMany<conversations::Entity> {
    conversations::Entity::update_many()
        .filter(conversations::Column::WorkspaceId.eq(tenant.workspace().0))
        .filter(conversations::Column::Id.eq(id.0))
}

async fn count_versions(
    db: &impl ConnectionTrait,
    tenant: &Tenant,
    id: ConversationId,
) -> Result<Option<i32>, StorageError> {
    let versions = conversations::Entity::find_by_id(id.0)
        .filter(conversations::Column::WorkspaceId.eq(tenant.workspace().0))
        .select_only()
        .column(conversations::Column::Versions);
    Ok(versions.into_tuple().one(db).await?)
}

async fn insert_version(db: &impl ConnectionTrait, tenant: &Tenant, version: &Version) -> Result<(), StorageError> {
    let row = versions::ActiveModel {
        id: Set(version.id.0),
        workspace_id: Set(tenant.workspace().0),
        conversation_id: Set(version.conversation.0),
        number: Set(version.number),
        published_at: Set(version.published_at.micros()),
        flow: Set(version.flow.clone()),
        revision: Set(0),
        changed_at: Set(None),
        total_deployments: Set(0),
        trimmed: Set(0),
    };
    versions::Entity::insert(row).exec_without_returning(db).await?;
    Ok(())
}

fn read(row: &mut Row<'_>) -> Result<Conversation, StorageError> {
    Ok(Conversation {
        id: row.id()?,
        line: row.id()?,
        name: row.value()?,
        direction: row.code()?,
        created_at: row.time()?,
        archived_at: row.optional_time()?,
        current_version: row.id()?,
    })
}
