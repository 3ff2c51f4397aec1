//! Carries GraphQL operations out, for whatever transport: one response for a query or mutation, frames for a subscription.
//!
//! Every operation is its caller's: dropping the future or the stream ends it. A query or mutation ends after a set time
//! too. A panic ends the operation that it happened in, and nothing else.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_graphql::parser::types::OperationType;
use async_graphql::{Request, Response, Value};
use axum::http::header::{HeaderValue, RETRY_AFTER};
use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use futures_util::{FutureExt, StreamExt};
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tracing::Instrument;

use super::refusal::{Kind, Refusal};
use crate::config::HttpSettings;
pub use crate::graphql::Frame;
use crate::graphql::{self, Caller, Following};
use crate::telemetry::metrics::{self, Outcome};
use crate::telemetry::{RequestId, traces};

/// A GraphQL API, as transports see it. Its responses are ready for clients: errors have
/// codes, and reveal nothing about internal causes.
pub trait Api: Send + Sync + 'static {
    /// The kind of operation that a request asks for, where its document tells.
    fn kind(&self, request: &mut Request) -> Option<OperationType>;

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
    /// As many as may be are being carried out.
    Busy,
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
    /// What takes longer is logged.
    slow: Duration,
    /// One for each query or mutation that may be carried out at once.
    places: Arc<Semaphore>,
}

impl Operations {
    /// Operations of an API. Of queries and mutations so many go on at once, each for so long at most.
    pub fn new(api: Arc<dyn Api>, settings: &HttpSettings) -> Self {
        let places = Arc::new(Semaphore::new(settings.concurrent_operations.get()));
        Self { api, limit: settings.request_timeout, slow: settings.slow_operation, places }
    }

    /// The kind of operation that a request asks for, where its document tells.
    pub fn kind(&self, request: &mut Request) -> Option<OperationType> {
        self.api.kind(request)
    }

    /// Carries out a query or mutation.
    pub async fn execute(&self, request: Request, caller: Caller) -> Result<Response, Failure> {
        let (begun, name, request_id) = (Instant::now(), request.operation_name.clone(), caller.request_id.clone());
        let span = traces::operation();
        let ended = self.run(request, caller).instrument(span.clone()).await;
        let (took, outcome) = (begun.elapsed(), outcome(&ended));
        traces::operated(&span, name.as_deref().filter(|_| outcome != Outcome::Refused), outcome.word());
        metrics::operation(name.as_deref(), outcome, took);
        if took > self.slow {
            let millis = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
            tracing::warn!(request.id = %request_id, graphql.operation = name, took.ms = millis, "a slow operation");
        }
        ended
    }

    async fn run(&self, request: Request, caller: Caller) -> Result<Response, Failure> {
        let _place = self.places.try_acquire().map_err(|_| Failure::Busy)?;
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
        if self.kind(&mut request) == Some(OperationType::Subscription) {
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
    fn kind(&self, request: &mut Request) -> Option<OperationType> {
        Self::kind(self, request)
    }

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
            Failure::Busy => {
                let message = "The server carries out as many operations as it can; try again in a second";
                Self::new(Kind::Unavailable, message).with_header(RETRY_AFTER, HeaderValue::from_static("1"))
            }
        }
    }
}

fn outcome(ended: &Result<Response, Failure>) -> Outcome {
    match ended {
        Ok(response) if is_refused(response) => Outcome::Refused,
        Ok(response) if response.errors.is_empty() => Outcome::Ok,
        Ok(_) => Outcome::Errors,
        Err(Failure::TooLong(_)) => Outcome::Timeout,
        Err(Failure::Panicked) => Outcome::Panicked,
        Err(Failure::Busy) => Outcome::Busy,
    }
}

fn panicked(request_id: &RequestId) -> Failure {
    tracing::error!(request.id = %request_id, "an operation panicked");
    Failure::Panicked
}

/// Whether the request was refused before anything was executed: the document is at fault, and there is no data at all.
pub(super) fn is_refused(response: &Response) -> bool {
    let before_execution = response.errors.iter().all(|error| error.path.is_empty());
    response.data == Value::Null && !response.errors.is_empty() && before_execution
}
