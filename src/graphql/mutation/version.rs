//! Versions of conversations.

use async_graphql::{Context, ID, InputObject, Object, SimpleObject};

use super::super::error::Result;
use super::super::fresh::Fresh;
use super::super::input::id::read_conversation_id;
use super::super::lazy::Lazy;
use super::super::place::Place;
use super::super::scalars::Json;
use super::super::session::{Asking, Needs};
use super::super::types::conversation::Conversation;
use super::super::types::version::Version;
use super::super::user_error::{Refusals, UserError};
use super::conversation::{named, read_flow};
use crate::auth::Scope;
use crate::domain::conversation;
use crate::storage::conversations;

#[derive(Default)]
pub(crate) struct VersionMutation;

/// A version to be published.
#[derive(Debug, InputObject)]
pub(crate) struct PublishVersionInput {
    /// The conversation that it is a version of.
    conversation_id: ID,
    /// The whole new flow, under the same rules as that of a first version.
    flow: Json,
}

/// What became of a version to be published.
#[derive(SimpleObject)]
pub(crate) struct PublishVersionPayload {
    /// The version, which is the current one now. Null where it was refused.
    version: Option<Version>,
    /// The conversation. Null where the version was refused.
    conversation: Option<Conversation>,
    /// Why it was refused; empty where it was published.
    user_errors: Vec<UserError>,
}

#[Object(guard = "Needs(Scope::Write)")]
impl VersionMutation {
    /// Publishes a new version of a conversation and makes it the current one. It begins without users; earlier versions keep
    /// theirs, and sends that are under way stay with the version that they were made for.
    async fn publish_version(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The version to be published.")] input: PublishVersionInput,
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
