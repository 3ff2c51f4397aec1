//! Frames that equal subscriptions share.
//!
//! When a version changes, thousands of clients that watch it with the same document, variables and rights are sent the
//! same. The first of them resolves and writes the frame, with whatever statements that takes, and the others take over
//! what it wrote. Each still has its own pace and position; what was written lately is kept within fixed bounds, and a
//! client that comes later resolves for itself. A frame with any error is not shared.

use std::time::Duration;

use async_graphql::{Request, ServerResult, Value};
use moka::future::Cache;
use serde_json::value::to_raw_value;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::auth::Viewer;

/// How much is kept, in bytes of JSON.
const MAX_BYTES: u64 = 32 << 20;
/// What keeping a frame costs besides its JSON, in bytes.
const OVERHEAD_BYTES: usize = 256;
/// How long a frame is kept. Those who are sent it later are behind, each in a place of its own.
const KEPT: Duration = Duration::from_secs(10);

/// Written frames of all subscriptions. Cheap to clone.
#[derive(Clone)]
pub(crate) struct SharedFrames(Cache<(SubscriptionKey, FrameId), Value>);

/// What equal subscriptions have in common: workspace, rights, document, operation and variables, as a hash.
pub(crate) type SubscriptionKey = [u8; 32];

/// What distinguishes the frames of equal subscriptions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct FrameId {
    /// What the frame is about.
    pub(crate) of: Uuid,
    /// Its number there.
    pub(crate) number: i64,
}

/// The frames that one subscription shares with its equals.
pub(crate) struct Sharing {
    /// Where they are.
    pub(crate) frames: SharedFrames,
    /// The subscription.
    pub(crate) key: SubscriptionKey,
}

/// What resolved to something that cannot be shared, because a part of it failed.
struct Unshared;

impl SharedFrames {
    /// Without any frame.
    pub(crate) fn new() -> Self {
        let weight = |_: &_, frame: &Value| u32::try_from(bytes(frame) + OVERHEAD_BYTES).unwrap_or(u32::MAX);
        Self(Cache::builder().weigher(weight).max_capacity(MAX_BYTES).time_to_live(KEPT).build())
    }
}

impl Sharing {
    /// What equal subscriptions of a viewer have in common.
    pub(crate) fn key(request: &Request, viewer: &Viewer) -> SubscriptionKey {
        let mut hash = Sha256::new();
        let variables = serde_json::to_vec(&request.variables).unwrap_or_default();
        let operation = request.operation_name.as_deref().unwrap_or_default();
        hash.update(viewer.workspace.0);
        hash.update(viewer.scopes.bits().to_be_bytes());
        for part in [request.query.as_bytes(), operation.as_bytes(), &variables] {
            hash.update(part.len().to_be_bytes());
            hash.update(part);
        }
        hash.finalize().into()
    }

    /// The frame of this id, as whoever came first has written it; `resolve` makes it, and tells whether it is whole.
    /// `None` if it cannot be shared.
    pub(crate) async fn frame(
        &self,
        id: FrameId,
        resolve: impl Future<Output = (ServerResult<Value>, bool)> + Send,
    ) -> Option<Value> {
        let written = async {
            match resolve.await {
                (Ok(value), true) => write(&value).ok_or(Unshared),
                _ => Err(Unshared),
            }
        };
        self.frames.0.try_get_with((self.key, id), written).await.ok()
    }
}

/// The value as JSON that is written into responses as it is.
fn write(value: &Value) -> Option<Value> {
    async_graphql::to_value(to_raw_value(value).ok()?).ok()
}

/// How long what was written is.
fn bytes(written: &Value) -> usize {
    match written {
        Value::Object(members) => members.values().map(bytes).sum(),
        Value::String(json) => json.len(),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use async_graphql::{Variables, value};
    use serde_json::json;

    use super::*;
    use crate::domain::id::new_key;

    fn viewer(scopes: &str) -> Viewer {
        Viewer {
            token: new_key().into(),
            person: None,
            workspace: new_key().into(),
            scopes: scopes.parse().unwrap(),
            expires: None,
        }
    }

    #[test]
    fn subscriptions_are_equal_where_nothing_that_they_show_can_differ() {
        let acme = viewer("read");
        let request = || Request::new("subscription { a }");
        let key = Sharing::key(&request(), &acme);
        assert_eq!(Sharing::key(&request(), &Viewer { token: new_key().into(), ..acme.clone() }), key);
        let variables = Variables::from_json(json!({ "a": 1 }));
        for (request, viewer) in [
            (Request::new("subscription { b }"), acme.clone()),
            (request().operation_name("A"), acme.clone()),
            (request().variables(variables), acme.clone()),
            (request(), viewer("read")),
            (request(), Viewer { scopes: "write".parse().unwrap(), ..acme.clone() }),
        ] {
            assert_ne!(Sharing::key(&request, &viewer), key);
        }
    }

    #[tokio::test]
    async fn a_frame_is_resolved_once_and_written_as_it_is() {
        let sharing = Sharing { frames: SharedFrames::new(), key: [0; 32] };
        let id = FrameId { of: new_key(), number: 1 };
        let whole = value!({ "a": [1, "\"é\"", null], "b": { "c": 1.5 } });
        let first = sharing.frame(id, async { (Ok(whole.clone()), true) }).await.unwrap();
        let second = sharing.frame(id, async { panic!("it is there already") }).await.unwrap();
        for frame in [first, second] {
            assert_eq!(serde_json::to_string(&frame).unwrap(), serde_json::to_string(&whole).unwrap());
        }
    }

    #[tokio::test]
    async fn a_frame_with_an_error_is_nobody_elses() {
        let sharing = Sharing { frames: SharedFrames::new(), key: [0; 32] };
        let id = FrameId { of: new_key(), number: 1 };
        assert_eq!(sharing.frame(id, async { (Ok(Value::Null), false) }).await, None);
        assert!(sharing.frame(id, async { (Ok(Value::Null), true) }).await.is_some());
    }
}
