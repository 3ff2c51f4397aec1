//! Lists whose errors keep their place.

use std::borrow::Cow;

use async_graphql::parser::types::Field;
use async_graphql::registry::Registry;
use async_graphql::{ContextSelectionSet, OutputType, Positioned, ServerError, ServerResult, Value};
use futures_util::future::try_join_all;

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
        let items = self.0.iter().enumerate().map(async |(index, item)| {
            let ctx = ctx.with_index(index);
            let placed = |error: ServerError| if error.path.is_empty() { ctx.set_error_path(error) } else { error };
            item.resolve(&ctx, field).await.map_err(placed)
        });
        Ok(Value::List(try_join_all(items).await?))
    }
}
