//! Who talks with the user.

use async_graphql::{ID, InputObject};

use super::super::super::error::Result;
use super::super::super::given::Given;
use super::super::super::place::Place;
use super::super::super::scalars::DateTime;
use super::super::super::types::standing::SessionStatus;
use super::Reader;
use crate::domain::fact::Fact;
use crate::domain::merge::Session;

/// Who talks with the user. It names exactly one of `deploymentId` and `providerMessageId`.
#[derive(Debug, InputObject)]
pub(crate) struct SessionFact {
    /// The deployment. One that the workspace does not have is `NOT_FOUND`.
    pub(crate) deployment_id: Option<ID>,
    /// The provider's id of a message of the deployment; 1 to 512 bytes. A fact about one not known yet is parked until it is.
    provider_message_id: Option<String>,
    /// Who talks with the user.
    session_status: SessionStatus,
    /// Since when. Of several reports, the latest counts.
    at: Given<DateTime>,
}

impl SessionFact {
    /// The fact in the domain's terms; `None` where it was refused.
    pub(crate) fn read(self, place: &Place, reader: &mut Reader<'_>) -> Result<Option<Fact>> {
        let of = reader.target(place, self.deployment_id.as_ref(), self.provider_message_id.as_deref())?;
        let at = reader.at(place, &self.at)?;
        let status = self.session_status.into();
        Ok(of.zip(at).map(|(of, at)| Fact::Session { of, session: Session { at, status } }))
    }
}
