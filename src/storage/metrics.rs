//! The metrics of versions: tallies, read together with the revision.

use std::collections::HashMap;

use super::query::Query;
use super::row::Row;
use super::{Found, StorageError, Tenant};
use crate::domain::id::VersionId;
use crate::domain::metrics::{Metrics, VersionHead};
use crate::domain::standing::Cell;
use crate::domain::tally::Tally;

/// The metrics of versions, in one statement, so that each version's figures and revision are of the same instant.
pub async fn find_many(tenant: &Tenant, versions: &[VersionId]) -> Found<VersionId, Metrics> {
    let mut query = Query::of(tenant);
    let among = query.among("versions.id", versions);
    let sql = format!(
        "SELECT versions.id, versions.number, versions.revision, coalesce(versions.changed_at, versions.published_at), \
         versions.total_deployments, tally.cell, tally.users FROM versions \
         LEFT JOIN tally ON tally.version_id = versions.id AND tally.users > 0 \
         WHERE versions.workspace_id = $1 AND {among}"
    );
    let mut tallies: HashMap<VersionId, (VersionHead, Tally)> = HashMap::with_capacity(versions.len());
    for (head, standing) in query.all(sql, read).await? {
        let (_, tally) = tallies.entry(head.id).or_insert_with(|| (head, Tally::default()));
        if let Some((cell, users)) = standing {
            tally.add(cell, users);
        }
    }
    Ok(tallies.into_iter().map(|(version, (head, tally))| (version, Metrics::new(head, tally))).collect())
}

fn read(row: &mut Row<'_>) -> Result<(VersionHead, Option<(Cell, i64)>), StorageError> {
    let head = VersionHead {
        id: row.id()?,
        number: row.value()?,
        revision: row.value()?,
        as_of: row.time()?,
        total_deployments: row.value()?,
    };
    let (cell, users) = (row.optional_cell()?, row.value::<Option<i64>>()?);
    Ok((head, cell.zip(users)))
}
