//! Funnels: how far the users of a version get in its flow.

use async_graphql::{Context, SimpleObject};
use futures_util::try_join;

use super::version::Version;
use crate::domain;
use crate::domain::flow::Flow;
use crate::graphql::connection::int;
use crate::graphql::context::ContextExt;
use crate::graphql::error::Result;

/// How many got to a step of a flow, and how many got on from it. A session counts in each step once, however often the flow
/// led to it.
#[derive(Debug, Clone, SimpleObject)]
pub(crate) struct FunnelStep {
    /// The name of the step.
    step: String,
    /// How many entered it: sessions to which its message was said. The first step of a conversation that was sent was entered
    /// by everybody whom the message reached, by each deployment that is DELIVERED or READ.
    entered: i32,
    /// How many went on from it: by a valid answer, or at once if it asks nothing, also to an agent or another conversation.
    answered: i32,
    /// `answered / entered`. Null while nobody entered it.
    answered_share: Option<f64>,
    /// How many ended in it without an answer: they expired there, were closed by an agent, or began something else. Whoever
    /// never answered what was sent has no session to end: those are `entered - answered - left` of the first step.
    left: i32,
    /// `left / entered`. Null while nobody entered it.
    left_share: Option<f64>,
    /// The median of the seconds from entering it to its first valid answer, rounded down to two digits. Null while nobody has
    /// answered it.
    median_seconds: Option<i32>,
}

/// Two versions of a conversation beside each other.
#[derive(SimpleObject)]
pub(crate) struct VersionComparison {
    /// The one version.
    a: Version,
    /// The other version.
    b: Version,
    /// The steps by name: those of `b` in its order, then those that only `a` has.
    steps: Vec<StepComparison>,
}

/// A step of the same name in two versions.
#[derive(Debug, Clone, SimpleObject)]
pub(crate) struct StepComparison {
    /// The name of the step.
    step: String,
    /// The step in `a`. Null if `a` has none of this name.
    a: Option<FunnelStep>,
    /// The step in `b`. Null if `b` has none of this name.
    b: Option<FunnelStep>,
    /// The `answeredShare` of `b` minus that of `a`. Null if either has none.
    answered_share_difference: Option<f64>,
    /// The `leftShare` of `b` minus that of `a`. Null if either has none.
    left_share_difference: Option<f64>,
}

impl VersionComparison {
    /// Reads the figures of both.
    pub(crate) async fn of(ctx: &Context<'_>, a: Version, b: Version) -> Result<Self> {
        let (of_a, of_b) = try_join!(funnel_of(ctx, &a), funnel_of(ctx, &b))?;
        Ok(Self { a, b, steps: compare(of_a, of_b) })
    }
}

impl From<domain::funnel::FunnelStep> for FunnelStep {
    fn from(step: domain::funnel::FunnelStep) -> Self {
        let (answered_share, left_share) = (step.answered_share(), step.left_share());
        Self {
            step: step.step,
            entered: int(step.figures.entered),
            answered: int(step.figures.answered),
            answered_share,
            left: int(step.figures.left),
            left_share,
            median_seconds: step.median_seconds.map(int),
        }
    }
}

/// The funnel of a version.
pub(crate) async fn funnel_of(ctx: &Context<'_>, version: &Version) -> Result<Vec<FunnelStep>> {
    let steps = ctx.loaders()?.funnels().load(version.0.key());
    let (version, steps) = try_join!(version.0.row(ctx), steps)?;
    let flow = Flow::of_published(&version.flow);
    let steps = domain::funnel::in_order(flow.as_ref(), &steps.unwrap_or_default());
    Ok(steps.into_iter().map(FunnelStep::from).collect())
}

fn compare(mut of_a: Vec<FunnelStep>, of_b: Vec<FunnelStep>) -> Vec<StepComparison> {
    let both = of_b.into_iter().map(|b| {
        let place = of_a.iter().position(|a| a.step == b.step);
        (place.map(|place| of_a.remove(place)), Some(b))
    });
    let both: Vec<_> = both.collect();
    let only_a = of_a.into_iter().map(|a| (Some(a), None));
    both.into_iter().chain(only_a).map(|(a, b)| StepComparison::of(a, b)).collect()
}

impl StepComparison {
    fn of(a: Option<FunnelStep>, b: Option<FunnelStep>) -> Self {
        let difference = |share: fn(&FunnelStep) -> Option<f64>| {
            let shares = a.as_ref().and_then(share).zip(b.as_ref().and_then(share));
            shares.map(|(a, b)| b - a)
        };
        Self {
            step: b.as_ref().or(a.as_ref()).map(|step| step.step.clone()).unwrap_or_default(),
            answered_share_difference: difference(|step| step.answered_share),
            left_share_difference: difference(|step| step.left_share),
            a,
            b,
        }
    }
}
