//! Lines.

use std::sync::Arc;

use async_graphql::{Context, ID, InputObject, MaybeUndefined, Object, SimpleObject};

use super::{finish, payload};
use crate::auth::Scope;
use crate::domain;
use crate::domain::clock::Timestamp;
use crate::domain::conversation::{Conversation, Direction};
use crate::domain::id::{ConversationId, LineId, new_key};
use crate::domain::inbound::{InboundRule, InboundRules, MAX_INBOUND_RULES};
use crate::domain::input::{Fault, MAX_NAME_BYTES, check_name};
use crate::graphql::context::{ContextExt, RequestContext, Writes};
use crate::graphql::error::Result;
use crate::graphql::fresh::Fresh;
use crate::graphql::given::Given;
use crate::graphql::input::id::{read_conversation_id, read_line_id};
use crate::graphql::input::inbound::InboundRuleInput;
use crate::graphql::input::phone::read_phone;
use crate::graphql::lazy::Lazy;
use crate::graphql::place::Place;
use crate::graphql::types::line::Line;
use crate::graphql::user_error::{UserError, UserErrorCode, UserErrors};
use crate::storage::{conversations, lines};

#[derive(Default)]
pub(crate) struct LineMutation;

/// A line to create.
#[derive(Debug, InputObject)]
pub(crate) struct CreateLineInput {
    /// The phone number that users see, with its country code, in any unambiguous notation.
    phone: String,
    /// WhatsApp's id of the number; 1 to 64 bytes. It must not belong to an existing line of any workspace.
    phone_number_id: String,
    /// The display name; 1 to 200 bytes.
    name: String,
    /// The most messages sent in any second: 1 to 1,000. WhatsApp allows most numbers 80.
    #[graphql(default_with = "Some(Given::new(DEFAULT_RATE))")]
    messages_per_second: Option<Given<i32>>,
    /// Whether another system sends on this line, so that Bluetick only records facts about it.
    #[graphql(default_with = "Some(false)")]
    external: Option<bool>,
}

/// The result of creating a line.
#[derive(SimpleObject)]
pub(crate) struct CreateLinePayload {
    /// The new line. Null if the input was rejected.
    line: Option<Line>,
    /// Why the input was rejected; empty on success.
    user_errors: Vec<UserError>,
}

payload!(CreateLinePayload: line);

/// What is to change of a line. What is left out stays as it is.
#[derive(Debug, InputObject)]
pub(crate) struct UpdateLineInput {
    /// The line.
    id: ID,
    /// The display name; 1 to 200 bytes.
    name: Option<String>,
    /// The most messages sent in any second: 1 to 1,000. It takes effect within a second, also on what is queued.
    messages_per_second: Option<Given<i32>>,
    /// The rules by which a user's message that belongs to no other conversation chooses the one that it begins, at
    /// most 50; the first that matches counts. They replace all that there are; null removes them.
    inbound_rules: MaybeUndefined<Vec<InboundRuleInput>>,
    /// The INBOUND conversation of this line that a user's message begins if it belongs to no other and no rule chooses
    /// one; null for the newest.
    default_conversation_id: MaybeUndefined<ID>,
}

/// The result of a change to a line.
#[derive(SimpleObject)]
pub(crate) struct LinePayload {
    /// The line as it is now. Null if the input was rejected.
    line: Option<Line>,
    /// Why the input was rejected; empty on success.
    user_errors: Vec<UserError>,
}

payload!(LinePayload: line);

/// The rate that WhatsApp allows most numbers.
const DEFAULT_RATE: i32 = 80;
/// The highest rate that WhatsApp allows a number.
const MAX_RATE: u32 = 1_000;
/// The longest provider's id of a number, in bytes; WhatsApp's have some 15 digits.
const MAX_PHONE_NUMBER_ID_BYTES: usize = 64;

#[Object(guard = "Writes(Scope::Write)")]
impl LineMutation {
    /// Creates a line. It requires a token with the scope ADMIN. If any workspace already has a line with this
    /// `phoneNumberId`, the error is `CONFLICT`.
    #[graphql(guard = "Writes(Scope::Admin)")]
    async fn create_line(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The line to create.")] input: CreateLineInput,
    ) -> Result<Fresh<CreateLinePayload>> {
        let request = ctx.request()?;
        let mut errors = UserErrors::default();
        let line = create(request, input, &mut errors).await?;
        let line = line.map(Arc::new).map(Line::from);
        let payload = CreateLinePayload { line, user_errors: errors.into_vec() };
        finish(ctx, payload).await
    }

    /// Changes a line's name, rate, inbound rules or default conversation. It requires a token with the scope ADMIN.
    #[graphql(guard = "Writes(Scope::Admin)")]
    async fn update_line(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is to change.")] input: UpdateLineInput,
    ) -> Result<Fresh<LinePayload>> {
        let request = ctx.request()?;
        let mut errors = UserErrors::default();
        let line = update(request, input, &mut errors).await?;
        let payload = LinePayload { line: line.map(|id| Line(Lazy::Id(id))), user_errors: errors.into_vec() };
        finish(ctx, payload).await
    }

    /// Lets a STOPPED line send again at once, without waiting for the next probe, for example after a bill was paid. If
    /// the error persists, the line stops again. An ACTIVE line stays as it is.
    async fn resume_line(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The line's id.")] id: ID,
    ) -> Result<Fresh<LinePayload>> {
        let request = ctx.request()?;
        let (place, mut errors) = (Place::of("id"), UserErrors::default());
        let found = find(request, read_line_id(&id, &place)?).await?;
        let line = errors.found(place, "line", found);
        if let Some(line) = &line {
            request.backend.sends.resume_line(&request.tenant, line.id).await?;
        }
        let payload = LinePayload { line: line.map(|line| Line(Lazy::Id(line.id))), user_errors: errors.into_vec() };
        finish(ctx, payload).await
    }
}

async fn update(request: &RequestContext, input: UpdateLineInput, errors: &mut UserErrors) -> Result<Option<LineId>> {
    let place = Place::of("input");
    let id_place = place.field("id");
    let Some(line) = find(request, read_line_id(&input.id, &id_place)?).await? else {
        errors.found::<()>(id_place, "line", None);
        return Ok(None);
    };
    let mut line = line;
    input.lay_on(&mut line, &place, errors)?;
    if let MaybeUndefined::Value(rules) = input.inbound_rules {
        line.inbound_rules = inbound_rules(request, &line, (rules, place.field("inboundRules")), errors).await?;
    }
    if let MaybeUndefined::Value(id) = &input.default_conversation_id {
        let asked = [(id, place.field("defaultConversationId"))];
        let found = inbound_conversations(request, &line, &asked, errors).await?;
        line.default_conversation = found.into_iter().next().flatten();
    }
    if errors.is_empty() {
        lines::update(&request.tenant, &line).await?;
    }
    Ok(errors.is_empty().then_some(line.id))
}

async fn find(request: &RequestContext, id: Option<LineId>) -> Result<Option<domain::line::Line>> {
    let Some(id) = id else { return Ok(None) };
    Ok(lines::find_many(&request.tenant, &[id]).await?.remove(&id))
}

/// The rules of a line, as far as they are not refused.
async fn inbound_rules(
    request: &RequestContext,
    line: &domain::line::Line,
    (rules, place): (Vec<InboundRuleInput>, Place),
    errors: &mut UserErrors,
) -> Result<InboundRules> {
    if rules.len() > MAX_INBOUND_RULES {
        let fault = Fault(format!("has {} rules; the maximum is {MAX_INBOUND_RULES}", rules.len()));
        errors.refuse(place, UserErrorCode::TooMany, &fault);
        return Ok(InboundRules::default());
    }
    let place_of = |index| place.item(index).field("conversationId");
    let asked = rules.iter().enumerate().map(|(index, rule)| (&rule.conversation_id, place_of(index)));
    let asked: Vec<_> = asked.collect();
    let conversations = inbound_conversations(request, line, &asked, errors).await?;
    let read = |(index, (rule, conversation)): (usize, (InboundRuleInput, Option<ConversationId>))| {
        let trigger = rule.read_trigger(&place.item(index), errors);
        trigger.zip(conversation).map(|(trigger, conversation)| InboundRule { trigger, conversation })
    };
    Ok(InboundRules(rules.into_iter().zip(conversations).enumerate().filter_map(read).collect()))
}

/// The inbound conversations of a line that ids name; `None` for those that were refused.
async fn inbound_conversations(
    request: &RequestContext,
    line: &domain::line::Line,
    asked: &[(&ID, Place)],
    errors: &mut UserErrors,
) -> Result<Vec<Option<ConversationId>>> {
    let ids = asked.iter().map(|(id, place)| read_conversation_id(id, place)).collect::<Result<Vec<_>>>()?;
    let known: Vec<_> = ids.iter().flatten().copied().collect();
    let known = conversations::find_many(&request.tenant, &known).await?;
    let find = |(id, (_, place)): (Option<ConversationId>, &(&ID, Place))| {
        let found = errors.found(place.clone(), "conversation", id.and_then(|id| known.get(&id)))?;
        errors.check(place.clone(), check_begun_by_users(found, line)).map(|()| found.id)
    };
    Ok(ids.into_iter().zip(asked).map(find).collect())
}

/// Refuses a conversation that users' messages on a line cannot begin.
fn check_begun_by_users(conversation: &Conversation, line: &domain::line::Line) -> std::result::Result<(), Fault> {
    let fault = match conversation {
        _ if conversation.line != line.id => "names a conversation of another line",
        _ if conversation.direction == Direction::Outbound => {
            "names an OUTBOUND conversation, which users cannot start"
        }
        _ if conversation.archived_at.is_some() => "names an archived conversation",
        _ => return Ok(()),
    };
    Err(Fault::new(fault))
}

impl UpdateLineInput {
    /// Lays the given values over those of a line.
    fn lay_on(&self, line: &mut domain::line::Line, place: &Place, errors: &mut UserErrors) -> Result<()> {
        if let Some(name) = &self.name {
            errors.check(place.field("name"), check_name(name, MAX_NAME_BYTES));
            line.name.clone_from(name);
        }
        if let Some(rate) = Given::read_field(self.messages_per_second.as_ref(), place, "messagesPerSecond")? {
            let rate = errors.check(place.field("messagesPerSecond"), check_rate(rate));
            line.messages_per_second = rate.unwrap_or(line.messages_per_second);
        }
        if self.inbound_rules.is_null() {
            line.inbound_rules = InboundRules::default();
        }
        if self.default_conversation_id.is_null() {
            line.default_conversation = None;
        }
        Ok(())
    }
}

async fn create(
    request: &RequestContext,
    input: CreateLineInput,
    errors: &mut UserErrors,
) -> Result<Option<domain::line::Line>> {
    let place = Place::of("input");
    let now = request.now();
    let Some(line) = input.read(&place, now, errors)? else { return Ok(None) };
    if lines::create(&request.tenant, &line, now).await? {
        return Ok(Some(line));
    }
    let fault = Fault::new("already belongs to a line");
    errors.refuse(place.field("phoneNumberId"), UserErrorCode::Conflict, &fault);
    Ok(None)
}

impl CreateLineInput {
    fn read(self, place: &Place, now: Timestamp, errors: &mut UserErrors) -> Result<Option<domain::line::Line>> {
        let phone = errors.check(place.field("phone"), read_phone(&self.phone, None));
        let id = check_name(&self.phone_number_id, MAX_PHONE_NUMBER_ID_BYTES);
        errors.check(place.field("phoneNumberId"), id);
        errors.check(place.field("name"), check_name(&self.name, MAX_NAME_BYTES));
        let rate = Given::read_field(self.messages_per_second.as_ref(), place, "messagesPerSecond")?;
        let rate = check_rate(rate.unwrap_or(DEFAULT_RATE));
        let rate = errors.check(place.field("messagesPerSecond"), rate);
        Ok(phone.zip(rate).filter(|_| errors.is_empty()).map(|(phone, messages_per_second)| domain::line::Line {
            id: new_key().into(),
            phone,
            phone_number_id: self.phone_number_id,
            name: self.name,
            messages_per_second,
            external: self.external.unwrap_or(false),
            stop: None,
            state_since: now,
            inbound_rules: InboundRules::default(),
            default_conversation: None,
        }))
    }
}

fn check_rate(given: i32) -> std::result::Result<u32, Fault> {
    let rate = u32::try_from(given).ok().filter(|rate| (1..=MAX_RATE).contains(rate));
    rate.ok_or_else(|| Fault(format!("is {given}; it must be between 1 and {MAX_RATE}")))
}
