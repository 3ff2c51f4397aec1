//! Lists whose errors keep their place.

use std::borrow::Cow;
use std::future::poll_fn;
use std::task::Poll;

use async_graphql::parser::types::Field;
use async_graphql::registry::Registry;
use async_graphql::{ContextSelectionSet, OutputType, Positioned, ServerError, ServerResult, Value};
use futures_util::future::try_maybe_done;

/// A list of objects. In the schema it is just a `[T!]`.
///
/// async-graphql's own list writes its own place over that of an error from below, so that the path of an error would end
/// at the first list on the way.
pub(crate) struct Items<T>(pub(crate) Vec<T>);

impl<T: OutputType> OutputType for Items<T> {
    fn type_name() -> Cow<'static, str> {
        Vec::<T>::type_name()
    }

    fn qualified_type_name() -> String {
        Vec::<T>::qualified_type_name()
    }

    fn create_type_info(registry: &mut Registry) -> String {
        Vec::<T>::create_type_info(registry)
    }

    async fn resolve(&self, ctx: &ContextSelectionSet<'_>, field: &Positioned<Field>) -> ServerResult<Value> {
        let resolve = async |index, item: &T| {
            let ctx = ctx.with_index(index);
            let placed = |error: ServerError| if error.path.is_empty() { ctx.set_error_path(error) } else { error };
            item.resolve(&ctx, field).await.map_err(placed)
        };
        let items = self.0.iter().enumerate().map(|(index, item)| resolve(index, item));
        Ok(Value::List(together(items).await?))
    }
}

/// Runs futures side by side, each of them in every turn, so that what they ask loaders for in one turn is one batch.
/// (`try_join_all` looks at many futures one by one as they wake, and so splits batches.)
async fn together<T, E>(futures: impl Iterator<Item = impl Future<Output = Result<T, E>>>) -> Result<Vec<T>, E> {
    let mut futures: Vec<_> = futures.map(|future| Box::pin(try_maybe_done(future))).collect();
    poll_fn(|context| {
        let mut all_done = true;
        for future in &mut futures {
            all_done &= future.as_mut().poll(context)?.is_ready();
        }
        if all_done { Poll::Ready(Ok(())) } else { Poll::Pending }
    })
    .await?;
    Ok(futures.iter_mut().filter_map(|future| future.as_mut().take_output()).collect())
}
