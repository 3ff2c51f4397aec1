//! A variable got a value.

use async_graphql::{ID, InputObject};

use super::Reader;
use crate::domain::fact::Fact;
use crate::domain::input::{MAX_VARIABLE_NAME_BYTES, MAX_VARIABLE_VALUE_BYTES, check_name, check_text};
use crate::graphql::error::Result;
use crate::graphql::given::Given;
use crate::graphql::place::Place;
use crate::graphql::scalars::DateTime;

/// A variable was given a value. Exactly one of `deploymentId` and `providerMessageId` must be given.
#[derive(Debug, InputObject)]
pub(crate) struct VariableFact {
    /// The deployment. If the workspace has no such deployment, the error is `NOT_FOUND`.
    pub(crate) deployment_id: Option<ID>,
    /// The provider's id of a message of the deployment; 1 to 512 bytes. If that message is not known yet, the fact is
    /// parked until it is.
    provider_message_id: Option<String>,
    /// The variable's name; 1 to 100 bytes.
    name: String,
    /// Its value; at most 8,192 bytes.
    value: String,
    /// When it was given. If there are several values, the one given last counts.
    at: Given<DateTime>,
}

impl VariableFact {
    /// The fact in the domain's terms; `None` where it was refused.
    pub(crate) fn read(self, place: &Place, reader: &mut Reader<'_>) -> Result<Option<Fact>> {
        let of = reader.target(place, self.deployment_id.as_ref(), self.provider_message_id.as_deref())?;
        let at = reader.at(place, &self.at)?;
        let Self { name, value, .. } = self;
        reader.errors.check(place.field("name"), check_name(&name, MAX_VARIABLE_NAME_BYTES));
        reader.errors.check(place.field("value"), check_text(&value, MAX_VARIABLE_VALUE_BYTES));
        Ok(of.zip(at).map(|(of, at)| Fact::Variable { of, name, value, at }))
    }
}
