//! Leases: the right of one node to send on a line.
//!
//! The database's clock decides when a lease ends, so nodes whose clocks differ agree about it. An owner may count the time
//! from before it asked, and then never believes that it holds a lease for longer than the database does.

use std::time::Duration;

use sea_orm::ConnectionTrait;
use uuid::Uuid;

use super::query::{Place, Query};
use super::{Database, StorageError, dialect};
use crate::domain::id::LineId;

/// A lease: the right of a node to send on a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lease {
    /// The leased line.
    pub line: LineId,
    /// The node that holds it.
    pub owner: Uuid,
    /// The fencing number, which grows each time the lease is taken.
    pub epoch: i64,
}

/// Takes the lease of a line for some time; `None` if it is held, by whomever. One that ends much later than any could was
/// taken before the database's clock was set back, and holds no more.
pub async fn take(db: &Database, line: LineId, owner: Uuid, duration: Duration) -> Result<Option<Lease>, StorageError> {
    let db = db.writer();
    let mut query = Query::on(db);
    let now = dialect::now_micros(query.backend());
    let (line_place, owner_place, duration) = (query.bind(line.0), query.bind(owner), micros(&mut query, duration));
    let sql = format!(
        "INSERT INTO leases (line_id, owner, epoch, expires_at) VALUES ({line_place}, {owner_place}, 1, {now} + {duration}) \
         ON CONFLICT (line_id) DO UPDATE SET owner = excluded.owner, expires_at = excluded.expires_at, \
         epoch = leases.epoch + 1 WHERE leases.expires_at <= {now} OR leases.expires_at > {now} + 2 * {duration} \
         RETURNING epoch"
    );
    let epoch = query.number(sql).await?;
    Ok(epoch.map(|epoch| Lease { line, owner, epoch }))
}

/// Renews a lease that is still held, and keeps everybody else from taking it while the transaction runs. Returns `false`
/// if it is not held any more.
pub(super) async fn renew(db: &impl ConnectionTrait, lease: Lease, duration: Duration) -> Result<bool, StorageError> {
    let mut query = Query::on(db);
    let now = dialect::now_micros(query.backend());
    let (held, duration) = (held(&mut query, lease), micros(&mut query, duration));
    let sql = format!("UPDATE leases SET expires_at = {now} + {duration} WHERE {held} AND expires_at > {now}");
    Ok(query.execute(sql).await? == 1)
}

/// Renews a lease by itself, as [`renew`] does.
pub async fn keep(db: &Database, lease: Lease, duration: Duration) -> Result<bool, StorageError> {
    renew(db.writer(), lease, duration).await
}

/// Releases a lease, so that another node does not have to wait until it expires.
pub async fn release(db: &Database, lease: Lease) -> Result<(), StorageError> {
    let db = db.writer();
    let mut query = Query::on(db);
    let held = held(&mut query, lease);
    query.execute(format!("UPDATE leases SET expires_at = 0 WHERE {held}")).await?;
    Ok(())
}

fn held<C: ConnectionTrait>(query: &mut Query<'_, C>, lease: Lease) -> String {
    let (line, owner, epoch) = (query.bind(lease.line.0), query.bind(lease.owner), query.bind(lease.epoch));
    format!("line_id = {line} AND owner = {owner} AND epoch = {epoch}")
}

fn micros<C: ConnectionTrait>(query: &mut Query<'_, C>, duration: Duration) -> Place {
    query.bind(i64::try_from(duration.as_micros()).unwrap_or(i64::MAX / 2))
}
