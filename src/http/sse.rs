//! `/graphql/sse`: GraphQL over server-sent events, one operation per connection (the distinct connections mode of the
//! protocol of `graphql-sse`), for clients behind proxies that dislike WebSocket.
//!
//! What is refused before it is executed is answered as on `/graphql`; everything else is a stream of `next` events that ends
//! with `complete`. An event of `userChanged` or `messageAdded` has an id: a client that comes back with it as
//! `Last-Event-ID`, as browsers do by themselves, continues behind it. A stream that ends without `complete`, as one does that
//! the database's absence interrupts, is to be resumed.

use std::convert::Infallible;
use std::sync::Arc;

use axum::Extension;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, Request as HttpRequest, State};
use axum::http::HeaderMap;
use axum::http::header::{ACCEPT, CACHE_CONTROL, HeaderName, HeaderValue, RETRY_AFTER};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response as HttpResponse};
use futures_util::future::BoxFuture;
use futures_util::{FutureExt, StreamExt, stream};
use serde::Serialize;
use tokio_util::task::task_tracker::TaskTrackerToken;

use super::Services;
use super::authorization;
use super::departure::{Departure, Step};
use super::graphql::{read_body, read_query_string};
use super::negotiation::accepts_event_stream;
use super::operation::{self, Failure, Frames, Operation};
use super::parameters::QueryString;
use super::refusal::{Kind, Refusal, WrittenError};
use super::sockets::{Admission, Full};
use crate::domain::position::LogPosition;
use crate::graphql::{Caller, Following};
use crate::telemetry::RequestId;

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// Tells nginx, and proxies that follow it, to pass events on as they come.
const X_ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// A stream of events.
struct Events {
    frames: Frames,
    lasting: bool,
    /// Whether the last frame told that something was unavailable.
    interrupted: bool,
    request_id: RequestId,
    /// Whether `complete` was sent.
    completed: bool,
    revoked: BoxFuture<'static, ()>,
    departure: Departure,
    /// Counts it among what is open.
    _open: (Admission, TaskTrackerToken),
}

/// The response to an operation that failed as a whole.
#[derive(Serialize)]
struct ErrorsOnly {
    errors: [WrittenError; 1],
}

/// `POST /graphql/sse`.
pub(super) async fn post(
    State(services): State<Arc<Services>>,
    Extension(request_id): Extension<RequestId>,
    headers: HeaderMap,
    request: HttpRequest,
) -> Result<HttpResponse, Refusal> {
    accept(&headers)?;
    let token = authorization::token(&headers).map(str::to_owned);
    let viewer = authorization::viewer_of_stream(&services.tokens, token.as_deref()).await?;
    let request = read_body(&services, &headers, request).await?;
    open(&services, &headers, request, (Caller { viewer, request_id }, token))
}

/// `GET /graphql/sse`.
pub(super) async fn get(
    State(services): State<Arc<Services>>,
    Extension(request_id): Extension<RequestId>,
    headers: HeaderMap,
    query: Result<Query<QueryString>, QueryRejection>,
) -> Result<HttpResponse, Refusal> {
    accept(&headers)?;
    // A browser's EventSource cannot send a header.
    let in_address = query.as_ref().ok().and_then(|query| query.stream_token());
    let token = authorization::token(&headers).or(in_address).map(str::to_owned);
    let viewer = authorization::viewer_of_stream(&services.tokens, token.as_deref()).await?;
    let request = read_query_string(&services, query)?;
    open(&services, &headers, request, (Caller { viewer, request_id }, token))
}

fn accept(headers: &HeaderMap) -> Result<(), Refusal> {
    if accepts_event_stream(headers) {
        return Ok(());
    }
    Err(Refusal::new(Kind::NotAcceptable, format!("{ACCEPT} must allow text/event-stream")))
}

fn open(
    services: &Services,
    headers: &HeaderMap,
    request: async_graphql::Request,
    (caller, token): (Caller, Option<String>),
) -> Result<HttpResponse, Refusal> {
    let resume = last_event_id(headers)?;
    let mut admission = services.sockets.admit()?;
    admission.count_for(caller.viewer.token)?;
    let departure = Departure::new(&services.shutdown);
    let (request_id, viewer) = (caller.request_id.clone(), caller.viewer.clone());
    let following = Following { resume, ending: departure.ending() };
    let Operation { lasting, frames } = services.operations.begin(request, caller, following);
    let token = token.unwrap_or_default();
    let revoked = authorization::revoked(services.tokens.clone(), token, viewer, services.websocket.recheck).boxed();
    let open = (admission, services.shutdown.open_socket());
    let events =
        Events { frames, lasting, interrupted: false, request_id, completed: false, revoked, departure, _open: open };
    let events = stream::unfold(events, async |mut events| {
        let event = events.next().await?;
        Some((Ok::<_, Infallible>(event), events))
    });
    let keep_alive = KeepAlive::new().interval(services.websocket.keep_alive);
    let head =
        [(CACHE_CONTROL, HeaderValue::from_static("no-store")), (X_ACCEL_BUFFERING, HeaderValue::from_static("no"))];
    Ok((head, Sse::new(events).keep_alive(keep_alive)).into_response())
}

/// Where the client left off. An empty id is that of a client that has been given none.
fn last_event_id(headers: &HeaderMap) -> Result<Option<LogPosition>, Refusal> {
    let Some(id) = headers.get(LAST_EVENT_ID).filter(|id| !id.is_empty()) else { return Ok(None) };
    let position = id.to_str().ok().and_then(|id| id.parse().ok());
    let refusal = || Refusal::new(Kind::BadRequest, "Last-Event-ID is not the id of an event of this server");
    position.map(Some).ok_or_else(refusal)
}

impl Events {
    /// The next event; `None` at the end of the stream.
    async fn next(&mut self) -> Option<Event> {
        loop {
            if self.completed {
                return None;
            }
            tokio::select! {
                frame = self.frames.next() => return self.event(frame),
                () = &mut self.revoked => return None,
                step = self.departure.step() => {
                    if step == Step::Overdue && self.lasting {
                        return None;
                    }
                }
            }
        }
    }

    fn event(&mut self, frame: Option<Result<operation::Frame, Failure>>) -> Option<Event> {
        match frame {
            Some(Ok(frame)) => {
                self.interrupted = frame.is_interruption();
                let event = next(&frame.response);
                Some(match frame.position {
                    Some(position) => event.id(position.to_string()),
                    None => event,
                })
            }
            Some(Err(failure)) => {
                self.frames = stream::empty().boxed();
                Some(next(&ErrorsOnly { errors: [Refusal::from(failure).error(&self.request_id)] }))
            }
            // It is not complete: the client comes back, and resumes behind what it saw last.
            None if self.lasting && (self.interrupted || self.departure.has_begun()) => None,
            None => {
                self.completed = true;
                // Browsers pass an event on only if it has data.
                Some(Event::default().event("complete").data("null"))
            }
        }
    }
}

fn next(response: &impl Serialize) -> Event {
    // What is written here has string keys and finite numbers, so it always can be.
    Event::default().event("next").data(serde_json::to_string(response).unwrap_or_default())
}

impl From<Full> for Refusal {
    fn from(full: Full) -> Self {
        let kind = if full.of_token { Kind::TooManyRequests } else { Kind::Unavailable };
        Self::new(kind, full.to_string()).with_header(RETRY_AFTER, full.wait.as_secs().into())
    }
}
