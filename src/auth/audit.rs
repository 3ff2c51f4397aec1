//! Who writes what: an entry of the audit log is there before anything is changed, and tells afterwards what became of it.

use super::Viewer;
use crate::domain::audit::{AuditEntry, AuditOutcome};
use crate::domain::clock::Timestamp;
use crate::domain::id::{AuditEntryId, new_key};
use crate::storage::{StorageError, Tenant, audit};
use crate::telemetry::RequestId;

/// A write that is under way.
#[derive(Clone)]
pub struct Audited {
    tenant: Tenant,
    entry: AuditEntryId,
}

impl Audited {
    /// A viewer is about to write. What cannot be told must not be done.
    pub async fn begin(
        tenant: &Tenant,
        (viewer, request): (&Viewer, &RequestId),
        action: &str,
        now: Timestamp,
    ) -> Result<Self, StorageError> {
        let entry = AuditEntry {
            token: Some(viewer.token),
            person: viewer.person.as_deref().map(str::to_owned),
            request: Some(request.as_str().to_owned()),
            ..entry(action, now)
        };
        Self::add(tenant, &entry).await
    }

    /// An operator is about to write.
    pub async fn begin_command(tenant: &Tenant, action: &str, now: Timestamp) -> Result<Self, StorageError> {
        Self::add(tenant, &entry(action, now)).await
    }

    /// Tells what became of the write. It is done by now, so that a failure to tell is only logged; the entry is then that of
    /// something interrupted.
    pub async fn finish(self, outcome: AuditOutcome, subject: Option<String>) {
        if let Err(error) = audit::finish(&self.tenant, self.entry, outcome, subject).await {
            let cause = &error as &dyn std::error::Error;
            tracing::warn!(error = cause, audit.id = %self.entry, "cannot tell what became of a write");
        }
    }

    async fn add(tenant: &Tenant, entry: &AuditEntry) -> Result<Self, StorageError> {
        audit::add(tenant, entry).await?;
        Ok(Self { tenant: tenant.clone(), entry: entry.id })
    }
}

fn entry(action: &str, now: Timestamp) -> AuditEntry {
    AuditEntry {
        id: new_key().into(),
        at: now,
        action: action.to_owned(),
        token: None,
        person: None,
        request: None,
        outcome: None,
        subject: None,
    }
}
