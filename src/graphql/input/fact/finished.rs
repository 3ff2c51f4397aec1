//! The user answered a final step of the flow.

use async_graphql::{ID, InputObject};

use super::Reader;
use crate::domain::fact::Fact;
use crate::graphql::error::Result;
use crate::graphql::given::Given;
use crate::graphql::place::Place;
use crate::graphql::scalars::DateTime;

/// The user answered a final step of the flow. Exactly one of `deploymentId` and `providerMessageId` must be given.
#[derive(Debug, InputObject)]
pub(crate) struct FinishedFact {
    /// The deployment. If the workspace has no such deployment, the error is `NOT_FOUND`.
    pub(crate) deployment_id: Option<ID>,
    /// The provider's id of a message of the deployment; 1 to 512 bytes. If that message is not known yet, the fact is
    /// parked until it is.
    provider_message_id: Option<String>,
    /// When it happened. If there are several reports, the earliest counts.
    at: Given<DateTime>,
}

impl FinishedFact {
    /// The fact in the domain's terms; `None` where it was refused.
    pub(crate) fn read(self, place: &Place, reader: &mut Reader<'_>) -> Result<Option<Fact>> {
        let of = reader.target(place, self.deployment_id.as_ref(), self.provider_message_id.as_deref())?;
        let at = reader.at(place, &self.at)?;
        Ok(of.zip(at).map(|(of, at)| Fact::Finished { of, at }))
    }
}
