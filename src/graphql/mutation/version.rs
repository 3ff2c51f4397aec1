//! Versions of conversations.

use async_graphql::{Context, ID, InputObject, Object, SimpleObject};

use super::conversation::{named, read_flow};
use crate::auth::Scope;
use crate::domain::conversation;
use crate::graphql::error::Result;
use crate::graphql::fresh::Fresh;
use crate::graphql::input::id::read_conversation_id;
use crate::graphql::lazy::Lazy;
use crate::graphql::place::Place;
use crate::graphql::scalars::Json;
use crate::graphql::session::{Asking, Needs};
use crate::graphql::types::conversation::Conversation;
use crate::graphql::types::version::Version;
use crate::graphql::user_error::{Refusals, UserError};
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

#[Object(guard = "Needs(Scope::Write)")]
impl VersionMutation {
    /// Publishes a new version of a conversation and makes it the current one. It starts without users; earlier
    /// versions keep theirs, and sends in progress stay with the version they were created for.
    async fn publish_version(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The version to publish.")] input: PublishVersionInput,
    ) -> Result<Fresh<PublishVersionPayload>> {
        let mut refusals = Refusals::default();
        let published = publish(ctx, &input, &mut refusals).await?;
        let payload = PublishVersionPayload {
            conversation: published.as_ref().map(|version| named(version.conversation)),
            version: published.map(|version| Version(Lazy::Loaded(version.into()))),
            user_errors: refusals.into_errors(),
        };
        Ok(Fresh::new(&ctx.session()?.tenant, payload))
    }
}

async fn publish(
    ctx: &Context<'_>,
    input: &PublishVersionInput,
    refusals: &mut Refusals,
) -> Result<Option<conversation::Version>> {
    let place = Place::of("input");
    let id_place = place.field("conversationId");
    let conversation = match read_conversation_id(&input.conversation_id, &id_place)? {
        Some(id) => ctx.loaders()?.conversations().load(id).await?,
        None => None,
    };
    let Some(conversation) = refusals.found(id_place, "conversation", conversation) else { return Ok(None) };
    let flow = refusals.check(place.field("flow"), read_flow(&input.flow, conversation.direction));
    let Some(flow) = flow else { return Ok(None) };
    let session = ctx.session()?;
    let published = conversations::publish(&session.tenant, conversation.id, &flow, session.now()).await?;
    Ok(refusals.found(place.field("conversationId"), "conversation", published))
}
