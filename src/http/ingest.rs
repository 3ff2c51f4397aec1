//! From a webhook's body to recorded facts: reads it, finds out whose lines it names, records.
//!
//! What stands behind is a [`Door`], so that this reasoning needs neither a database nor a recorder to be tested.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{BoxFuture, try_join_all};

use crate::domain::clock::{Clock, MAX_CLOCK_SKEW, Timestamp};
use crate::domain::fact::Fact;
use crate::domain::id::{LineId, WorkspaceId};
use crate::recorder::RecordError;
use crate::storage::StorageError;
use crate::telemetry::metrics;
use crate::whatsapp::webhook::{self, LineUpdates, MalformedWebhook};

/// The most updates that one call may contain, which is the provider's own maximum.
pub const MAX_UPDATES: usize = 1_000;

/// The owner of a line, and the line.
pub type Owner = (WorkspaceId, LineId);

/// Where webhooks lead to.
pub trait Door: Send + Sync + 'static {
    /// The lines of these provider's ids, of whatever workspace; unknown ones are missing.
    fn lines(&self, phone_number_ids: Vec<String>) -> BoxFuture<'_, Result<HashMap<String, Owner>, StorageError>>;

    /// Records facts of a line, and returns once they are committed.
    fn record(&self, line: Owner, facts: Vec<Fact>) -> BoxFuture<'_, Result<(), RecordError>>;

    /// Keeps what belongs to no workspace, and returns once it is committed.
    fn keep(&self, facts: Vec<Fact>) -> BoxFuture<'_, Result<(), RecordError>>;
}

/// Accepts webhooks. Cheap to clone.
#[derive(Clone)]
pub struct Ingest {
    door: Arc<dyn Door>,
    clock: Arc<dyn Clock>,
}

/// Why a webhook was not accepted. None of it need be stored then; all of it may be sent again.
#[derive(Debug, thiserror::Error)]
pub enum IngestError {
    /// It is not JSON.
    #[error(transparent)]
    Malformed(#[from] MalformedWebhook),
    /// It contains more than [`MAX_UPDATES`].
    #[error("the webhook contains {0} updates")]
    TooMany(usize),
    /// The owners of its lines cannot be looked up.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// It cannot be recorded.
    #[error(transparent)]
    Record(#[from] RecordError),
}

/// A webhook's facts, by the line they belong to.
#[derive(Default)]
struct Sorted {
    recorded: HashMap<Owner, Vec<Fact>>,
    kept: Vec<Fact>,
}

impl Ingest {
    /// Passes webhooks on to this door.
    pub fn new(door: Arc<dyn Door>, clock: Arc<dyn Clock>) -> Self {
        Self { door, clock }
    }

    /// Takes a webhook's body, and returns once all that it brings is committed.
    pub async fn take(&self, body: &[u8]) -> Result<(), IngestError> {
        let updates = webhook::parse(body)?;
        let latest = self.clock.now().plus(MAX_CLOCK_SKEW);
        let owners = self.door.lines(named(&updates)).await?;
        let sorted = Sorted::of(updates, &owners, latest);
        sorted.lag(self.clock.now()).for_each(metrics::webhook_lag);
        match sorted.count() {
            count if count > MAX_UPDATES => Err(IngestError::TooMany(count)),
            _ => Ok(self.record(sorted).await?),
        }
    }

    async fn record(&self, sorted: Sorted) -> Result<(), RecordError> {
        let recorded = sorted.recorded.into_iter().map(|(line, facts)| self.door.record(line, facts));
        try_join_all(recorded).await?;
        if !sorted.kept.is_empty() {
            self.door.keep(sorted.kept).await?;
        }
        Ok(())
    }
}

impl Sorted {
    fn of(updates: Vec<LineUpdates<'_>>, owners: &HashMap<String, Owner>, latest: Timestamp) -> Self {
        let mut sorted = Self::default();
        for update in updates {
            match update.phone_number_id.as_ref().and_then(|id| owners.get(id)) {
                Some(&owner) => {
                    sorted.recorded.entry(owner).or_default().extend(update.facts(owner.1, latest));
                }
                None => sorted.kept.extend(update.kept()),
            }
        }
        sorted
    }

    /// How long after they happened things are reported.
    fn lag(&self, now: Timestamp) -> impl Iterator<Item = Duration> {
        let happened = self.recorded.values().flatten().filter_map(Fact::happened_at);
        happened.map(move |at| Duration::from_micros(u64::try_from(now.micros() - at.micros()).unwrap_or_default()))
    }

    fn count(&self) -> usize {
        self.recorded.values().map(Vec::len).sum::<usize>() + self.kept.len()
    }
}

fn named(updates: &[LineUpdates<'_>]) -> Vec<String> {
    let mut ids: Vec<_> = updates.iter().filter_map(|update| update.phone_number_id.clone()).collect();
    ids.sort_unstable();
    ids.dedup();
    ids
}
