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
//! What is wrong with an argument is reported with its place (`given`, `place`); what a mutation rejects is data (`user_error`).
//!
//! This module may import everything but `http`, `app` and `cli`. It knows nothing of
//! HTTP: [`Api::execute`] and [`Api::stream`] take a request and whoever sends it.

mod connection;
mod context;
mod document;
mod error;
mod fresh;
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

use std::pin::pin;
use std::sync::{Arc, PoisonError};

use async_graphql::{Request, Response, SDLExportOptions, Value};
use futures_util::stream::{self, BoxStream};
use futures_util::{Stream, StreamExt};

use self::context::RequestContext;
pub use self::context::{Backend, Caller, Following};
use self::document::check_subscription;
pub use self::document::{operation, parse};
pub use self::error::{Code, INTERNAL_MESSAGE, UNAVAILABLE_MESSAGE};
use self::loaders::Loaders;
use self::shared::{SharedFrames, Sharing};
use crate::domain::position::LogPosition;

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
    backend: Backend,
    frames: SharedFrames,
}

impl Api {
    /// The API on a backend.
    pub fn new(backend: Backend) -> Self {
        Self { schema: schema(), backend, frames: SharedFrames::new() }
    }

    /// Answers a query or a mutation. Every error of the response has its `extensions.code`.
    pub async fn execute(&self, request: Request, caller: &Caller) -> Response {
        let response = match self.prepare(request, caller, None) {
            // Resolvers load in batches, and a batch is whole where all siblings are polled in one turn. tokio's budget
            // would end the turn after 128 locks, which a page of fifty users with three edges each exceeds.
            Ok(request) => tokio::task::unconstrained(self.schema.execute(request)).await,
            Err(response) => *response,
        };
        error::finish(response, &caller.request_id)
    }

    /// Answers any operation: a subscription with a frame for each event until it ends, anything else with one. Every error
    /// has its `extensions.code`. Dropping the stream ends the operation.
    pub fn stream(
        &self,
        request: Request,
        caller: Caller,
        following: Following,
    ) -> impl Stream<Item = Frame> + Send + use<> {
        let mut context = RequestContext::new(caller.viewer, self.backend.clone());
        context.following = following;
        let position = Arc::clone(&context.position);
        let responses = match self.prepare(request, &caller, Some(context)) {
            Ok(request) => unconstrained(self.schema.execute_stream(request)).boxed(),
            Err(response) => stream::iter([*response]).boxed(),
        };
        let frames = responses.map(move |response| {
            let position = position.lock().unwrap_or_else(PoisonError::into_inner).take();
            let response = error::finish(response, &caller.request_id);
            let mut frame = Frame { response, position: None };
            // Behind what could not be told nobody resumes.
            frame.position = position.filter(|_| !frame.is_last());
            frame
        });
        subscription::until(frames, Frame::is_last)
    }

    /// Parses the document and attaches what resolvers need; a document that is not GraphQL is answered immediately. Where
    /// the response is a stream, its context is given.
    fn prepare(
        &self,
        mut request: Request,
        caller: &Caller,
        streaming: Option<RequestContext>,
    ) -> Result<Request, Box<Response>> {
        let operation_name = request.operation_name.clone();
        let parsed = parse(&mut request);
        let checked = |document| check_subscription(document, operation_name.as_deref(), streaming.is_some());
        if let Err(error) = parsed.and_then(checked) {
            return Err(Box::new(Response::from_errors(vec![error])));
        }
        let context = match streaming {
            Some(mut context) => {
                let key = Sharing::key(&request, &caller.viewer);
                context.sharing = Some(Sharing { frames: self.frames.clone(), key });
                context
            }
            None => RequestContext::new(caller.viewer, self.backend.clone()),
        };
        let loaders = Loaders::new(context.tenant.clone());
        Ok(request.data(context).data(loaders))
    }
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

/// The schema.
pub(crate) fn schema() -> Schema {
    Schema::build(query::Query::default(), mutation::Mutation::default(), subscription::Subscription::default())
        .finish()
}

/// The schema in GraphQL's own language: types by name, fields and enum values as they are declared. It ends with a newline.
pub fn sdl() -> String {
    let options = SDLExportOptions::new().use_space_ident().prefer_single_line_descriptions().include_specified_by();
    schema().sdl_with_options(options).trim_end().to_owned() + "\n"
}

/// The stream, each of its items computed outside tokio's cooperative budget; see [`Api::execute`].
fn unconstrained(mut stream: BoxStream<'static, Response>) -> impl Stream<Item = Response> + Send {
    stream::poll_fn(move |context| pin!(tokio::task::unconstrained(stream.next())).poll(context))
}
