//! The loaders of one request, or of one frame of a subscription.
//!
//! Every edge of the graph has one here, and its batch function lives in storage. A set sees each row at most once and
//! never again, so it must not outlive what it answers: a request gets a fresh set, and so does each frame of a
//! subscription and each payload of a mutation (see `fresh`). A loader is built when it is first used, since most
//! requests use few.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, OnceLock};

use super::loader::{Loader, grouped};
use crate::domain::clock::Timestamp;
use crate::domain::conversation::{Conversation, Version};
use crate::domain::deployment::Deployment;
use crate::domain::filter::UserFilter;
use crate::domain::funnel::FunnelStep;
use crate::domain::id::{ConversationId, DeploymentId, LineId, MessageId, SendId, SessionId, UserId, VersionId};
use crate::domain::line::Line;
use crate::domain::merge::Variables;
use crate::domain::message::Message;
use crate::domain::metrics::Metrics;
use crate::domain::page::{Page, Slice};
use crate::domain::send::{Queue, Send};
use crate::domain::session::Session;
use crate::domain::tally::Tally;
use crate::domain::user::User;
use crate::storage::users::UserQuery;
use crate::storage::{
    Found, StorageError, Tenant, conversations, deployments, funnels, lines, messages, metrics, sends, sessions, users,
    variables, versions,
};

/// A page of shared rows.
pub(crate) type Rows<T> = Arc<Slice<Arc<T>>>;

/// How the values of many keys are found. `each` shares every value, `plain` does not; `pages` shares every page and row
/// and, like `grouped`, asks once for all parents with equal arguments.
macro_rules! fetch {
    (each $find:path, $tenant:ident, $keys:ident) => {
        shared($find(&$tenant, &$keys).await)
    };
    (plain $find:path, $tenant:ident, $keys:ident) => {
        $find(&$tenant, &$keys).await
    };
    (grouped $find:path, $tenant:ident, $keys:ident) => {
        grouped($keys, |parents, arguments| {
            let tenant = $tenant.clone();
            async move { $find(&tenant, &parents, &arguments).await }
        })
        .await
    };
    (pages $find:path, $tenant:ident, $keys:ident) => {
        rows(fetch!(grouped $find, $tenant, $keys))
    };
}

/// Declares the set: each loader's name, key and value, and how it finds them.
macro_rules! loaders {
    ($($(#[$doc:meta])* $name:ident: $key:ty => $value:ty = $how:ident $find:path;)+) => {
        /// A set of loaders. Cheap to clone.
        #[derive(Clone)]
        pub(crate) struct Loaders(Arc<Set>);

        struct Set {
            tenant: Tenant,
            $($name: OnceLock<Loader<$key, $value>>,)+
        }

        impl Loaders {
            /// A set that has loaded nothing yet.
            pub(crate) fn new(tenant: Tenant) -> Self {
                Self(Arc::new(Set { tenant, $($name: OnceLock::new(),)+ }))
            }

            $(
                $(#[$doc])*
                pub(crate) fn $name(&self) -> &Loader<$key, $value> {
                    self.0.$name.get_or_init(|| {
                        let tenant = self.0.tenant.clone();
                        Loader::new(move |keys| {
                            let tenant = tenant.clone();
                            Box::pin(async move { fetch!($how $find, tenant, keys) })
                        })
                    })
                }
            )+
        }
    };
}

loaders! {
    /// Lines by id.
    lines: LineId => Arc<Line> = each lines::find_many;
    /// Conversations by id, with their current versions' metrics.
    measured_conversations: ConversationId => Arc<(Arc<Conversation>, Arc<Metrics>)> = each conversations_with_metrics;
    /// Conversations by id.
    conversations: ConversationId => Arc<Conversation> = each conversations::find_many;
    /// Versions by id.
    versions: VersionId => Arc<Version> = each versions::find_many;
    /// Versions by conversation and number.
    numbered_versions: (ConversationId, i32) => Arc<Version> = each versions::find_by_number;
    /// Sends by id.
    sends: SendId => Arc<Send> = each sends::find_many;
    /// Users by id.
    users: UserId => Arc<User> = each users::find_many;
    /// Deployments by id.
    deployments: DeploymentId => Arc<Deployment> = each deployments::find_many;
    /// Sessions by id.
    sessions: SessionId => Arc<Session> = each sessions::find_many;
    /// Messages by id.
    messages: MessageId => Arc<Message> = each messages::find_many;

    /// Metrics of versions.
    metrics: VersionId => Arc<Metrics> = each metrics::find_many;
    /// Funnels of versions, their steps by name.
    funnels: VersionId => Arc<Vec<FunnelStep>> = each funnels::find_many;
    /// Names of the variables of versions.
    variable_names: VersionId => Vec<String> = plain versions::variable_names;
    /// Variables of users.
    variables: UserId => Arc<Variables> = each variables::of_users;
    /// Latest deployments of users.
    latest_deployments: UserId => Arc<Deployment> = each deployments::latest_of;
    /// Tallies of sends.
    tallies: SendId => Arc<Tally> = each sends::tallies;
    /// What is queued of sends, and beside them, at some time.
    queues: (SendId, Timestamp) => Arc<Queue> = each queues_at;

    /// Pages of the versions of conversations.
    version_pages: (ConversationId, Page) => Rows<Version> = pages versions::pages;
    /// Pages of the sends of conversations.
    send_pages: (ConversationId, Page) => Rows<Send> = pages sends::pages;
    /// Pages of the users of versions.
    user_pages: (VersionId, (UserQuery, Page)) => Rows<User> = pages pages_of_users;
    /// Pages of the deployments of users.
    deployment_pages: (UserId, Page) => Rows<Deployment> = pages deployments::pages;
    /// Pages of the histories of users.
    history_pages: (UserId, Page) => Rows<Message> = pages messages::pages_of_users;
    /// Pages of the messages of deployments.
    message_pages: (DeploymentId, Page) => Rows<Message> = pages messages::pages_of_deployments;

    /// How many versions conversations have.
    version_counts: ConversationId => i64 = plain versions::counts;
    /// How many sends conversations have.
    send_counts: ConversationId => i64 = plain sends::counts;
    /// How many users of versions match, counted by the database.
    user_counts: (VersionId, UserFilter) => i64 = grouped users::counts;
    /// How many deployments users have.
    deployment_counts: UserId => i64 = plain deployments::counts;
    /// How many messages the histories of users have.
    history_counts: UserId => i64 = plain messages::counts_of_users;
    /// How many messages deployments have.
    message_counts: DeploymentId => i64 = plain messages::counts_of_deployments;
}

/// Conversations with metrics, each part shared.
async fn conversations_with_metrics(
    tenant: &Tenant,
    ids: &[ConversationId],
) -> Found<ConversationId, (Arc<Conversation>, Arc<Metrics>)> {
    let found = metrics::with_conversations(tenant, ids).await?;
    Ok(found.into_iter().map(|(id, (one, metrics))| (id, (Arc::new(one), Arc::new(metrics)))).collect())
}

/// What is queued of sends at the time of each.
async fn queues_at(tenant: &Tenant, keys: &[(SendId, Timestamp)]) -> Found<(SendId, Timestamp), Queue> {
    let Some(now) = keys.iter().map(|(_, now)| *now).max() else { return Ok(HashMap::new()) };
    let sends: Vec<_> = keys.iter().map(|(send, _)| *send).collect();
    let found = sends::queues(tenant, &sends, now).await?;
    Ok(keys.iter().filter_map(|key| Some((*key, found.get(&key.0)?.clone()))).collect())
}

/// A page of each version's users, with the arguments in the shape that grouping wants.
async fn pages_of_users(
    tenant: &Tenant,
    versions: &[VersionId],
    (query, page): &(UserQuery, Page),
) -> Found<VersionId, Slice<User>> {
    users::pages(tenant, versions, query, page).await
}

/// Shares each value found.
fn shared<K: Eq + Hash, V>(found: Found<K, V>) -> Found<K, Arc<V>> {
    Ok(found?.into_iter().map(|(key, value)| (key, Arc::new(value))).collect())
}

/// Shares each page found, and each of its rows.
fn rows<K: Eq + Hash, V>(found: Found<K, Slice<V>>) -> Result<HashMap<K, Rows<V>>, StorageError> {
    Ok(found?.into_iter().map(|(key, slice)| (key, share_rows(slice))).collect())
}

/// Shares a page and each of its rows.
pub(crate) fn share_rows<T>(slice: Slice<T>) -> Rows<T> {
    let Slice { rows, has_next, has_previous } = slice;
    let rows = rows.into_iter().map(|(key, row)| (key, Arc::new(row))).collect();
    Arc::new(Slice { rows, has_next, has_previous })
}
