//! Facts that clients bring: one file per kind, each with its reading into the domain's own.

mod finished;
mod message;
mod reader;
mod session;
mod status;
#[cfg(test)]
mod tests;
mod variable;

use async_graphql::OneofObject;

pub(crate) use self::reader::{Known, Reader};
use super::id::{read_deployment_id, read_line_id};
use crate::domain::fact::Fact;
use crate::domain::id::{DeploymentId, LineId};
use crate::graphql::error::Result;
use crate::graphql::place::Place;

/// Something that happened, of exactly one kind. Every fact carries the time at which it happened; an `at` more than 5
/// minutes ahead of the server's clock is rejected.
#[derive(Debug, OneofObject)]
pub(crate) enum FactInput {
    /// How far a message to the user has got.
    Status(status::StatusFact),
    /// A message, in either direction.
    Message(message::MessageFact),
    /// Who handles the conversation.
    Session(session::SessionFact),
    /// The user answered a final step of the flow.
    Finished(finished::FinishedFact),
    /// A variable was given a value.
    Variable(variable::VariableFact),
}

impl FactInput {
    /// The id of the deployment that it names.
    pub(crate) fn deployment_id(&self, place: &Place) -> Result<Option<DeploymentId>> {
        let (kind, id) = match self {
            Self::Status(fact) => ("status", &fact.deployment_id),
            Self::Session(fact) => ("session", &fact.deployment_id),
            Self::Finished(fact) => ("finished", &fact.deployment_id),
            Self::Variable(fact) => ("variable", &fact.deployment_id),
            Self::Message(_) => return Ok(None),
        };
        let place = place.field(kind).field("deploymentId");
        Ok(id.as_ref().map(|id| read_deployment_id(id, &place)).transpose()?.flatten())
    }

    /// The id of the line that it names.
    pub(crate) fn line_id(&self, place: &Place) -> Result<Option<LineId>> {
        match self {
            Self::Message(fact) => read_line_id(&fact.line_id, &place.field("message").field("lineId")),
            _ => Ok(None),
        }
    }

    /// The fact in the domain's terms; `None` where it was refused.
    pub(crate) fn read(self, place: &Place, reader: &mut Reader<'_>) -> Result<Option<Fact>> {
        match self {
            Self::Status(fact) => fact.read(&place.field("status"), reader),
            Self::Message(fact) => fact.read(&place.field("message"), reader),
            Self::Session(fact) => fact.read(&place.field("session"), reader),
            Self::Finished(fact) => fact.read(&place.field("finished"), reader),
            Self::Variable(fact) => fact.read(&place.field("variable"), reader),
        }
    }
}
