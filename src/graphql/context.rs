//! What a resolver needs from outside: who is asking, the workspace's data, the write side and the clock.
//!
//! It travels with the request rather than with the schema, so that the schema can be made, printed and tested without a
//! database. Scopes are checked by one guard, [`Needs`], on the root fields.

use std::sync::{Arc, Mutex, PoisonError};

use async_graphql::{Context, Guard};
use tokio_util::sync::CancellationToken;

use super::error::{ApiError, Result};
use super::loaders::Loaders;
use super::shared::Sharing;
use crate::auth::{Audited, Scope, Viewer};
use crate::dispatch::Sends;
use crate::domain::clock::{Clock, Timestamp};
use crate::domain::position::LogPosition;
use crate::live::{Hub, Subscriber};
use crate::recorder::Recorder;
use crate::storage::{Database, Tenant};
use crate::telemetry::RequestId;

/// What the API is built on. Cheap to clone.
#[derive(Clone)]
pub struct Backend {
    /// Where everything is read.
    pub database: Database,
    /// The door for facts.
    pub recorder: Recorder,
    /// The door for sends.
    pub sends: Sends,
    /// What subscribers listen to.
    pub hub: Hub,
    /// The clock.
    pub clock: Arc<dyn Clock>,
}

/// Who sends a request, and under what id.
#[derive(Debug, Clone)]
pub struct Caller {
    /// Who the token says they are.
    pub viewer: Viewer,
    /// What identifies the request in the log, and in answers that report a fault.
    pub request_id: RequestId,
}

/// How a subscription begins and ends.
#[derive(Debug, Clone, Default)]
pub struct Following {
    /// Where the client left off, if it resumes.
    pub resume: Option<LogPosition>,
    /// Once it is cancelled, the subscription gives what it knows by then as its last frames, without waiting, and ends.
    pub ending: CancellationToken,
}

/// What one request may use.
pub(crate) struct RequestContext {
    /// Who is asking.
    pub(crate) viewer: Viewer,
    /// What identifies the request.
    pub(crate) request_id: RequestId,
    /// The workspace's data.
    pub(crate) tenant: Tenant,
    /// What the API is built on.
    pub(crate) backend: Backend,
    /// How a subscription begins and ends.
    pub(crate) following: Following,
    /// The position behind the frame that was resolved last. Frames of a subscription are resolved one after the other.
    pub(crate) position: Arc<Mutex<Option<LogPosition>>>,
    /// The mutation that is under way. Those of one request are carried out one after the other.
    pub(crate) audited: Mutex<Option<Audited>>,
    /// What a subscription shares with its equals.
    pub(crate) sharing: Option<Sharing>,
}

/// The guard of root fields: the viewer's token must have this scope.
pub(crate) struct Needs(pub(crate) Scope);

/// The guard of mutations: the same, and the audit log tells of it.
pub(crate) struct Writes(pub(crate) Scope);

/// What resolvers find in async-graphql's context.
pub(crate) trait ContextExt<'a> {
    /// What this request may use.
    fn request(&self) -> Result<&'a RequestContext>;

    /// The loaders of this request, payload or frame.
    fn loaders(&self) -> Result<&'a Loaders>;

    /// Whether the viewer may see personal data.
    fn shows_personal_data(&self) -> Result<bool> {
        Ok(self.request()?.viewer.scopes.allow(Scope::Personal))
    }

    /// Something personal, or nothing where the viewer may not see it.
    fn personal<T>(&self, data: Option<T>) -> Result<Option<T>> {
        Ok(if self.shows_personal_data()? { data } else { None })
    }
}

impl RequestContext {
    /// The context of a caller's request.
    pub(crate) fn new(caller: Caller, backend: Backend) -> Self {
        let tenant = Tenant::new(backend.database.clone(), caller.viewer.workspace);
        Self {
            viewer: caller.viewer,
            request_id: caller.request_id,
            tenant,
            backend,
            following: Following::default(),
            position: Arc::default(),
            audited: Mutex::default(),
            sharing: None,
        }
    }

    /// Who subscribes to what the hub offers.
    pub(crate) fn subscriber(&self) -> Subscriber {
        Subscriber { tenant: self.tenant.clone(), ending: self.following.ending.clone() }
    }

    /// The current instant.
    pub(crate) fn now(&self) -> Timestamp {
        self.backend.clock.now()
    }
}

impl<'a> ContextExt<'a> for Context<'a> {
    fn request(&self) -> Result<&'a RequestContext> {
        self.data_opt().ok_or_else(|| ApiError::broken("a request came without its context"))
    }

    fn loaders(&self) -> Result<&'a Loaders> {
        self.data_opt().ok_or_else(|| ApiError::broken("a request came without its loaders"))
    }
}

impl Guard for Needs {
    async fn check(&self, ctx: &Context<'_>) -> async_graphql::Result<()> {
        let Self(scope) = *self;
        let allowed = ctx.request()?.viewer.scopes.allow(scope);
        Ok(allowed.then_some(()).ok_or(ApiError::Forbidden(scope))?)
    }
}

impl Guard for Writes {
    async fn check(&self, ctx: &Context<'_>) -> async_graphql::Result<()> {
        Needs(self.0).check(ctx).await?;
        let request = ctx.request()?;
        let who = (&request.viewer, &request.request_id);
        let audited = Audited::begin(&request.tenant, who, ctx.field().name(), request.now()).await;
        *request.audited.lock().unwrap_or_else(PoisonError::into_inner) = Some(audited.map_err(ApiError::from)?);
        Ok(())
    }
}
