//! Reproducible randomness: every draw has its own generator, seeded by what it decides, so that no draw depends on how many
//! came before it.

use rand::rngs::Xoshiro256PlusPlus;
use rand::{Rng, SeedableRng};

use super::settings::Span;
use crate::domain::id::derived_key;

/// The source of all draws about one subject. Equal subjects have equal draws.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Chance(u64);

impl Chance {
    /// The draws about the subject that `parts` identify, for a seed.
    pub(super) fn of(seed: u64, parts: &[&str]) -> Self {
        let seed = seed.to_be_bytes();
        let parts: Vec<&[u8]> = std::iter::once(&seed[..]).chain(parts.iter().map(|part| part.as_bytes())).collect();
        Self(derived_key("simulated chance", &parts).as_u64_pair().0)
    }

    /// The draws about the part of this subject with the number `index`.
    pub(super) fn part(self, index: usize) -> Self {
        Self(self.generator(&index.to_be_bytes()).next_u64())
    }

    /// Whether something happens that has this probability, 0 to 1.
    pub(super) fn happens(self, what: &str, share: f64) -> bool {
        self.fraction(what) < share
    }

    /// Which of several mutually exclusive events happens, by their probabilities; `None` if none does.
    pub(super) fn among(self, what: &str, shares: &[f64]) -> Option<usize> {
        let draw = self.fraction(what);
        let mut sum = 0.0;
        shares.iter().position(|share| {
            sum += share;
            draw < sum
        })
    }

    /// One of several equally likely values; `None` if there are none.
    pub(super) fn pick<'a, T>(self, what: &str, things: &'a [T]) -> Option<&'a T> {
        let count = u64::try_from(things.len()).ok()?;
        let index = (u64::from(self.bits(what)) * count) >> u32::BITS;
        things.get(usize::try_from(index).ok()?)
    }

    /// A uniformly distributed time within a span, in seconds.
    pub(super) fn seconds(self, what: &str, span: Span) -> f64 {
        (span.max - span.min).mul_add(self.fraction(what), span.min)
    }

    /// A uniformly distributed number from 0 (inclusive) to 1 (exclusive).
    fn fraction(self, what: &str) -> f64 {
        f64::from(self.bits(what)) / (f64::from(u32::MAX) + 1.0)
    }

    fn bits(self, what: &str) -> u32 {
        self.generator(what.as_bytes()).next_u32()
    }

    /// A specific generator, since the output of the library's standard one may change with its version.
    fn generator(self, what: &[u8]) -> Xoshiro256PlusPlus {
        Xoshiro256PlusPlus::seed_from_u64(self.0 ^ fnv(what))
    }
}

/// The 64-bit FNV-1a hash: fast, stable across platforms, and good enough to distinguish words.
fn fnv(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_subjects_have_equal_draws_and_others_differ() {
        let chance = Chance::of(1, &["line", "573001234567", "1"]);
        assert_eq!(chance, Chance::of(1, &["line", "573001234567", "1"]));
        assert_ne!(chance, Chance::of(2, &["line", "573001234567", "1"]));
        assert_ne!(chance, Chance::of(1, &["line", "573001234567", "2"]));
        assert_ne!(chance.bits("read"), chance.bits("sent"));
        assert_ne!(chance.part(0), chance.part(1));
    }

    #[test]
    fn probabilities_hold_over_many_draws() {
        let chances: Vec<Chance> = (0..4_000).map(|n: u32| Chance::of(1, &[&n.to_string()])).collect();
        let count = |happens: &dyn Fn(&Chance) -> bool| chances.iter().filter(|chance| happens(chance)).count();
        assert!((1_100..1_300).contains(&count(&|chance| chance.happens("read", 0.3))));
        assert_eq!(count(&|chance| chance.happens("read", 0.0)), 0);
        assert_eq!(count(&|chance| chance.happens("read", 1.0)), 4_000);
        assert!((720..880).contains(&count(&|chance| chance.among("fate", &[0.1, 0.2]) == Some(1))));
        assert!((2_700..2_900).contains(&count(&|chance| chance.among("fate", &[0.1, 0.2]).is_none())));
        assert!((910..1_090).contains(&count(&|chance| chance.pick("one", &[1, 2, 3, 4]) == Some(&4))));
    }

    #[test]
    fn times_stay_within_their_span() {
        for n in 0..1_000 {
            let seconds = Chance::of(n, &[]).seconds("sent", Span::new(2.0, 3.0));
            assert!((2.0..3.0).contains(&seconds));
        }
        assert_eq!(Chance::of(1, &[]).pick::<u8>("none", &[]), None);
    }
}
