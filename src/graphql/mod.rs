//! The GraphQL API: what frontends, scripts and operators read, change and follow.
//!
//! The schema is the code's: types, arguments and their descriptions are the Rust items in `types`, `input`, `query`,
//! `mutation` and `subscription`, one file per noun, and `schema.graphql` is what they print. Reads go from a resolver to a
//! loader to storage; writes go to the recorder or to dispatch.
//!
//! Three things decide what a query costs. **Objects are lazy**: one that is referred to is its id until a field needs more
//! (`lazy`). **Every edge goes through a loader** (`loader`, `loaders`), so that what fifty users ask for is one statement;
//! batches are whole only where all siblings are polled in one turn, which is why requests run outside tokio's cooperative
//! budget. **Counting is a field**, not a part of a page (`connection`), and what the tally knows is summed there.
//!
//! Loaders remember, so each request gets its own, and so does each payload of a mutation and each frame of a subscription
//! (`fresh`); what a frame shows is resolved once for all equal subscriptions (`shared`). Errors carry their causes to one place, which gives them codes, logs faults and hides their causes (`error`).
//! What a request asks for is bounded and validated before anything is carried out (`document`), and its response's size after (`weight`).
//! What is wrong with an argument is reported with its place (`given`, `place`); what a mutation rejects is data (`user_error`).
//!
//! This module may import everything but `http`, `app` and `cli`. It knows nothing of
//! HTTP: [`Api::execute`] and [`Api::stream`] take a request and whoever sends it.

mod budget;
mod connection;
mod context;
mod document;
mod error;
mod fresh;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod given;
mod input;
mod items;
mod lazy;
mod loader;
mod loaders;
mod mutation;
mod place;
mod query;
mod scalars;
mod shared;
mod subscription;
#[cfg(test)]
mod tests;
mod types;
mod user_error;
mod weight;

use std::num::NonZeroU32;
use std::pin::pin;
use std::sync::{Arc, PoisonError};

use async_graphql::parser::types::OperationType;
use async_graphql::{PathSegment, Request, Response, SDLExportOptions, ServerError, ValidationMode, Value, value};
use futures_util::stream::{self, BoxStream};
use futures_util::{Stream, StreamExt};

use self::budget::{Budget, Budgets};
use self::context::RequestContext;
pub use self::context::{Backend, Caller, Following};
use self::document::{Admitted, Documents};
pub use self::document::{DocumentsError, TrustedError, operation};
pub use self::error::{Code, INTERNAL_MESSAGE, UNAVAILABLE_MESSAGE};
use self::loaders::Loaders;
use self::shared::{SharedFrames, Sharing};
use self::weight::Weight;
use crate::config::GraphqlSettings;
use crate::domain::position::LogPosition;
use crate::telemetry::metrics;

/// The schema. It holds no data, so it can be made without a database.
pub(crate) type Schema = async_graphql::Schema<query::Query, mutation::Mutation, subscription::Subscription>;

/// One response of an operation.
#[derive(Debug)]
pub struct Frame {
    /// The response.
    pub response: Response,
    /// The place in a version's log behind it, from where a subscription of changes can be resumed.
    pub position: Option<LogPosition>,
}

/// The API: the schema and its backend. Cheap to clone.
#[derive(Clone)]
pub struct Api {
    schema: Schema,
    /// The same without the executor's validation, for what is settled without it.
    trusting: Schema,
    documents: Documents,
    backend: Backend,
    frames: SharedFrames,
    budgets: Option<Arc<Budgets>>,
}

impl Api {
    /// The API on a backend, within limits.
    pub fn new(backend: Backend, limits: GraphqlSettings) -> Result<Self, DocumentsError> {
        let budgets = NonZeroU32::new(limits.cost_per_minute).map(|cost| Arc::new(Budgets::new(cost)));
        let documents = Documents::new(&sdl(), limits)?;
        let (schema, trusting) = (schema(ValidationMode::Strict), schema(ValidationMode::Fast));
        Ok(Self { schema, trusting, documents, backend, frames: SharedFrames::new(), budgets })
    }

    /// The kind of operation that a request asks for, where its document tells.
    pub fn kind(&self, request: &mut Request) -> Option<OperationType> {
        self.documents.kind(request)
    }

    /// Answers a query or a mutation. Every error of the response has its `extensions.code`, and `extensions.cost` tells how
    /// many objects were asked for and came. What the token has left to spend is told in the response's headers.
    pub async fn execute(&self, request: Request, caller: &Caller) -> Response {
        let response = match self.prepare(request, caller, None) {
            Ok(prepared) => self.execute_prepared(prepared).await,
            Err(response) => *response,
        };
        error::finish(response, &caller.request_id)
    }

    async fn execute_prepared(&self, Prepared { request, admitted, budget }: Prepared) -> Response {
        // Resolvers load in batches, and a batch is whole where all siblings are polled in one turn. tokio's budget would
        // end the turn after 128 locks, which a page of fifty users with three edges each exceeds.
        let response = tokio::task::unconstrained(self.schema_for(admitted).execute(request)).await;
        let cost = |weight: Weight| {
            Some(value!({ "requested": admitted.measure.cost, "actual": weight.objects.saturating_sub(1) }))
        };
        with_budget(self.weigh(response, cost), budget)
    }

    /// Answers any operation: a subscription with a frame for each event until it ends, anything else with one. Every error
    /// has its `extensions.code`. Dropping the stream ends the operation.
    pub fn stream(
        &self,
        request: Request,
        caller: Caller,
        following: Following,
    ) -> impl Stream<Item = Frame> + Send + use<> {
        let mut context = RequestContext::new(caller.clone(), self.backend.clone());
        context.following = following;
        let position = Arc::clone(&context.position);
        let responses = match self.prepare(request, &caller, Some(context)) {
            Ok(Prepared { request, admitted, .. }) => {
                unconstrained(self.schema_for(admitted).execute_stream(request)).boxed()
            }
            Err(response) => stream::iter([*response]).boxed(),
        };
        let api = self.clone();
        let frames = responses.map(move |response| {
            let position = position.lock().unwrap_or_else(PoisonError::into_inner).take();
            let response = error::finish(api.weigh(response, |_| None), &caller.request_id);
            let mut frame = Frame { response, position: None };
            // Behind what could not be told nobody resumes.
            frame.position = position.filter(|_| !frame.is_last());
            frame
        });
        subscription::until(frames, Frame::is_last)
    }

    /// Reads the document and attaches what resolvers need; what cannot be carried out is answered immediately. Where the
    /// response is a stream, its context is given.
    fn prepare(
        &self,
        mut request: Request,
        caller: &Caller,
        streaming: Option<RequestContext>,
    ) -> Result<Prepared, Box<Response>> {
        let admitted = self.documents.admit(&mut request, streaming.is_some());
        let admitted = admitted.map_err(|errors| Box::new(Response::from_errors(errors)))?;
        let cost = admitted.measure.cost;
        metrics::cost(cost);
        let budget = self.budgets.as_ref().map(|budgets| budgets.spend(caller.viewer.token, cost));
        if let Some(error) = budget.and_then(Budget::refusal) {
            return Err(Box::new(with_budget(Response::from_errors(vec![error]), budget)));
        }
        let context = match streaming {
            Some(mut context) => {
                let key = Sharing::key(&request, &caller.viewer);
                context.sharing = Some(Sharing { frames: self.frames.clone(), key });
                context
            }
            None => RequestContext::new(caller.clone(), self.backend.clone()),
        };
        let loaders = Loaders::new(context.tenant.clone());
        Ok(Prepared { request: request.data(context).data(loaders), admitted, budget })
    }

    const fn schema_for(&self, admitted: Admitted) -> &Schema {
        if admitted.settled { &self.trusting } else { &self.schema }
    }

    /// The response, unless it is too large to be sent; with its cost, where that is told.
    fn weigh(&self, mut response: Response, cost: impl FnOnce(Weight) -> Option<Value>) -> Response {
        let weight = Weight::of(&response.data);
        if let Err(exceeded) = self.documents.check_size(weight) {
            // It was carried out, unlike what is refused: the error stands where the data would.
            let field = match &response.data {
                Value::Object(fields) => fields.keys().next().map(|name| PathSegment::Field(name.to_string())),
                _ => None,
            };
            return Response::from_errors(vec![ServerError::from(exceeded).with_path(field.into_iter().collect())]);
        }
        response.extensions.extend(cost(weight).map(|cost| ("cost".to_owned(), cost)));
        response
    }
}

/// A request that may be carried out.
struct Prepared {
    request: Request,
    admitted: Admitted,
    budget: Option<Budget>,
}

/// The response, with what the token has left to spend in its head.
fn with_budget(mut response: Response, budget: Option<Budget>) -> Response {
    for (name, value) in budget.into_iter().flat_map(Budget::headers) {
        if let Ok(value) = value.parse() {
            response.http_headers.insert(name, value);
        }
    }
    response
}

impl Frame {
    /// Whether a subscription ends with it: a change that could not be told, or not all of it for the moment, must not be
    /// followed by the next one.
    fn is_last(&self) -> bool {
        self.response.data == Value::Null || self.is_interruption()
    }

    /// Whether something was unavailable for the moment: whoever comes back later finds it.
    pub fn is_interruption(&self) -> bool {
        self.response.errors.iter().any(|error| Code::Unavailable.is_of(error))
    }
}

impl From<Response> for Frame {
    fn from(response: Response) -> Self {
        Self { response, position: None }
    }
}

/// The schema, with as much of the executor's own validation.
pub(crate) fn schema(validation: ValidationMode) -> Schema {
    Schema::build(query::Query::default(), mutation::Mutation::default(), subscription::Subscription::default())
        .validation_mode(validation)
        .finish()
}

/// The schema in GraphQL's own language: types by name, fields and enum values as they are declared. It ends with a newline.
pub fn sdl() -> String {
    let options = SDLExportOptions::new().use_space_ident().prefer_single_line_descriptions().include_specified_by();
    schema(ValidationMode::Strict).sdl_with_options(options).trim_end().to_owned() + "\n"
}

/// The stream, each of its items computed outside tokio's cooperative budget; see [`Api::execute`].
fn unconstrained(mut stream: BoxStream<'static, Response>) -> impl Stream<Item = Response> + Send {
    stream::poll_fn(move |context| pin!(tokio::task::unconstrained(stream.next())).poll(context))
}
