//! The funnel of a version: how many sessions entered each step of its flow, went on from it, and ended in it.
//!
//! The figures are sums of what single sessions add, moved when a session moves, as the tally is: reading them costs the same
//! for any number of users. How long answers took is counted by seconds rounded to two digits, so that a median is exact to
//! those two digits and its counters are a few hundred at most.

use std::collections::{BTreeMap, HashMap};

use super::flow::Flow;
use super::flow::engine::State;
use super::flow::steps::Steps;
use super::id::VersionId;
use super::standing::SessionStatus;

/// What a session adds to the funnel of its version.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Contribution {
    /// The steps that it entered. The first step of a conversation that was sent counts as entered by everybody whom the
    /// message reached, which the tallies of sends know.
    entered: Steps,
    /// The steps from which it went on.
    answered: Steps,
    /// The step in which it ended before its time.
    left: Option<u16>,
}

/// The figures of a step, or a change of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StepFigures {
    /// Sessions that entered the step, each once.
    pub entered: i64,
    /// Sessions that went on from it: by a valid answer, or at once where it asks nothing.
    pub answered: i64,
    /// Sessions that ended in it without an answer.
    pub left: i64,
}

/// Figures by version and step.
pub type Funnels = BTreeMap<(VersionId, String), StepFigures>;

/// A step of a funnel as it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FunnelStep {
    /// The name of the step.
    pub step: String,
    /// How many entered it, went on and left.
    pub figures: StepFigures,
    /// The median of the seconds from entering to the first valid answer, to two digits; `None` without an answer.
    pub median_seconds: Option<i64>,
}

/// Durations below this are counted by the second.
const TWO_DIGITS: i64 = 100;
/// The longest duration that is told apart.
const LONGEST: i64 = 10_000_000;

impl Contribution {
    /// What a session adds that is in a state. `sent` tells whether a send began the conversation.
    pub fn of(flow: &Flow, state: &State, status: Option<SessionStatus>, sent: bool) -> Self {
        let first = flow.place(&flow.start).filter(|_| sent);
        let over = status.is_some_and(SessionStatus::is_over);
        let here = flow.place(&state.step).filter(|_| over);
        Self {
            entered: state.entered.iter().filter(|step| Some(*step) != first).collect(),
            answered: state.answered.clone(),
            left: here.filter(|step| !state.answered.contains(*step)),
        }
    }

    /// By how much the figures of a version change if a session adds `after` instead of this.
    pub fn move_to(&self, after: &Self, funnels: &mut Funnels, version: VersionId, flow: &Flow) {
        for (one, other, sign) in [(self, after, -1), (after, self, 1)] {
            let mut add = |step: u16, figure: fn(&mut StepFigures) -> &mut i64| {
                if let Some(name) = flow.step_at(step) {
                    *figure(funnels.entry((version, name.to_owned())).or_default()) += sign;
                }
            };
            one.entered.without(&other.entered).for_each(|step| add(step, |figures| &mut figures.entered));
            one.answered.without(&other.answered).for_each(|step| add(step, |figures| &mut figures.answered));
            one.left.iter().filter(|_| one.left != other.left).for_each(|step| add(*step, |figures| &mut figures.left));
        }
    }
}

impl StepFigures {
    /// Whether nothing changes.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl FunnelStep {
    /// The share of those who entered that went on from here; `None` if nobody entered.
    pub fn answered_share(&self) -> Option<f64> {
        self.share(self.figures.answered)
    }

    /// The share of those who entered that ended here; `None` if nobody entered.
    pub fn left_share(&self) -> Option<f64> {
        self.share(self.figures.left)
    }

    #[expect(clippy::cast_precision_loss, reason = "a share needs no more digits than a double has")]
    fn share(&self, part: i64) -> Option<f64> {
        (self.figures.entered > 0).then(|| part as f64 / self.figures.entered as f64)
    }
}

/// The steps of a funnel in the order in which the flow can be walked, those included that nobody entered. Those that the flow
/// does not know come last, as they come.
pub fn in_order(flow: Option<&Flow>, steps: &[FunnelStep]) -> Vec<FunnelStep> {
    let mut entered: HashMap<&str, &FunnelStep> = steps.iter().map(|step| (step.step.as_str(), step)).collect();
    let nobody =
        |step: &str| FunnelStep { step: step.to_owned(), figures: StepFigures::default(), median_seconds: None };
    let walk = flow.map(Flow::walk).unwrap_or_default();
    let mut order: Vec<_> =
        walk.into_iter().map(|step| entered.remove(step).cloned().unwrap_or_else(|| nobody(step))).collect();
    order.extend(steps.iter().filter(|step| entered.contains_key(step.step.as_str())).cloned());
    order
}

/// Seconds rounded down to two digits, by which answers are counted.
pub fn rounded(seconds: i64) -> i64 {
    let seconds = seconds.clamp(0, LONGEST);
    let mut unit = 1;
    while seconds / unit >= TWO_DIGITS {
        unit *= 10;
    }
    seconds / unit * unit
}

/// The median of durations, of which each is counted; the lower one of two. The counts are ordered by duration.
pub fn median(counts: &[(i64, i64)]) -> Option<i64> {
    let total: i64 = counts.iter().map(|(_, count)| count).sum();
    let mut before = 0;
    let mut durations = counts.iter();
    let middle = durations.find(|(_, count)| {
        before += count;
        before * 2 >= total
    });
    middle.map(|(seconds, _)| *seconds).filter(|_| total > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_rounded_to_two_digits() {
        for (seconds, expected) in
            [(-3, 0), (0, 0), (99, 99), (100, 100), (109, 100), (119, 110), (86_399, 86_000), (i64::MAX, LONGEST)]
        {
            assert_eq!(rounded(seconds), expected, "{seconds}");
        }
        let distinct: std::collections::BTreeSet<_> = (0..3_000_000).map(rounded).collect();
        assert!(distinct.len() < 500, "{}", distinct.len());
    }

    #[test]
    fn steps_come_in_the_order_of_the_flow_and_unknown_ones_last() {
        let flow = serde_json::json!({ "start": "b", "steps": {
            "a": { "text": "A", "final": true }, "b": { "text": "B", "next": "c" }, "c": { "text": "C", "next": "a" },
        } });
        let flow: Flow = serde_json::from_value(flow).unwrap();
        let step = |name: &str, entered| FunnelStep {
            step: name.to_owned(),
            figures: StepFigures { entered, answered: 1, left: 2 },
            median_seconds: Some(3),
        };
        let known = [step("a", 4), step("b", 8), step("other", 9)];
        let told = |flow| in_order(flow, &known).into_iter().map(|step| (step.step.clone(), step.figures.entered));
        let told = |flow| told(flow).collect::<Vec<_>>();
        let named =
            |steps: &[(&str, i64)]| steps.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect::<Vec<_>>();
        assert_eq!(told(Some(&flow)), named(&[("b", 8), ("c", 0), ("a", 4), ("other", 9)]));
        assert_eq!(told(None), named(&[("a", 4), ("b", 8), ("other", 9)]));
        assert_eq!((known[0].answered_share(), known[0].left_share()), (Some(0.25), Some(0.5)));
        assert_eq!(step("a", 0).left_share(), None);
    }

    #[test]
    fn the_median_is_the_duration_in_the_middle() {
        assert_eq!(median(&[]), None);
        assert_eq!(median(&[(7, 1)]), Some(7));
        assert_eq!(median(&[(1, 2), (5, 2)]), Some(1));
        assert_eq!(median(&[(1, 2), (5, 1), (9, 2)]), Some(5));
    }
}
