//! Carries GraphQL operations out, for whatever transport: one response for a query or mutation, frames for a subscription.
//!
//! Every operation is its caller's: dropping the future or the stream ends it. A query or mutation ends after a set time
//! too. A panic ends the operation that it happened in, and nothing else.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use async_graphql::parser::types::OperationType;
use async_graphql::{Request, Response, Value};
use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use futures_util::{FutureExt, StreamExt};
use tokio::time::timeout;

use super::refusal::{Kind, Refusal};
pub use crate::graphql::Frame;
use crate::graphql::{self, Caller, Following};
use crate::telemetry::RequestId;

/// A GraphQL API, as transports see it. Its responses are ready for clients: errors have
/// codes, and reveal nothing about internal causes.
pub trait Api: Send + Sync + 'static {
    /// Carries out a query or mutation.
    fn execute(self: Arc<Self>, request: Request, caller: Caller) -> BoxFuture<'static, Response>;

    /// Carries out a subscription: a frame for each event.
    fn subscribe(self: Arc<Self>, request: Request, caller: Caller, following: Following) -> BoxStream<'static, Frame>;
}

/// Why an operation has no response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// It took longer than this.
    TooLong(Duration),
    /// It panicked.
    Panicked,
}

/// What an operation answers, in order.
pub type Frames = BoxStream<'static, Result<Frame, Failure>>;

/// An operation that was begun. Dropping it ends it.
pub struct Operation {
    /// Whether it goes on until somebody ends it: a subscription.
    pub lasting: bool,
    /// What it answers.
    pub frames: Frames,
}

/// Carries operations out. Cheap to clone.
#[derive(Clone)]
pub struct Operations {
    api: Arc<dyn Api>,
    limit: Duration,
}

impl Operations {
    /// Operations of an API; queries and mutations may take up to `limit`.
    pub fn new(api: Arc<dyn Api>, limit: Duration) -> Self {
        Self { api, limit }
    }

    /// Carries out a query or mutation.
    pub async fn execute(&self, request: Request, caller: Caller) -> Result<Response, Failure> {
        let api = Arc::clone(&self.api);
        let request_id = caller.request_id.clone();
        let running = AssertUnwindSafe(async move { api.execute(request, caller).await }).catch_unwind();
        match timeout(self.limit, running).await {
            Ok(finished) => finished.map_err(|_| panicked(&request_id)),
            Err(_) => Err(Failure::TooLong(self.limit)),
        }
    }

    /// Begins an operation of any kind: one frame for a query or mutation, any number for a subscription.
    pub fn begin(&self, mut request: Request, caller: Caller, following: Following) -> Operation {
        if kind(&mut request) == Some(OperationType::Subscription) {
            return Operation { lasting: true, frames: self.subscribe(request, caller, following) };
        }
        let this = self.clone();
        let once = async move { this.execute(request, caller).await.map(Frame::from) };
        Operation { lasting: false, frames: once.into_stream().boxed() }
    }

    fn subscribe(&self, request: Request, caller: Caller, following: Following) -> Frames {
        let api = Arc::clone(&self.api);
        let request_id = caller.request_id.clone();
        let frames = async move { api.subscribe(request, caller, following) }.flatten_stream();
        AssertUnwindSafe(frames).catch_unwind().map(move |frame| frame.map_err(|_| panicked(&request_id))).boxed()
    }
}

impl Api for graphql::Api {
    fn execute(self: Arc<Self>, request: Request, caller: Caller) -> BoxFuture<'static, Response> {
        async move { Self::execute(&self, request, &caller).await }.boxed()
    }

    fn subscribe(self: Arc<Self>, request: Request, caller: Caller, following: Following) -> BoxStream<'static, Frame> {
        self.stream(request, caller, following).boxed()
    }
}

impl From<Failure> for Refusal {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::TooLong(limit) => {
                Self::new(Kind::Timeout, format!("The operation took longer than {} seconds", limit.as_secs_f32()))
            }
            Failure::Panicked => Self::internal(),
        }
    }
}

fn panicked(request_id: &RequestId) -> Failure {
    tracing::error!(request.id = %request_id, "an operation panicked");
    Failure::Panicked
}

/// The kind of the operation that a request asks for, where its document tells.
pub(super) fn kind(request: &mut Request) -> Option<OperationType> {
    let name = request.operation_name.clone();
    let document = graphql::parse(request).ok()?;
    graphql::operation(document, name.as_deref()).map(|operation| operation.node.ty)
}

/// Whether the request was refused before anything was executed: the document is at fault, and there is no data at all.
pub(super) fn is_refused(response: &Response) -> bool {
    let before_execution = response.errors.iter().all(|error| error.path.is_empty());
    response.data == Value::Null && !response.errors.is_empty() && before_execution
}
