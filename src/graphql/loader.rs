//! Batching: fields that ask for the same kind of thing at the same moment share one statement.
//!
//! The crate `dataloader` yields once to the executor before it loads, so that every field resolved in the same turn has
//! put its key in; there is no timer in the latency. Its values carry the outcome, since its batch function cannot fail.
//! Whoever drives a batch may be dropped half-way, when a sibling field fails; the keys it took with it are then answered
//! with an error, and asked for again here.

use std::collections::HashMap;
use std::fmt::Debug;
use std::hash::Hash;

use dataloader::{BatchFn, cached};
use futures_util::future::{BoxFuture, try_join_all};

use super::error::{ApiError, Result};
use crate::storage::{Found, StorageError, Tenant};

/// Loads values by key, each once.
pub(crate) struct Loader<K: Key, V: Value>(cached::Loader<K, Result<Option<V>>, Batch<K, V>>);

/// What a value is loaded by.
pub(crate) trait Key: Eq + Hash + Clone + Debug + Send + Sync + 'static {}

/// What is loaded; cheap to clone.
pub(crate) trait Value: Clone + Send + Sync + 'static {}

/// How the values of many keys are found.
type Fetch<K, V> = dyn Fn(Vec<K>) -> BoxFuture<'static, Found<K, V>> + Send;

struct Batch<K, V>(Box<Fetch<K, V>>);

/// More keys than this go in several statements. It is beyond what a query asks for in one turn and below what a
/// statement's parameters hold.
const LARGEST_BATCH: usize = 10_000;

/// How often a key is asked for again whose batch was dropped.
const ATTEMPTS: usize = 8;

impl<K: Key, V: Value> Loader<K, V> {
    /// A loader that has loaded nothing yet.
    pub(crate) fn new(fetch: impl Fn(Vec<K>) -> BoxFuture<'static, Found<K, V>> + Send + 'static) -> Self {
        let loader = cached::Loader::new(Batch(Box::new(fetch)));
        Self(loader.with_yield_count(1).with_max_batch_size(LARGEST_BATCH))
    }

    /// The value of a key; `None` where there is none.
    pub(crate) async fn load(&self, key: K) -> Result<Option<V>> {
        for _ in 0..ATTEMPTS {
            if let Ok(outcome) = self.0.try_load(key.clone()).await {
                return outcome;
            }
        }
        Err(ApiError::broken("a key's batch was dropped again and again"))
    }
}

impl<T: Eq + Hash + Clone + Debug + Send + Sync + 'static> Key for T {}

impl<T: Clone + Send + Sync + 'static> Value for T {}

impl<K: Key, V: Value> BatchFn<K, Result<Option<V>>> for Batch<K, V> {
    async fn load(&mut self, keys: &[K]) -> HashMap<K, Result<Option<V>>> {
        match (self.0)(keys.to_vec()).await {
            Ok(mut found) => keys.iter().map(|key| (key.clone(), Ok(found.remove(key)))).collect(),
            Err(error) => {
                let error = ApiError::from(error);
                keys.iter().map(|key| (key.clone(), Err(error.clone()))).collect()
            }
        }
    }
}

/// Loads what is asked for of many parents with arguments: parents with equal arguments share one statement.
pub(crate) async fn grouped<P: Key, A: Key, V, F: Future<Output = Found<P, V>>>(
    tenant: &Tenant,
    keys: Vec<(P, A)>,
    fetch: impl Fn(Tenant, Vec<P>, A) -> F,
) -> Found<(P, A), V> {
    let mut groups: HashMap<A, Vec<P>> = HashMap::new();
    for (parent, arguments) in keys {
        groups.entry(arguments).or_default().push(parent);
    }
    let fetch = &fetch;
    let loads = groups.into_iter().map(|(arguments, parents)| async move {
        let found = fetch(tenant.clone(), parents, arguments.clone()).await?;
        Ok::<_, StorageError>(found.into_iter().map(move |(parent, value)| ((parent, arguments.clone()), value)))
    });
    Ok(try_join_all(loads).await?.into_iter().flatten().collect())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use async_graphql::{Context, EmptyMutation, EmptySubscription, Object, Request, Schema};

    use super::*;

    #[derive(Default)]
    struct Count(AtomicUsize);

    struct Set {
        a: Loader<usize, usize>,
        b: Loader<usize, usize>,
        c: Loader<usize, usize>,
        d: Loader<usize, usize>,
    }

    fn loader(count: &Arc<Count>) -> Loader<usize, usize> {
        let count = count.clone();
        Loader::new(move |keys| {
            count.0.fetch_add(1, Ordering::Relaxed);
            Box::pin(async move {
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
                Ok(keys.into_iter().map(|key| (key, key)).collect())
            })
        })
    }

    struct Query;
    struct Parent(usize);
    struct Child(usize);

    #[Object]
    impl Query {
        async fn parents(&self, count: usize) -> Vec<Parent> {
            (0..count).map(Parent).collect()
        }
    }

    #[Object]
    impl Parent {
        async fn a(&self, ctx: &Context<'_>) -> Child {
            Child(ctx.data_unchecked::<Set>().a.load(self.0).await.unwrap().unwrap())
        }
        async fn b(&self, ctx: &Context<'_>) -> Child {
            Child(ctx.data_unchecked::<Set>().b.load(self.0).await.unwrap().unwrap())
        }
        async fn c(&self, ctx: &Context<'_>) -> Child {
            Child(ctx.data_unchecked::<Set>().c.load(self.0).await.unwrap().unwrap())
        }
    }

    #[Object]
    impl Child {
        async fn d(&self, ctx: &Context<'_>) -> usize {
            ctx.data_unchecked::<Set>().d.load(self.0).await.unwrap().unwrap()
        }
    }

    async fn run(query: &'static str, free: bool) -> (usize, usize) {
        let counts = [Arc::new(Count::default()), Arc::new(Count::default())];
        let set = Set { a: loader(&counts[0]), b: loader(&counts[0]), c: loader(&counts[0]), d: loader(&counts[1]) };
        let schema = Schema::new(Query, EmptyMutation, EmptySubscription);
        let request = Request::new(query).data(set);
        let work = async move { schema.execute(request).await };
        let response =
            tokio::spawn(async move { if free { tokio::task::unconstrained(work).await } else { work.await } })
                .await
                .unwrap();
        assert!(response.is_ok(), "{response:?}");
        (counts[0].0.load(Ordering::Relaxed), counts[1].0.load(Ordering::Relaxed))
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn probe() {
        for query in [
            "{ parents(count: 50) { a { d } } }",
            "{ parents(count: 200) { a { d } } }",
            "{ parents(count: 50) { a { d } b { d } c { d } } }",
            "{ parents(count: 200) { a { d } b { d } c { d } } }",
        ] {
            for free in [false, true] {
                println!("{query} free={free} {:?}", run(query, free).await);
            }
        }
    }
}
