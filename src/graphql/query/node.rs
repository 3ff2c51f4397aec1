//! Anything by its id.

use async_graphql::{Context, ID, Object};
use futures_util::future::join_all;

use crate::auth::Scope;
use crate::graphql::context::Needs;
use crate::graphql::error::{ApiError, Result};
use crate::graphql::input::id::read_id;
use crate::graphql::place::Place;
use crate::graphql::types::node::Node;

/// How many objects can be asked for by id at once.
const MAX_IDS: usize = 200;

#[derive(Default)]
pub(crate) struct NodeQuery;

#[Object(guard = "Needs(Scope::Read)")]
impl NodeQuery {
    /// The object with this id. Null if the workspace has none. A malformed id is an error.
    async fn node(&self, ctx: &Context<'_>, #[graphql(desc = "The id of any object.")] id: ID) -> Option<Result<Node>> {
        find(ctx, &id, &Place::of("id")).await.transpose()
    }

    /// The objects with these ids, in the order of the ids, with null for each one that the workspace does not have.
    async fn nodes(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The ids of any objects; at most 200.")] ids: Vec<ID>,
    ) -> Result<Vec<Option<Result<Node>>>> {
        if ids.len() > MAX_IDS {
            let fault = format!("has {} ids; the maximum is {MAX_IDS}", ids.len());
            return Err(ApiError::argument("ids", fault));
        }
        let find = async |(index, id)| find(ctx, id, &Place::of("ids").item(index)).await.transpose();
        Ok(join_all(ids.iter().enumerate().map(find)).await)
    }
}

async fn find(ctx: &Context<'_>, id: &ID, place: &Place) -> Result<Option<Node>> {
    Node::find(ctx, read_id(id, place)?).await
}
