//! Lines.

use std::sync::Arc;

use async_graphql::{Context, InputObject, Object, SimpleObject};

use crate::auth::Scope;
use crate::domain;
use crate::domain::id::new_key;
use crate::domain::input::{Fault, MAX_NAME_BYTES, check_name};
use crate::graphql::context::{ContextExt, Needs, RequestContext};
use crate::graphql::error::Result;
use crate::graphql::fresh::Fresh;
use crate::graphql::given::Given;
use crate::graphql::input::phone::read_phone;
use crate::graphql::place::Place;
use crate::graphql::types::line::Line;
use crate::graphql::user_error::{UserError, UserErrorCode, UserErrors};
use crate::storage::lines;

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

/// The rate that WhatsApp allows most numbers.
const DEFAULT_RATE: i32 = 80;
/// The highest rate that WhatsApp allows a number.
const MAX_RATE: u32 = 1_000;
/// The longest provider's id of a number, in bytes; WhatsApp's have some 15 digits.
const MAX_PHONE_NUMBER_ID_BYTES: usize = 64;

#[Object(guard = "Needs(Scope::Write)")]
impl LineMutation {
    /// Creates a line. It requires a token with the scope ADMIN. If any workspace already has a line with this
    /// `phoneNumberId`, the error is `CONFLICT`.
    #[graphql(guard = "Needs(Scope::Admin)")]
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
        Ok(Fresh::new(&request.tenant, payload))
    }
}

async fn create(
    request: &RequestContext,
    input: CreateLineInput,
    errors: &mut UserErrors,
) -> Result<Option<domain::line::Line>> {
    let place = Place::of("input");
    let Some(line) = input.read(&place, errors)? else { return Ok(None) };
    if lines::create(&request.tenant, &line, request.now()).await? {
        return Ok(Some(line));
    }
    let fault = Fault::new("already belongs to a line");
    errors.refuse(place.field("phoneNumberId"), UserErrorCode::Conflict, &fault);
    Ok(None)
}

impl CreateLineInput {
    fn read(self, place: &Place, errors: &mut UserErrors) -> Result<Option<domain::line::Line>> {
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
        }))
    }
}

fn check_rate(given: i32) -> std::result::Result<u32, Fault> {
    let rate = u32::try_from(given).ok().filter(|rate| (1..=MAX_RATE).contains(rate));
    rate.ok_or_else(|| Fault(format!("is {given}; it must be between 1 and {MAX_RATE}")))
}
