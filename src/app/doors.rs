//! Where the webhooks' door leads to.

use std::collections::HashMap;

use futures_util::future::{BoxFuture, FutureExt};
use moka::future::Cache;

use crate::domain::fact::{Fact, Kept};
use crate::http::ingest::{Door, Owner};
use crate::recorder::{RecordError, Recorder};
use crate::storage::{Database, StorageError, lines};

/// How many lines' owners are remembered.
const OWNER_CACHE_CAPACITY: u64 = 100_000;

/// From webhooks to the recorder.
pub(super) struct WebhookDoor {
    database: Database,
    recorder: Recorder,
    /// Whose line a provider's id names. It never changes, so it is read once; an unknown id may become known any time.
    owners: Cache<String, Owner>,
}

impl WebhookDoor {
    pub(super) fn new(database: Database, recorder: Recorder) -> Self {
        Self { database, recorder, owners: Cache::new(OWNER_CACHE_CAPACITY) }
    }

    async fn owner(&self, phone_number_id: &str) -> Result<Option<Owner>, StorageError> {
        if let Some(owner) = self.owners.get(phone_number_id).await {
            return Ok(Some(owner));
        }
        let owner = lines::owner(&self.database, phone_number_id).await?;
        if let Some(owner) = owner {
            self.owners.insert(phone_number_id.to_owned(), owner).await;
        }
        Ok(owner)
    }
}

impl Door for WebhookDoor {
    fn lines(&self, phone_number_ids: Vec<String>) -> BoxFuture<'_, Result<HashMap<String, Owner>, StorageError>> {
        async move {
            let mut owners = HashMap::with_capacity(phone_number_ids.len());
            for id in phone_number_ids {
                if let Some(owner) = self.owner(&id).await? {
                    owners.insert(id, owner);
                }
            }
            Ok(owners)
        }
        .boxed()
    }

    fn record(&self, (workspace, line): Owner, facts: Vec<Fact>) -> BoxFuture<'_, Result<(), RecordError>> {
        async move { self.recorder.record(workspace, Some(line), facts).await.map(drop) }.boxed()
    }

    fn keep(&self, facts: Vec<Fact>) -> BoxFuture<'_, Result<(), RecordError>> {
        let kept: Vec<Kept> = facts.into_iter().filter_map(kept).collect();
        async move { self.recorder.keep(&kept).await }.boxed()
    }
}

fn kept(fact: Fact) -> Option<Kept> {
    match fact {
        Fact::Kept(kept) => Some(kept),
        _ => None,
    }
}
