//! Versions of conversations.

use std::sync::Arc;

use async_graphql::{Context, ID, InputObject, Object, SimpleObject};

use super::conversation::read_flow;
use super::{finish, payload};
use crate::auth::Scope;
use crate::domain::conversation;
use crate::graphql::context::{ContextExt, Writes};
use crate::graphql::error::Result;
use crate::graphql::fresh::Fresh;
use crate::graphql::input::id::read_conversation_id;
use crate::graphql::lazy::Lazy;
use crate::graphql::place::Place;
use crate::graphql::scalars::Json;
use crate::graphql::types::conversation::Conversation;
use crate::graphql::types::version::Version;
use crate::graphql::user_error::{UserError, UserErrors};
use crate::storage::conversations;

#[derive(Default)]
pub(crate) struct VersionMutation;

/// A version to publish.
#[derive(Debug, InputObject)]
pub(crate) struct PublishVersionInput {
    /// The conversation it is a version of.
    conversation_id: ID,
    /// The complete new flow. The same rules apply as to the flow of a first version.
    flow: Json,
}

/// The result of publishing a version.
#[derive(SimpleObject)]
pub(crate) struct PublishVersionPayload {
    /// The new version, which is now the current one. Null if the input was rejected.
    version: Option<Version>,
    /// The conversation. Null if the input was rejected.
    conversation: Option<Conversation>,
    /// Why the input was rejected; empty on success.
    user_errors: Vec<UserError>,
}

payload!(PublishVersionPayload: version);

#[Object(guard = "Writes(Scope::Write)")]
impl VersionMutation {
    /// Publishes a new version of a conversation and makes it the current one. It starts without users; earlier
    /// versions keep theirs, and sends in progress stay with the version they were created for.
    async fn publish_version(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The version to publish.")] input: PublishVersionInput,
    ) -> Result<Fresh<PublishVersionPayload>> {
        let mut errors = UserErrors::default();
        let published = publish(ctx, &input, &mut errors).await?;
        let payload = PublishVersionPayload {
            conversation: published.as_ref().map(|version| Conversation(Lazy::Id(version.conversation))),
            version: published.map(Arc::new).map(Version::from),
            user_errors: errors.into_vec(),
        };
        finish(ctx, payload).await
    }
}

async fn publish(
    ctx: &Context<'_>,
    input: &PublishVersionInput,
    errors: &mut UserErrors,
) -> Result<Option<conversation::Version>> {
    let place = Place::of("input");
    let id_place = place.field("conversationId");
    let conversation = match read_conversation_id(&input.conversation_id, &id_place)? {
        Some(id) => ctx.loaders()?.conversations().load(id).await?,
        None => None,
    };
    let Some(conversation) = errors.found(id_place, "conversation", conversation) else { return Ok(None) };
    let (direction, line) = (conversation.direction, Some(conversation.line));
    let flow = read_flow(ctx, &input.flow, (direction, line), &place.field("flow"), errors).await?;
    let Some(flow) = flow else { return Ok(None) };
    let request = ctx.request()?;
    let published = conversations::publish(&request.tenant, conversation.id, &flow, request.now()).await?;
    Ok(errors.found(place.field("conversationId"), "conversation", published))
}
