//! Sets of steps, by their places among the names of a flow, which never change once it is published.

use std::collections::BTreeSet;

/// A set of steps.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Steps(BTreeSet<u16>);

/// The steps that one digit of a written set stands for.
const STEPS_PER_DIGIT: u16 = 4;
const HEXADECIMAL: u32 = 16;

impl Steps {
    /// Adds a step; returns whether it is new.
    pub fn add(&mut self, step: u16) -> bool {
        self.0.insert(step)
    }

    /// Whether a step is among them.
    pub fn contains(&self, step: u16) -> bool {
        self.0.contains(&step)
    }

    /// The steps, in order.
    pub fn iter(&self) -> impl Iterator<Item = u16> {
        self.0.iter().copied()
    }

    /// The set as hexadecimal digits, four steps a digit, the first steps first.
    pub fn written(&self) -> String {
        let digits = self.0.last().map_or(0, |last| last / STEPS_PER_DIGIT + 1);
        let digit = |at: u16| {
            let bit = |step: u16| u32::from(self.contains(at * STEPS_PER_DIGIT + step)) << step;
            char::from_digit((0..STEPS_PER_DIGIT).map(bit).sum(), HEXADECIMAL)
        };
        (0..digits).filter_map(digit).collect()
    }

    /// Reads what [`Steps::written`] wrote.
    pub fn read(text: &str) -> Option<Self> {
        let mut steps = BTreeSet::new();
        for (at, letter) in (0_u16..).zip(text.chars()) {
            let digit = letter.to_digit(HEXADECIMAL)?;
            let bits = (0..STEPS_PER_DIGIT).filter(|step| digit >> step & 1 == 1);
            steps.extend(bits.map(|step| at * STEPS_PER_DIGIT + step));
        }
        Some(Self(steps))
    }
}

impl FromIterator<u16> for Steps {
    fn from_iter<I: IntoIterator<Item = u16>>(steps: I) -> Self {
        Self(steps.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::btree_set;
    use proptest::prelude::*;

    use super::*;
    use crate::domain::arbitrary::config;

    proptest! {
        #![proptest_config(config())]

        #[test]
        fn a_written_set_is_read_as_it_was(steps in btree_set(0_u16..500, 0..40)) {
            let steps: Steps = steps.into_iter().collect();
            prop_assert_eq!(Steps::read(&steps.written()), Some(steps));
        }
    }

    #[test]
    fn four_steps_are_a_digit() {
        let steps: Steps = [0, 1, 5, 7].into_iter().collect();
        assert_eq!(steps.written(), "3a");
        assert_eq!(Steps::default().written(), "");
        assert_eq!(Steps::read("x"), None);
    }
}
