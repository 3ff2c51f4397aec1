//! The funnel of a version: how many sessions entered each step of its flow, went on from it, and ended in it.
//!
//! The figures are sums of what single sessions add, moved when a session moves, as the tally is: reading them costs the same
//! for any number of users. How long answers took is counted by seconds rounded to two digits, so that a median is exact to
//! those two digits and its counters are a few hundred at most.

use std::collections::BTreeMap;

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

    /// Adds it to the figures of a version, or takes it from them if `sign` is -1.
    pub fn add_to(&self, funnels: &mut Funnels, version: VersionId, flow: &Flow, sign: i64) {
        let mut add = |step: u16, figure: fn(&mut StepFigures) -> &mut i64| {
            if let Some(name) = flow.step_at(step) {
                *figure(funnels.entry((version, name.to_owned())).or_default()) += sign;
            }
        };
        self.entered.iter().for_each(|step| add(step, |figures| &mut figures.entered));
        self.answered.iter().for_each(|step| add(step, |figures| &mut figures.answered));
        self.left.iter().for_each(|step| add(*step, |figures| &mut figures.left));
    }
}

impl StepFigures {
    /// Whether nothing changes.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl FunnelStep {
    /// The share of those who entered that ended here; `None` if nobody entered.
    #[expect(clippy::cast_precision_loss, reason = "a share needs no more digits than a double has")]
    pub fn left_share(&self) -> Option<f64> {
        (self.figures.entered > 0).then(|| self.figures.left as f64 / self.figures.entered as f64)
    }
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
    fn the_median_is_the_duration_in_the_middle() {
        assert_eq!(median(&[]), None);
        assert_eq!(median(&[(7, 1)]), Some(7));
        assert_eq!(median(&[(1, 2), (5, 2)]), Some(1));
        assert_eq!(median(&[(1, 2), (5, 1), (9, 2)]), Some(5));
    }
}
