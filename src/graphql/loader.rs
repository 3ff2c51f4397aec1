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
use crate::storage::{Found, StorageError};
use crate::telemetry::metrics;

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
const MAX_BATCH_SIZE: usize = 10_000;

/// How often a key is asked for again whose batch was dropped.
const MAX_ATTEMPTS: usize = 8;

impl<K: Key, V: Value> Loader<K, V> {
    /// A loader that has loaded nothing yet.
    pub(crate) fn new(fetch: impl Fn(Vec<K>) -> BoxFuture<'static, Found<K, V>> + Send + 'static) -> Self {
        let loader = cached::Loader::new(Batch(Box::new(fetch)));
        Self(loader.with_yield_count(1).with_max_batch_size(MAX_BATCH_SIZE))
    }

    /// Remembers a value that was found on another way.
    pub(crate) async fn prime(&self, key: K, value: V) {
        self.0.prime(key, Ok(Some(value))).await;
    }

    /// The value of a key; `None` if there is none.
    pub(crate) async fn load(&self, key: K) -> Result<Option<V>> {
        for _ in 0..MAX_ATTEMPTS {
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
        metrics::loaded(keys.len());
        match (self.0)(keys.to_vec()).await {
            Ok(mut found) => keys.iter().map(|key| (key.clone(), Ok(found.remove(key)))).collect(),
            Err(error) => {
                let error = ApiError::from(error);
                keys.iter().map(|key| (key.clone(), Err(error.clone()))).collect()
            }
        }
    }
}

/// Loads something of many parents, with arguments: parents with equal arguments share one statement.
pub(crate) async fn grouped<P: Key, A: Key, V, F: Future<Output = Found<P, V>>>(
    keys: Vec<(P, A)>,
    fetch: impl Fn(Vec<P>, A) -> F,
) -> Found<(P, A), V> {
    let mut groups: HashMap<A, Vec<P>> = HashMap::new();
    for (parent, arguments) in keys {
        groups.entry(arguments).or_default().push(parent);
    }
    let fetch = &fetch;
    let loads = groups.into_iter().map(|(arguments, parents)| async move {
        let found = fetch(parents, arguments.clone()).await?;
        Ok::<_, StorageError>(found.into_iter().map(move |(parent, value)| ((parent, arguments.clone()), value)))
    });
    Ok(try_join_all(loads).await?.into_iter().flatten().collect())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use async_graphql::{Context, EmptyMutation, EmptySubscription, Object, Request, Schema};
    use futures_util::FutureExt;

    use super::*;

    struct Query;
    struct Parent(usize);
    struct Child(usize);

    struct Set {
        first: Loader<usize, usize>,
        second: Loader<usize, usize>,
        third: Loader<usize, usize>,
        deeper: Loader<usize, usize>,
    }

    #[Object]
    impl Query {
        async fn parents(&self, count: usize) -> Vec<Parent> {
            (0..count).map(Parent).collect()
        }
    }

    #[Object]
    impl Parent {
        async fn first(&self, ctx: &Context<'_>) -> Result<Child> {
            Ok(Child(ctx.data_unchecked::<Set>().first.load(self.0).await?.unwrap()))
        }

        async fn second(&self, ctx: &Context<'_>) -> Result<Child> {
            Ok(Child(ctx.data_unchecked::<Set>().second.load(self.0).await?.unwrap()))
        }

        async fn third(&self, ctx: &Context<'_>) -> Result<Child> {
            Ok(Child(ctx.data_unchecked::<Set>().third.load(self.0).await?.unwrap()))
        }
    }

    #[Object]
    impl Child {
        async fn deeper(&self, ctx: &Context<'_>) -> Result<usize> {
            Ok(ctx.data_unchecked::<Set>().deeper.load(self.0).await?.unwrap())
        }
    }

    /// A loader that finds every key itself after a turn, and counts its batches.
    fn counting(batches: &Arc<AtomicUsize>) -> Loader<usize, usize> {
        let batches = batches.clone();
        Loader::new(move |keys| {
            batches.fetch_add(1, Ordering::Relaxed);
            async move {
                tokio::task::yield_now().await;
                Ok(keys.into_iter().map(|key| (key, key)).collect())
            }
            .boxed()
        })
    }

    async fn batches_of(query: &str) -> (usize, usize) {
        let counts = [Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0))];
        let [edges, deeper] = &counts;
        let set =
            Set { first: counting(edges), second: counting(edges), third: counting(edges), deeper: counting(deeper) };
        let schema = Schema::new(Query, EmptyMutation, EmptySubscription);
        let response = tokio::task::unconstrained(schema.execute(Request::new(query).data(set))).await;
        assert_eq!(response.errors, []);
        (edges.load(Ordering::Relaxed), deeper.load(Ordering::Relaxed))
    }

    #[tokio::test]
    async fn siblings_share_one_batch_whatever_their_number() {
        for count in [1, 50, 200, 2_000] {
            let query = format!("{{ parents(count: {count}) {{ first {{ deeper }} }} }}");
            assert_eq!(batches_of(&query).await, (1, 1), "{count}");
        }
    }

    #[tokio::test]
    async fn edges_side_by_side_do_not_split_each_others_batches() {
        for count in [50, 200] {
            let query = format!(
                "{{ parents(count: {count}) {{ first {{ deeper }} second {{ deeper }} third {{ deeper }} }} }}"
            );
            let (edges, deeper) = batches_of(&query).await;
            assert_eq!(edges, 3, "{count}");
            assert!(deeper <= 3, "{count}: {deeper}");
        }
    }

    #[tokio::test]
    async fn keys_of_a_dropped_batch_are_loaded_for_whoever_still_waits() {
        let batches = Arc::new(AtomicUsize::new(0));
        let loader = counting(&batches);
        let (mut dropped, mut kept) = (Box::pin(loader.load(1)), Box::pin(loader.load(2)));
        // Both put their keys in; then the first drives the batch and is dropped before it comes back.
        assert!(futures_util::poll!(&mut dropped).is_pending() && futures_util::poll!(&mut kept).is_pending());
        assert!(futures_util::poll!(&mut dropped).is_pending());
        drop(dropped);
        assert_eq!(kept.await.unwrap(), Some(2));
        assert_eq!(batches.load(Ordering::Relaxed), 2);
    }

    #[tokio::test]
    async fn a_key_that_is_not_there_is_none_and_a_failed_batch_fails_all_its_keys() {
        let empty: Loader<usize, usize> = Loader::new(|_| async { Ok(HashMap::new()) }.boxed());
        assert_eq!(empty.load(1).await.unwrap(), None);
        let broken: Loader<usize, usize> = Loader::new(|_| async { Err(StorageError::Corrupt("row")) }.boxed());
        let (one, other) = tokio::join!(broken.load(1), broken.load(2));
        assert!(matches!((one, other), (Err(ApiError::Internal(_)), Err(ApiError::Internal(_)))));
    }

    #[tokio::test]
    async fn parents_with_equal_arguments_are_asked_for_together() {
        let asked = std::sync::Mutex::new(Vec::new());
        let keys = vec![(1, 'a'), (2, 'b'), (3, 'a')];
        let found = grouped(keys, |mut parents: Vec<i32>, argument| {
            parents.sort_unstable();
            asked.lock().unwrap().push((argument, parents.clone()));
            async move { Ok(parents.into_iter().map(|parent| (parent, parent * 10)).collect()) }
        });
        assert_eq!(found.await.unwrap(), HashMap::from([((1, 'a'), 10), ((2, 'b'), 20), ((3, 'a'), 30)]));
        let mut asked = asked.into_inner().unwrap();
        asked.sort_unstable();
        assert_eq!(asked, [('a', vec![1, 3]), ('b', vec![2])]);
    }
}
