//! The hub that subscribers listen to.

use std::sync::Arc;
use std::time::Duration;

use futures_util::Stream;

use crate::domain::id::{ConversationId, VersionId};
use crate::domain::metrics::Metrics;
use crate::domain::user::Change;
use crate::storage::{StorageError, Tenant};

/// What a subscriber of metrics follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Followed {
    /// One version.
    Version(VersionId),
    /// Whatever version of the conversation is the current one.
    Current(ConversationId),
}

/// Tells subscribers of changes. Cheap to clone.
#[derive(Clone)]
pub struct Hub {}

impl Hub {
    /// The present metrics at once, then the newest after each change, never faster than `every`.
    pub fn metrics(
        &self,
        tenant: Tenant,
        followed: Followed,
        every: Duration,
    ) -> impl Stream<Item = Result<Arc<Metrics>, StorageError>> + Send + use<> {
        futures_util::stream::empty()
    }

    /// Every change of the version behind `after` (behind the present revision where it is none), in order.
    pub fn changes(
        &self,
        tenant: Tenant,
        version: VersionId,
        after: Option<i64>,
    ) -> impl Stream<Item = Result<Change, StorageError>> + Send + use<> {
        futures_util::stream::empty()
    }

    /// An item at once and after each change of the version, never faster than `every`: for whoever reads something of
    /// their own.
    pub fn ticks(&self, version: VersionId, every: Duration) -> impl Stream<Item = ()> + Send + use<> {
        futures_util::stream::empty()
    }
}
