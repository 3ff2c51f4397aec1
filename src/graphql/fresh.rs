//! Values that are resolved with loaders of their own.
//!
//! A loader never sees a row twice, which is right for one reading and wrong for what comes after a write: the payloads of
//! a mutation's second field, and every frame of a subscription. async-graphql would let an extension replace the data of
//! each execution, but with any extension installed every field takes its slower path; wrapping the value does the same
//! where it is needed and costs nothing elsewhere.

use std::borrow::Cow;
use std::sync::PoisonError;

use async_graphql::parser::types::Field;
use async_graphql::registry::Registry;
use async_graphql::{ContextSelectionSet, Data, OutputType, Positioned, ServerResult, Value};
use uuid::Uuid;

use super::context::RequestContext;
use super::loaders::Loaders;
use super::shared::FrameId;
use crate::domain::position::LogPosition;
use crate::storage::Tenant;

/// A value, and the loaders that its fields are resolved with. In the schema it is just a `T`.
pub(crate) struct Fresh<T> {
    value: T,
    loaders: Loaders,
    /// The frame that it is of a subscription, if equal subscriptions may share it.
    frame: Option<FrameId>,
    /// The place in the log behind the frame.
    position: Option<LogPosition>,
}

impl<T> Fresh<T> {
    /// A value whose fields see the present.
    pub(crate) fn new(tenant: &Tenant, value: T) -> Self {
        Self::with(Loaders::new(tenant.clone()), value)
    }

    /// A value whose fields see what these loaders saw.
    pub(crate) const fn with(loaders: Loaders, value: T) -> Self {
        Self { value, loaders, frame: None, position: None }
    }

    /// A frame of a subscription, which equal subscriptions are given as it is resolved here.
    #[must_use]
    pub(crate) fn shared_as(self, of: impl Into<Uuid>, number: i64) -> Self {
        Self { frame: Some(FrameId { of: of.into(), number }), ..self }
    }

    /// A frame behind which a client can resume.
    #[must_use]
    pub(crate) fn at(self, position: LogPosition) -> Self {
        Self { position: Some(position), ..self }
    }
}

impl<T: OutputType> Fresh<T> {
    async fn resolve_value(&self, ctx: &ContextSelectionSet<'_>, field: &Positioned<Field>) -> ServerResult<Value> {
        let mut data = Data::default();
        data.insert(self.loaders.clone());
        let mut ctx = ctx.clone();
        ctx.execute_data = Some(&data);
        self.value.resolve(&ctx, field).await
    }
}

impl<T: OutputType> OutputType for Fresh<T> {
    fn type_name() -> Cow<'static, str> {
        T::type_name()
    }

    fn qualified_type_name() -> String {
        T::qualified_type_name()
    }

    fn introspection_type_name(&self) -> Cow<'static, str> {
        self.value.introspection_type_name()
    }

    fn create_type_info(registry: &mut Registry) -> String {
        T::create_type_info(registry)
    }

    async fn resolve(&self, ctx: &ContextSelectionSet<'_>, field: &Positioned<Field>) -> ServerResult<Value> {
        let request = ctx.data_opt::<RequestContext>();
        if let Some(request) = request {
            *request.position.lock().unwrap_or_else(PoisonError::into_inner) = self.position;
        }
        let sharing = request.and_then(|request| request.sharing.as_ref());
        if let Some((id, sharing)) = self.frame.zip(sharing) {
            let resolved = async {
                let value = self.resolve_value(ctx, field).await;
                // Whatever failed is resolved again for this subscription alone, with its errors.
                let failed = std::mem::take(&mut *ctx.query_env.errors.lock().unwrap_or_else(PoisonError::into_inner));
                (value, failed.is_empty())
            };
            if let Some(frame) = sharing.frame(id, resolved).await {
                return Ok(frame);
            }
        }
        self.resolve_value(ctx, field).await
    }
}
