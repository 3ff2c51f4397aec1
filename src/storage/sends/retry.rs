//! Retrying the failed users of a send: counting them, and staging them for a new send.

use std::fmt::Write;

use sea_orm::DatabaseTransaction;

use super::key::{self, Known};
use crate::domain::code::Coded;
use crate::domain::failure::FailureReason;
use crate::domain::id::{SendId, WorkspaceId};
use crate::domain::send::Send;
use crate::domain::standing::DeploymentStatus;
use crate::storage::query::{Place, Query};
use crate::storage::row::Row;
use crate::storage::{StorageError, Tenant};

/// Failed deployments of a send that are alike, and the latest of their users.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Failed {
    /// Why they failed.
    pub reason: FailureReason,
    /// The provider's code, if there is one.
    pub code: Option<i32>,
    /// Whether the data of their users was erased, so that they cannot be sent to.
    pub erased: bool,
    /// How many there are.
    pub count: i64,
}

/// What became of a retry.
#[derive(Debug)]
pub enum Begun {
    /// The send was made.
    Made,
    /// A send was made under its key before.
    Known(Known),
    /// Nobody is left to be retried.
    NobodyLeft,
}

/// The failed deployments of a send that are their users' latest, and are not about to be retried: of any other the user was
/// or will be sent to again already.
fn failed(send: Place) -> String {
    let status = DeploymentStatus::Failed.code();
    format!(
        "FROM deployments d JOIN users u ON u.id = d.user_id AND u.deployments = d.number AND u.status = {status} \
         JOIN contacts k ON k.id = u.contact_id LEFT JOIN messages m ON m.deployment_id = d.id AND m.first WHERE d.workspace_id = $1 AND d.send_id = {send} \
         AND NOT EXISTS (SELECT 1 FROM staged WHERE staged.retry_of = d.id)"
    )
}

/// The provider's code of a failure; -1 if there is none.
const CODE: &str = "coalesce(m.failed_code, d.failed_code, -1)";
/// Whether the data of a deployment's user was erased.
const ERASED: &str = "k.erased_at IS NOT NULL";
/// When a deployment failed.
const FAILED_AT: &str = "coalesce(m.failed_at, d.failed_at, m.refused_at, d.refused_at, m.unknown_at, d.unknown_at, 0)";

/// Counts the failed users of a send.
pub async fn count(tenant: &Tenant, send: SendId) -> Result<Vec<Failed>, StorageError> {
    let mut query = Query::of(tenant);
    let failed = failed(query.bind(send.0));
    let sql = format!("SELECT u.failure_reason, {CODE}, {ERASED}, count(*) {failed} GROUP BY 1, 2, 3 ORDER BY 1, 2, 3");
    let read = |row: &mut Row<'_>| {
        let (reason, code) = (row.code()?, Some(row.value::<i32>()?).filter(|code| *code >= 0));
        Ok(Failed { reason, code, erased: row.value()?, count: row.value()? })
    };
    query.all(sql, read).await
}

/// Makes a send that retries the failed users of the send `retry.retry_of` whose failures are among `chosen`, but only once
/// per idempotency key. It is then prepared like that of a list.
pub async fn begin(
    tenant: &Tenant,
    retry: &Send,
    chosen: &[(FailureReason, Option<i32>)],
    idempotency: Option<&(String, String)>,
) -> Result<Begun, StorageError> {
    let Some(send) = retry.retry_of else { return Ok(Begun::NobodyLeft) };
    let (db, workspace) = (tenant.database().begin().await?, tenant.workspace());
    if !super::insert(&db, workspace, retry, idempotency).await? {
        let Some((key, _)) = idempotency else { return Err(StorageError::Overtaken) };
        let known = key::find(&db, workspace, key).await?;
        return known.map(Begun::Known).ok_or(StorageError::Overtaken);
    }
    let users = stage(&db, workspace, (send, retry.id), chosen).await?;
    if users == 0 {
        return Ok(Begun::NobodyLeft);
    }
    let mut query = Query::on(&db);
    let (id, users) = (query.bind(retry.id.0), query.bind(users));
    query.execute(format!("UPDATE sends SET total_users = {users} WHERE id = {id}")).await?;
    db.commit().await?;
    Ok(Begun::Made)
}

/// Stages failed users, each with the time from which sending again makes sense. Returns how many there are.
async fn stage(
    db: &DatabaseTransaction,
    workspace: WorkspaceId,
    (send, retry): (SendId, SendId),
    chosen: &[(FailureReason, Option<i32>)],
) -> Result<i32, StorageError> {
    let mut query = Query::on(db);
    query.bind(workspace.0);
    let (send, retry) = (query.bind(send.0), query.bind(retry.0));
    let failed = failed(send);
    let among: Vec<_> = chosen.iter().map(|(reason, code)| is(*reason, *code)).collect();
    let sql = format!(
        "INSERT INTO staged (send_id, number, workspace_id, retry_of, due_at) \
         SELECT {retry}, row_number() OVER (ORDER BY d.id), d.workspace_id, d.id, {} {failed} AND NOT ({ERASED}) AND ({})",
        due_at(),
        if among.is_empty() { "FALSE".to_owned() } else { among.join(" OR ") }
    ) + " ON CONFLICT DO NOTHING";
    let staged = query.execute(sql).await?;
    Ok(i32::try_from(staged).unwrap_or(i32::MAX))
}

fn is(reason: FailureReason, code: Option<i32>) -> String {
    format!("(u.failure_reason = {} AND {CODE} = {})", reason.code(), code.unwrap_or(-1))
}

/// The time from which sending again makes sense; null if there is no reason to wait.
fn due_at() -> String {
    let mut cases = String::from("CASE u.failure_reason");
    for reason in FailureReason::ALL {
        if let Some(wait) = reason.wait() {
            let _ = write!(cases, " WHEN {} THEN {FAILED_AT} + {}", reason.code(), wait.as_micros());
        }
    }
    cases + " END"
}
