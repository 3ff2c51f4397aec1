//! Tallies of versions, read together with the revision.

use super::{Found, Tenant};
use crate::domain::id::VersionId;
use crate::domain::metrics::Metrics;

/// The metrics of versions: one statement, so each version's figures and revision are of one instant.
pub async fn find_many(tenant: &Tenant, versions: &[VersionId]) -> Found<VersionId, Metrics> {
    todo!()
}
