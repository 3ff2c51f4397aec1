//! People, whatever conversations they are users of.

use async_graphql::{Context, ID, Object, OneofObject, SimpleObject};

use super::{Payload, finish};
use crate::auth::Scope;
use crate::domain::id::ContactId;
use crate::domain::input::Fault;
use crate::graphql::connection::int;
use crate::graphql::context::{ContextExt, Writes};
use crate::graphql::error::Result;
use crate::graphql::fresh::Fresh;
use crate::graphql::input::id::read_user_id;
use crate::graphql::input::phone::read_phone;
use crate::graphql::place::Place;
use crate::graphql::user_error::{UserError, UserErrorCode, UserErrors};
use crate::storage::erasure::{self, Erasure, Person};

#[derive(Default)]
pub(crate) struct ContactMutation;

/// Somebody, by one of what they are known by.
#[derive(Debug, OneofObject)]
pub(crate) enum ContactInput {
    /// The phone number in international form, such as `+573001234567`.
    Phone(String),
    /// The id of one of the users that the person is.
    UserId(ID),
}

/// The result of erasing a person.
#[derive(SimpleObject)]
pub(crate) struct EraseContactPayload {
    /// Who was erased.
    #[graphql(skip)]
    contact: Option<ContactId>,
    /// How many users the person was: one in each version that was sent to them or that they started. Null if nothing was
    /// erased.
    erased_users: Option<i32>,
    /// Why nothing was erased; empty on success.
    user_errors: Vec<UserError>,
}

#[Object(guard = "Writes(Scope::Admin)")]
impl ContactMutation {
    /// Erases a person's data in all conversations: phone, WhatsApp id, name, variables, message texts and payloads, and
    /// whatever arrived and still waits or was kept. What is queued for them fails with `CANCELED`. The users stay, with
    /// times and states only, so all figures stay; they count as opted out. It cannot be undone. Whoever writes
    /// from the same number afterwards is somebody new. A number that is on a list still being uploaded or prepared is a
    /// `CONFLICT`. It requires a token with the scope ADMIN.
    async fn erase_contact(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Whose data to erase.")] contact: ContactInput,
    ) -> Result<Fresh<EraseContactPayload>> {
        let mut errors = UserErrors::default();
        let erased = erase(ctx, contact, &mut errors).await?;
        let (contact, users) = erased.unzip();
        let erased_users = users.map(|users| int(i64::try_from(users).unwrap_or(i64::MAX)));
        finish(ctx, EraseContactPayload { contact, erased_users, user_errors: errors.into_vec() }).await
    }
}

impl Payload for EraseContactPayload {
    fn subject(&self) -> Option<ID> {
        self.contact.map(|contact| ID(contact.to_string()))
    }

    fn user_errors(&self) -> &[UserError] {
        &self.user_errors
    }
}

/// Who was erased, and how many users that was.
async fn erase(ctx: &Context<'_>, input: ContactInput, errors: &mut UserErrors) -> Result<Option<(ContactId, usize)>> {
    let request = ctx.request()?;
    let (place, person) = read(input, errors)?;
    let Some(person) = person else { return Ok(None) };
    let contacts = erasure::find(&request.tenant, &person).await?;
    errors.found(place.clone(), "person who is known", contacts.first());
    let mut erased = None;
    for contact in contacts {
        match request.backend.recorder.erase(request.tenant.workspace(), contact, None).await? {
            Erasure::Done { users, .. } => {
                let (first, total) = erased.unwrap_or((contact, 0));
                erased = Some((first, total + users));
            }
            Erasure::Staged => {
                let fault = Fault::new(
                    "names somebody on a list that is still being uploaded or prepared; erase them afterwards",
                );
                errors.refuse(place, UserErrorCode::Conflict, &fault);
                break;
            }
            // Nobody asked whether the person is silent.
            Erasure::Heard => {}
        }
    }
    Ok(erased)
}

/// Who is meant, and the place that says so.
fn read(input: ContactInput, errors: &mut UserErrors) -> Result<(Place, Option<Person>)> {
    let place = Place::of("contact");
    Ok(match input {
        ContactInput::Phone(phone) => {
            let place = place.field("phone");
            let phone = errors.check(place.clone(), read_phone(&phone, None));
            (place, phone.map(Person::Phone))
        }
        ContactInput::UserId(id) => {
            let place = place.field("userId");
            let id = errors.found(place.clone(), "user", read_user_id(&id, &place)?);
            (place, id.map(Person::User))
        }
    })
}
