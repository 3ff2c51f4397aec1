//! Facts: the door for teams whose own bot or provider does the talking.

use async_graphql::{Context, ID, Object, SimpleObject};
use futures_util::future::try_join_all;

use super::{Payload, finish};
use crate::auth::Scope;
use crate::domain::clock::MAX_CLOCK_SKEW;
use crate::domain::fact::Fact;
use crate::domain::input::Fault;
use crate::graphql::connection::int;
use crate::graphql::context::{ContextExt, Writes};
use crate::graphql::error::Result;
use crate::graphql::fresh::Fresh;
use crate::graphql::input::fact::{FactInput, Known, Reader};
use crate::graphql::place::Place;
use crate::graphql::user_error::{UserError, UserErrorCode, UserErrors};
use crate::recorder::Recorded;

#[derive(Default)]
pub(crate) struct FactMutation;

/// The result of recording facts.
#[derive(Default, SimpleObject)]
pub(crate) struct RecordFactsPayload {
    /// Facts that are recorded, including those that were already known.
    recorded: i32,
    /// Facts about a message that is not known yet. They are kept, and recorded once it is.
    parked: i32,
    /// Facts that belong to no conversation, such as a message on a line without an INBOUND conversation. They are kept
    /// for the operators and affect no figure.
    kept: i32,
    /// Why the facts were rejected, all of them together; empty on success.
    user_errors: Vec<UserError>,
}

/// How many facts one call may bring.
const MAX_FACTS: usize = 1_000;

#[Object(guard = "Writes(Scope::Write)")]
impl FactMutation {
    /// Records what happened elsewhere: statuses, messages, sessions, completions and variables, just as WhatsApp's
    /// webhooks report them. Facts may come in any order and any number of times; what is already known changes
    /// nothing. The response comes once they are stored.
    async fn record_facts(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The facts; at most 1,000. If one is rejected, none is recorded.")] facts: Vec<FactInput>,
    ) -> Result<Fresh<RecordFactsPayload>> {
        let mut errors = UserErrors::default();
        let facts = read(ctx, facts, &mut errors).await?;
        if !errors.is_empty() {
            let payload = RecordFactsPayload { user_errors: errors.into_vec(), ..RecordFactsPayload::default() };
            return finish(ctx, payload).await;
        }
        let request = ctx.request()?;
        let recorded = request.backend.recorder.record(request.tenant.workspace(), None, facts).await?;
        finish(ctx, RecordFactsPayload::from(recorded.as_slice())).await
    }
}

/// Reads facts into the domain's terms; whatever is wrong with them is refused.
async fn read(ctx: &Context<'_>, facts: Vec<FactInput>, errors: &mut UserErrors) -> Result<Vec<Fact>> {
    let place = Place::of("facts");
    if facts.len() > MAX_FACTS {
        let fault = Fault(format!("has {} facts; the maximum is {MAX_FACTS}", facts.len()));
        errors.refuse(place, UserErrorCode::TooMany, &fault);
        return Ok(Vec::new());
    }
    let known = find_named(ctx, &facts).await?;
    let mut reader = Reader { known, latest: ctx.request()?.now().plus(MAX_CLOCK_SKEW), errors };
    let facts = facts.into_iter().enumerate().map(|(index, fact)| fact.read(&place.item(index), &mut reader));
    Ok(facts.collect::<Result<Vec<_>>>()?.into_iter().flatten().collect())
}

/// Finds the deployments and lines that facts name, in one statement each.
async fn find_named(ctx: &Context<'_>, facts: &[FactInput]) -> Result<Known> {
    let loaders = ctx.loaders()?;
    let (mut deployments, mut lines) = (Vec::new(), Vec::new());
    for (index, fact) in facts.iter().enumerate() {
        let place = Place::of("facts").item(index);
        deployments.extend(fact.deployment_id(&place)?.map(|id| loaders.deployments().load(id)));
        lines.extend(fact.line_id(&place)?.map(|id| loaders.lines().load(id)));
    }
    let deployments = try_join_all(deployments).await?;
    let lines = try_join_all(lines).await?;
    Ok(Known {
        deployments: deployments.into_iter().flatten().map(|deployment| deployment.id).collect(),
        lines: lines.into_iter().flatten().map(|line| (line.id, line)).collect(),
    })
}

impl Payload for RecordFactsPayload {
    fn subject(&self) -> Option<ID> {
        None
    }

    fn user_errors(&self) -> &[UserError] {
        &self.user_errors
    }
}

impl From<&[Recorded]> for RecordFactsPayload {
    fn from(recorded: &[Recorded]) -> Self {
        let count = |outcome| {
            let count = recorded.iter().filter(|&&one| one == outcome).count();
            int(i64::try_from(count).unwrap_or(i64::MAX))
        };
        Self {
            recorded: count(Recorded::Merged),
            parked: count(Recorded::Parked),
            kept: count(Recorded::Kept),
            user_errors: Vec::new(),
        }
    }
}
