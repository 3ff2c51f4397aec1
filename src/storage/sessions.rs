//! Sessions: the conversations with users that are open, or were.
//!
//! A session is part of a deployment. Its status is one of the deployment's facts; the row of a session is what is kept beyond,
//! and is absent where another system told of the session. A deployment without a session status has no session.

use super::pages::{List, Narrowed};
use super::query::Query;
use super::row::Row;
use super::source::Source;
use super::{Database, Found, StorageError, Tenant};
use crate::domain::clock::Timestamp;
use crate::domain::code::Coded;
use crate::domain::id::{DeploymentId, SessionId, UserId, WorkspaceId};
use crate::domain::page::{Key, Page, Slice};
use crate::domain::session::{Session, SessionFilter};
use crate::domain::standing::SessionStatus;

/// A session in which nothing was said for too long.
#[derive(Debug, Clone, Copy)]
pub struct Lapsed {
    /// Its workspace.
    pub workspace: WorkspaceId,
    /// Its deployment.
    pub deployment: DeploymentId,
    /// When its time was up.
    pub expires_at: Timestamp,
}

/// What decides what an agent may do in a session.
#[derive(Debug, Clone)]
pub struct Situation {
    /// Who handles the conversation.
    pub status: SessionStatus,
    /// Whether the user stands in a step of a flow.
    pub in_flow: bool,
    /// The version's flow, as JSON text.
    pub flow: String,
    /// Whether another system sends on the line.
    pub external: bool,
    /// Whether the user's data was erased.
    pub erased: bool,
    /// When the contact last did something on the line, in whatever conversation.
    pub last_activity: Option<Timestamp>,
}

const SESSIONS: Source<Session> = Source {
    table: "deployments",
    columns: "deployments.id, deployments.user_id, deployments.version_id, deployments.session_status, \
              deployments.session_at, sessions.agent_at, sessions.agent, sessions.step, sessions.expires_at",
    joins: "LEFT JOIN sessions ON sessions.deployment_id = deployments.id",
    read,
};

/// The condition that a deployment has a session.
const BEGUN: &str = "deployments.session_status IS NOT NULL";

/// Sessions by id.
pub async fn find_many(tenant: &Tenant, ids: &[SessionId]) -> Found<SessionId, Session> {
    let mut query = Query::of(tenant);
    let among = query.among("deployments.id", ids);
    let sessions = query.all(SESSIONS.select(&format!("{BEGUN} AND {among}")), read).await?;
    Ok(sessions.into_iter().map(|session| (session.id, session)).collect())
}

/// A page of the workspace's sessions, by the time since which they have their status.
pub async fn page(
    tenant: &Tenant,
    filter: &SessionFilter,
    descending: bool,
    page: &Page,
) -> Result<Slice<Session>, StorageError> {
    let key = |session: &Session| Key::number(session.since.micros(), session.id.0);
    let list = List { source: &SESSIONS, order: "session_at", descending, key };
    let mut query = Query::of(tenant);
    let narrowed = Narrowed { conditions: conditions(&mut query, filter), ..Narrowed::default() };
    list.page(query, narrowed, page).await
}

/// How many of the workspace's sessions match.
pub async fn count(tenant: &Tenant, filter: &SessionFilter) -> Result<i64, StorageError> {
    let mut query = Query::of(tenant);
    let (joins, conditions) = (SESSIONS.joins, conditions(&mut query, filter).join(" AND "));
    let sql = format!("SELECT count(*) FROM deployments {joins} WHERE deployments.workspace_id = $1 AND {conditions}");
    Ok(query.number(sql).await?.unwrap_or_default())
}

/// The session of a user's latest deployment, if it has one that matches.
pub async fn find_latest(
    tenant: &Tenant,
    user: UserId,
    filter: &SessionFilter,
) -> Result<Option<Session>, StorageError> {
    let mut query = Query::of(tenant);
    let user = query.bind(user.0);
    let conditions = conditions(&mut query, filter).join(" AND ");
    let latest = format!("(SELECT users.deployments FROM users WHERE users.workspace_id = $1 AND users.id = {user})");
    let of_user = format!("deployments.user_id = {user} AND deployments.number = {latest} AND {conditions}");
    query.first(SESSIONS.select(&of_user), read).await
}

/// What decides what an agent may do in a session; `None` if there is no such session.
pub async fn find_situation(tenant: &Tenant, id: SessionId) -> Result<Option<Situation>, StorageError> {
    let mut query = Query::of(tenant);
    let id = query.bind(id.0);
    // As the dispatcher asks before it calls.
    let last_activity = "SELECT max(users.activity_at) FROM deployments begun JOIN users ON users.id = begun.user_id \
                         WHERE begun.contact_id = deployments.contact_id AND begun.line_id = deployments.line_id \
                         AND begun.began_at IS NOT NULL";
    let sql = format!(
        "SELECT deployments.session_status, sessions.step IS NOT NULL, versions.flow, lines.external, \
           contacts.erased_at IS NOT NULL, ({last_activity}) FROM deployments \
         JOIN versions ON versions.id = deployments.version_id JOIN lines ON lines.id = deployments.line_id \
         JOIN contacts ON contacts.id = deployments.contact_id {} \
         WHERE deployments.workspace_id = $1 AND deployments.id = {id} AND {BEGUN}",
        SESSIONS.joins
    );
    query.first(sql, read_situation).await
}

/// Up to `limit` sessions of all workspaces whose time is up.
pub async fn lapsed(db: &Database, now: Timestamp, limit: u32) -> Result<Vec<Lapsed>, StorageError> {
    let mut query = Query::anywhere(db);
    let now = query.bind(now.micros());
    let sql = format!(
        "SELECT workspace_id, deployment_id, expires_at FROM sessions WHERE expires_at <= {now} \
         ORDER BY expires_at LIMIT {limit}"
    );
    query
        .all(sql, |row: &mut Row<'_>| {
            Ok(Lapsed { workspace: row.id()?, deployment: row.id()?, expires_at: row.time()? })
        })
        .await
}

fn conditions(query: &mut Query<'_>, filter: &SessionFilter) -> Vec<String> {
    let SessionFilter { statuses, agent, assigned, conversation, line } = filter;
    let statuses = statuses.as_ref().map(|statuses| among_statuses(statuses));
    let agent = agent.as_ref().map(|agent| format!("sessions.agent = {}", query.bind(agent.as_str())));
    let assigned = assigned.map(|assigned| format!("sessions.agent IS {}", if assigned { "NOT NULL" } else { "NULL" }));
    let line = line.map(|line| format!("deployments.line_id = {}", query.bind(line.0)));
    let conversation = conversation.map(|id| {
        let versions =
            format!("SELECT versions.id FROM versions WHERE versions.conversation_id = {}", query.bind(id.0));
        format!("deployments.version_id IN ({versions} AND versions.workspace_id = $1)")
    });
    let narrower = [statuses, agent, assigned, line, conversation].into_iter().flatten();
    std::iter::once(BEGUN.to_owned()).chain(narrower).collect()
}

/// The condition that the status is one of these. They are few, and part of the text, so that an index of some statuses can
/// be used.
fn among_statuses(statuses: &[SessionStatus]) -> String {
    let wanted = SessionStatus::ALL.iter().filter(|status| statuses.contains(status));
    let codes: Vec<_> = wanted.map(|status| status.code().to_string()).collect();
    if codes.is_empty() { "FALSE".to_owned() } else { format!("deployments.session_status IN ({})", codes.join(", ")) }
}

fn read(row: &mut Row<'_>) -> Result<Session, StorageError> {
    Ok(Session {
        id: row.id()?,
        user: row.id()?,
        version: row.id()?,
        status: row.code()?,
        since: row.time()?,
        agent: row.optional_time()?.zip(row.value()?),
        step: row.value()?,
        expires_at: row.optional_time()?,
    })
}

fn read_situation(row: &mut Row<'_>) -> Result<Situation, StorageError> {
    Ok(Situation {
        status: row.code()?,
        in_flow: row.value()?,
        flow: row.value()?,
        external: row.value()?,
        erased: row.value()?,
        last_activity: row.optional_time()?,
    })
}
