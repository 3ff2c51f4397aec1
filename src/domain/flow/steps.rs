//! Sets of steps, by their places among the names of a flow, which never change once it is published.

/// A set of steps: four in a byte, the first steps first, and no empty byte at the end.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Steps(Vec<u8>);

/// The steps that one digit of a written set stands for.
const STEPS_PER_DIGIT: u16 = 4;
const HEXADECIMAL: u32 = 16;

/// No steps.
static NONE: Steps = Steps(Vec::new());

impl Steps {
    /// Adds a step; returns whether it is new.
    pub fn add(&mut self, step: u16) -> bool {
        let (digit, bit) = place(step);
        if self.0.len() <= digit {
            self.0.resize(digit + 1, 0);
        }
        let Some(digit) = self.0.get_mut(digit) else { return false };
        let is_new = *digit & bit == 0;
        *digit |= bit;
        is_new
    }

    /// Whether a step is among them.
    pub fn contains(&self, step: u16) -> bool {
        let (digit, bit) = place(step);
        self.0.get(digit).is_some_and(|digit| digit & bit != 0)
    }

    /// The steps, in order.
    pub fn iter(&self) -> impl Iterator<Item = u16> {
        self.without(&NONE)
    }

    /// The steps that are not among others, in order.
    pub fn without(&self, others: &Self) -> impl Iterator<Item = u16> {
        let others = others.0.iter().copied().chain(std::iter::repeat(0));
        let digits = (0_u16..).zip(self.0.iter().zip(others)).map(|(at, (digit, other))| (at, digit & !other));
        digits.filter(|(_, digit)| *digit != 0).flat_map(|(at, digit)| {
            let steps = (0..STEPS_PER_DIGIT).filter(move |step| digit >> step & 1 == 1);
            steps.map(move |step| at * STEPS_PER_DIGIT + step)
        })
    }

    /// The set as hexadecimal digits, four steps a digit, the first steps first.
    pub fn written(&self) -> String {
        self.0.iter().filter_map(|digit| char::from_digit(u32::from(*digit), HEXADECIMAL)).collect()
    }

    /// Reads what [`Steps::written`] wrote.
    pub fn read(text: &str) -> Option<Self> {
        let digits = text.trim_end_matches('0').chars().map(|letter| u8::try_from(letter.to_digit(HEXADECIMAL)?).ok());
        digits.collect::<Option<Vec<u8>>>().map(Self)
    }
}

/// The digit of a step, and its bit there.
fn place(step: u16) -> (usize, u8) {
    (usize::from(step / STEPS_PER_DIGIT), 1 << (step % STEPS_PER_DIGIT))
}

impl FromIterator<u16> for Steps {
    fn from_iter<I: IntoIterator<Item = u16>>(all: I) -> Self {
        let mut steps = Self::default();
        for step in all {
            steps.add(step);
        }
        steps
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

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

        #[test]
        fn a_set_is_a_set(steps in btree_set(0_u16..40, 0..20), others in btree_set(0_u16..60, 0..20)) {
            let (set, other): (Steps, Steps) = (steps.iter().copied().collect(), others.iter().copied().collect());
            prop_assert_eq!(set.iter().collect::<BTreeSet<_>>(), steps.clone());
            prop_assert!((0..70).all(|step| set.contains(step) == steps.contains(&step)));
            prop_assert_eq!(set.without(&other).collect::<Vec<_>>(), steps.difference(&others).copied().collect::<Vec<_>>());
            prop_assert!((0..70).all(|step| set.clone().add(step) != steps.contains(&step)));
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
