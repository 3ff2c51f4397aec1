//! A small API to carry out operations of: none of it is Bluetick's.

use std::future::{pending, ready};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_graphql::parser::parse_query;
use async_graphql::parser::types::OperationType;
use async_graphql::{Context, Object, Request, Response, Result, Schema, Subscription};
use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use futures_util::{FutureExt, Stream, StreamExt, stream};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::auth::Viewer;
use crate::domain::position::LogPosition;
use crate::graphql::{Caller, Following, Frame, operation};
use crate::http::operation::Api;

/// The API.
pub(super) struct Toy {
    schema: Schema<Query, Mutation, Subscriptions>,
    seen: Seen,
}

/// What can be seen of it from outside.
#[derive(Clone)]
pub(super) struct Seen {
    /// How many fields wait at this moment.
    pub(super) waiting: watch::Sender<usize>,
    /// How often the mutation was carried out.
    pub(super) added: watch::Sender<usize>,
    /// How many large frames were made.
    pub(super) large: Arc<AtomicUsize>,
}

struct Waiting(watch::Sender<usize>);

pub(super) struct Query;
pub(super) struct Mutation;
pub(super) struct Subscriptions;

impl Seen {
    pub(super) fn new() -> Self {
        Self { waiting: watch::channel(0).0, added: watch::channel(0).0, large: Arc::default() }
    }

    fn wait(&self) -> Waiting {
        self.waiting.send_modify(|waiting| *waiting += 1);
        Waiting(self.waiting.clone())
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.send_modify(|waiting| *waiting -= 1);
    }
}

fn seen<'a>(ctx: &Context<'a>) -> &'a Seen {
    ctx.data_unchecked()
}

#[Object]
impl Query {
    async fn hello(&self, name: Option<String>) -> String {
        format!("Hello, {}!", name.unwrap_or_default())
    }

    async fn workspace(&self, ctx: &Context<'_>) -> String {
        ctx.data_unchecked::<Viewer>().workspace.to_string()
    }

    /// Never answers.
    async fn wait(&self, ctx: &Context<'_>) -> bool {
        let _waiting = seen(ctx).wait();
        pending().await
    }

    async fn panics(&self, always: Option<bool>) -> bool {
        assert!(always == Some(false), "of no interest to clients");
        true
    }

    async fn fails(&self) -> Result<bool> {
        ready(Err("failed on purpose".into())).await
    }
}

#[Object]
impl Mutation {
    async fn add(&self, ctx: &Context<'_>) -> usize {
        seen(ctx).added.send_modify(|added| *added += 1);
        *seen(ctx).added.borrow()
    }

    /// Answers once the mutation `add` was carried out this often.
    async fn after(&self, ctx: &Context<'_>, added: usize) -> bool {
        let _waiting = seen(ctx).wait();
        seen(ctx).added.subscribe().wait_for(|now| *now >= added).await.is_ok()
    }
}

#[Subscription]
impl Subscriptions {
    async fn count(&self, to: i32) -> impl Stream<Item = i32> {
        stream::iter(1..=to)
    }

    /// One frame, and then none until the server ends, which gives the last.
    async fn forever(&self, ctx: &Context<'_>) -> impl Stream<Item = bool> {
        let waiting = seen(ctx).wait();
        let ending = ctx.data_unchecked::<CancellationToken>().clone();
        let last = ending.cancelled_owned().map(|()| false).into_stream();
        stream::iter([true]).chain(last).inspect(move |_| {
            let _ = &waiting;
        })
    }

    /// Frames of a quarter of a mebibyte, as fast as they are read.
    async fn large(&self, ctx: &Context<'_>) -> impl Stream<Item = String> {
        let made = Arc::clone(&seen(ctx).large);
        stream::repeat_with(move || {
            made.fetch_add(1, Ordering::SeqCst);
            "x".repeat(256 * 1_024)
        })
    }

    async fn panics(&self) -> impl Stream<Item = bool> {
        stream::iter([true, false]).inspect(|first| assert!(first, "of no interest to clients"))
    }
}

impl Toy {
    pub(super) fn new(seen: Seen) -> Self {
        Self { schema: Schema::new(Query, Mutation, Subscriptions), seen }
    }

    fn prepare(&self, request: Request, caller: &Caller) -> Request {
        request.data(caller.viewer.clone()).data(self.seen.clone())
    }
}

impl Api for Toy {
    fn kind(&self, request: &mut Request) -> Option<OperationType> {
        let document = parse_query(&request.query).ok()?;
        operation(&document, request.operation_name.as_deref()).map(|operation| operation.node.ty)
    }

    fn execute(self: Arc<Self>, request: Request, caller: Caller) -> BoxFuture<'static, Response> {
        async move { self.schema.execute(self.prepare(request, &caller)).await }.boxed()
    }

    fn subscribe(self: Arc<Self>, request: Request, caller: Caller, following: Following) -> BoxStream<'static, Frame> {
        let frames = self.schema.execute_stream(self.prepare(request, &caller).data(following.ending));
        // Each frame's position is the one behind it, from where the client resumes.
        let start = following.resume;
        frames
            .zip(stream::iter(1..))
            .map(move |(response, number)| {
                let position = start.map(|start| LogPosition { revision: start.revision + number, ..start });
                Frame { response, position }
            })
            .boxed()
    }
}
