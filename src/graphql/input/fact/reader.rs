//! What the readings of all kinds of facts share.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use async_graphql::ID;

use crate::domain::clock::Timestamp;
use crate::domain::fact::Target;
use crate::domain::id::{DeploymentId, LineId};
use crate::domain::input::{Fault, MAX_PROVIDER_ID_BYTES, check_name};
use crate::domain::line::Line;
use crate::graphql::error::Result;
use crate::graphql::given::Given;
use crate::graphql::input::id::{read_deployment_id, read_line_id};
use crate::graphql::place::Place;
use crate::graphql::scalars::DateTime;
use crate::graphql::user_error::UserErrors;

/// What the workspace has of what facts name.
#[derive(Debug, Default)]
pub(crate) struct Known {
    /// Deployments.
    pub(crate) deployments: HashSet<DeploymentId>,
    /// Lines.
    pub(crate) lines: HashMap<LineId, Arc<Line>>,
}

/// Reads facts, and refuses what is wrong with them.
pub(crate) struct Reader<'a> {
    /// What they may name.
    pub(crate) known: Known,
    /// The latest instant at which one may have happened.
    pub(crate) latest: Timestamp,
    /// What was refused.
    pub(crate) errors: &'a mut UserErrors,
}

impl Reader<'_> {
    /// When it happened; refused where that is still to come.
    pub(crate) fn at(&mut self, fact: &Place, given: &Given<DateTime>) -> Result<Option<Timestamp>> {
        let place = fact.field("at");
        let DateTime(at) = given.read(&place)?;
        let at = if at > self.latest { Err(Fault(format!("is {at}, which is in the future"))) } else { Ok(at) };
        Ok(self.errors.check(place, at))
    }

    /// What a fact is about, named in exactly one way.
    pub(crate) fn target(
        &mut self,
        fact: &Place,
        deployment: Option<&ID>,
        message: Option<&str>,
    ) -> Result<Option<Target>> {
        match (deployment, message) {
            (Some(id), None) => self.deployment(fact.field("deploymentId"), id),
            (None, Some(id)) => {
                let checked = check_name(id, MAX_PROVIDER_ID_BYTES).map(|()| Target::provider(id.to_owned()));
                Ok(self.errors.check(fact.field("providerMessageId"), checked))
            }
            _ => {
                let fault = Fault::new("requires exactly one of \"deploymentId\" and \"providerMessageId\"");
                Ok(self.errors.check(fact.clone(), Err(fault)))
            }
        }
    }

    /// The line that a message was on.
    pub(crate) fn line(&mut self, place: Place, id: &ID) -> Result<Option<Arc<Line>>> {
        let line = read_line_id(id, &place)?.and_then(|id| self.known.lines.get(&id).cloned());
        Ok(self.errors.found(place, "line", line))
    }

    fn deployment(&mut self, place: Place, id: &ID) -> Result<Option<Target>> {
        let id = read_deployment_id(id, &place)?.filter(|id| self.known.deployments.contains(id));
        Ok(self.errors.found(place, "deployment", id).map(Target::Deployment))
    }
}
