//! Conversations.

use async_graphql::{Context, ID, InputObject, Object, SimpleObject};

use super::{finish, payload};
use crate::auth::Scope;
use crate::domain::conversation;
use crate::domain::flow::Flow;
use crate::domain::flow::check::{Finding, check};
use crate::domain::id::{ConversationId, LineId, VersionId, new_key};
use crate::domain::input::{Fault, MAX_NAME_BYTES, check_name};
use crate::graphql::context::{ContextExt, Writes};
use crate::graphql::error::Result;
use crate::graphql::fresh::Fresh;
use crate::graphql::input::id::{read_conversation_id, read_line_id};
use crate::graphql::lazy::Lazy;
use crate::graphql::place::Place;
use crate::graphql::scalars::Json;
use crate::graphql::types::conversation::{Conversation, Direction};
use crate::graphql::user_error::{UserError, UserErrorCode, UserErrors};
use crate::storage::{conversations, lines};

#[derive(Default)]
pub(crate) struct ConversationMutation;

/// The most findings about a flow that are told at once.
const MAX_FINDINGS: usize = 100;

/// A conversation to create, with its first version.
#[derive(Debug, InputObject)]
pub(crate) struct CreateConversationInput {
    /// The display name; 1 to 200 bytes.
    name: String,
    /// Who starts it.
    direction: Direction,
    /// The line it runs on. It may be omitted if the workspace has exactly one line.
    line_id: Option<ID>,
    /// The flow of the first version: `start`, the name of a step, and `steps`, an object of steps by name, as
    /// `flow.schema.json` describes them. The first step of an OUTBOUND conversation needs a `template`. The whole graph
    /// is checked, and each fault has its place in the flow. A flow of a single step that names no way onward is not run:
    /// its template is sent, and what follows is reported by `recordFacts`. At most 256 KiB.
    flow: Json,
}

/// The result of creating a conversation.
#[derive(SimpleObject)]
pub(crate) struct CreateConversationPayload {
    /// The new conversation. Null if the input was rejected.
    conversation: Option<Conversation>,
    /// Why the input was rejected; empty on success.
    user_errors: Vec<UserError>,
}

payload!(CreateConversationPayload: conversation);

/// The result of archiving a conversation.
#[derive(SimpleObject)]
pub(crate) struct ArchiveConversationPayload {
    /// The archived conversation. Null if it was not found.
    conversation: Option<Conversation>,
    /// Why it could not be archived; empty on success.
    user_errors: Vec<UserError>,
}

payload!(ArchiveConversationPayload: conversation);

#[Object(guard = "Writes(Scope::Write)")]
impl ConversationMutation {
    /// Creates a conversation and publishes its first version.
    async fn create_conversation(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The conversation to create.")] input: CreateConversationInput,
    ) -> Result<Fresh<CreateConversationPayload>> {
        let mut errors = UserErrors::default();
        let conversation = create(ctx, input, &mut errors).await?.map(Lazy::Id).map(Conversation);
        let payload = CreateConversationPayload { conversation, user_errors: errors.into_vec() };
        finish(ctx, payload).await
    }

    /// Archives a conversation: it can no longer be sent, and deployments that are still queued will not be sent.
    /// Archiving it again changes nothing.
    async fn archive_conversation(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The conversation's id.")] id: ID,
    ) -> Result<Fresh<ArchiveConversationPayload>> {
        let mut errors = UserErrors::default();
        let archived = archive(ctx, &id).await?;
        let conversation = errors.found(Place::of("id"), "conversation", archived).map(Lazy::Id).map(Conversation);
        let payload = ArchiveConversationPayload { conversation, user_errors: errors.into_vec() };
        finish(ctx, payload).await
    }
}

async fn create(
    ctx: &Context<'_>,
    input: CreateConversationInput,
    errors: &mut UserErrors,
) -> Result<Option<ConversationId>> {
    let place = Place::of("input");
    let direction = input.direction.into();
    errors.check(place.field("name"), check_name(&input.name, MAX_NAME_BYTES));
    let line = find_line(ctx, input.line_id.as_ref(), place.field("lineId"), errors).await?;
    let flow = read_flow(ctx, &input.flow, (direction, line), &place.field("flow"), errors).await?;
    let Some((line, flow)) = line.zip(flow).filter(|_| errors.is_empty()) else { return Ok(None) };
    let request = ctx.request()?;
    let (conversation, version) = new(line, input.name, direction, flow, request.now());
    conversations::create(&request.tenant, &conversation, &version).await?;
    Ok(Some(conversation.id))
}

/// A conversation with its first version.
fn new(
    line: LineId,
    name: String,
    direction: conversation::Direction,
    flow: String,
    now: crate::domain::clock::Timestamp,
) -> (conversation::Conversation, conversation::Version) {
    let (id, current_version) = (new_key().into(), VersionId(new_key()));
    let version = conversation::Version { id: current_version, conversation: id, number: 1, published_at: now, flow };
    let conversation =
        conversation::Conversation { id, line, name, direction, created_at: now, archived_at: None, current_version };
    (conversation, version)
}

/// The line named, or the only one.
async fn find_line(
    ctx: &Context<'_>,
    id: Option<&ID>,
    place: Place,
    errors: &mut UserErrors,
) -> Result<Option<LineId>> {
    let Some(id) = id else {
        let lines = lines::list(&ctx.request()?.tenant).await?;
        return Ok(errors.check(place, only(&lines)));
    };
    let line = match read_line_id(id, &place)? {
        Some(id) => ctx.loaders()?.lines().load(id).await?,
        None => None,
    };
    Ok(errors.found(place, "line", line).map(|line| line.id))
}

fn only(lines: &[crate::domain::line::Line]) -> std::result::Result<LineId, Fault> {
    match lines {
        [only] => Ok(only.id),
        lines => Err(Fault(format!("must be given: the workspace has {} lines", lines.len()))),
    }
}

async fn archive(ctx: &Context<'_>, id: &ID) -> Result<Option<ConversationId>> {
    let Some(id) = read_conversation_id(id, &Place::of("id"))? else { return Ok(None) };
    let request = ctx.request()?;
    let archived = conversations::archive(&request.tenant, id, request.now()).await?;
    Ok(archived.then_some(id))
}

/// A flow as it is to be published. What is wrong with it is refused, each at its place.
pub(crate) async fn read_flow(
    ctx: &Context<'_>,
    given: &Json,
    (direction, line): (conversation::Direction, Option<LineId>),
    place: &Place,
    errors: &mut UserErrors,
) -> Result<Option<String>> {
    let Some(value) = errors.check(place.clone(), given.value()) else { return Ok(None) };
    let flow = match check(&value, direction) {
        Ok(flow) => flow,
        Err(findings) => {
            for Finding { path, fault } in findings.into_iter().take(MAX_FINDINGS) {
                let place = path.iter().fold(place.clone(), |place, part| place.field(part));
                errors.refuse(place, UserErrorCode::Invalid, &fault);
            }
            return Ok(None);
        }
    };
    let (before, flow) = (errors.len(), flow.as_ref());
    if let Some((flow, line)) = flow.zip(line) {
        check_jumps(ctx, flow, line, place, errors).await?;
    }
    let text = errors.check(place.clone(), given.text());
    Ok(text.filter(|_| errors.len() == before))
}

/// Refuses jumps to what is no conversation of the line, or is archived.
async fn check_jumps(
    ctx: &Context<'_>,
    flow: &Flow,
    line: LineId,
    place: &Place,
    errors: &mut UserErrors,
) -> Result<()> {
    for (name, step) in &flow.steps {
        let Some(id) = step.jumps_to() else { continue };
        let place = place.field("steps").field(name).field("jump");
        let found = ctx.loaders()?.conversations().load(id).await?;
        let Some(conversation) = errors.found(place.clone(), "conversation", found) else { continue };
        let fault = match &*conversation {
            one if one.line != line => Some("names a conversation of another line"),
            one if one.archived_at.is_some() => Some("names an archived conversation"),
            one if !runs(ctx, one.current_version).await? => Some("names a conversation whose flow is not run"),
            _ => None,
        };
        if let Some(fault) = fault {
            errors.refuse(place, UserErrorCode::Invalid, &Fault::new(fault));
        }
    }
    Ok(())
}

/// Whether a flow runs in a version.
async fn runs(ctx: &Context<'_>, id: VersionId) -> Result<bool> {
    let version = ctx.loaders()?.versions().load(id).await?;
    Ok(version.is_some_and(|version| Flow::of_published(&version.flow).is_some()))
}
