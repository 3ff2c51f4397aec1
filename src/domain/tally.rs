//! The tally: a count per cell. It has a few dozen entries, however many users there are.

use std::collections::BTreeMap;

use super::standing::{Cell, DeploymentStatus};

/// The number of users, or of a send's deployments, in each cell. Empty cells are absent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally(BTreeMap<Cell, i64>);

impl Tally {
    /// Moves one unit from the cell `before`, if there was one, to the cell `after`.
    pub fn shift(&mut self, before: Option<Cell>, after: Cell) {
        if before == Some(after) {
            return;
        }
        if let Some(before) = before {
            self.add(before, -1);
        }
        self.add(after, 1);
    }

    /// Adds to a cell. A tally of differences may have negative counts; a tally of users never does.
    pub fn add(&mut self, cell: Cell, count: i64) {
        let sum = self.0.entry(cell).or_insert(0);
        *sum += count;
        if *sum == 0 {
            self.0.remove(&cell);
        }
    }

    /// The cells that are not empty, with their counts.
    pub fn cells(&self) -> impl Iterator<Item = (Cell, i64)> {
        self.0.iter().map(|(&cell, &count)| (cell, count))
    }

    /// The sum over the cells for which `matches` is true.
    pub fn count(&self, matches: impl Fn(Cell) -> bool) -> i64 {
        self.cells().filter(|&(cell, _)| matches(cell)).map(|(_, count)| count).sum()
    }

    /// The sum over all cells.
    pub fn total(&self) -> i64 {
        self.count(|_| true)
    }

    /// The sum over the cells with this status.
    pub fn with_status(&self, status: DeploymentStatus) -> i64 {
        self.count(|cell| cell.status == status)
    }

    /// The count of every status, including zeros, in the order of the enum.
    pub fn by_status(&self) -> Vec<(DeploymentStatus, i64)> {
        DeploymentStatus::ALL.iter().map(|&status| (status, self.with_status(status))).collect()
    }

    /// The cells in which two tallies differ, with the counts of both.
    pub fn differences(&self, other: &Self) -> Vec<(Cell, i64, i64)> {
        let of = |tally: &Self, cell| tally.0.get(&cell).copied().unwrap_or(0);
        let cells: std::collections::BTreeSet<_> = self.0.keys().chain(other.0.keys()).copied().collect();
        let pairs = cells.into_iter().map(|cell| (cell, of(self, cell), of(other, cell)));
        pairs.filter(|(_, mine, theirs)| mine != theirs).collect()
    }
}

impl FromIterator<(Cell, i64)> for Tally {
    fn from_iter<I: IntoIterator<Item = (Cell, i64)>>(counts: I) -> Self {
        let mut tally = Self::default();
        for (cell, count) in counts {
            tally.add(cell, count);
        }
        tally
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;
    use crate::domain::arbitrary::{cell, config};

    proptest! {
        #![proptest_config(config())]

        #[test]
        fn after_any_moves_the_tally_equals_a_recount(moves in vec((0_usize..4, cell()), 0..16)) {
            let mut stands = BTreeMap::new();
            let mut tally = Tally::default();
            for (user, to) in moves {
                tally.shift(stands.insert(user, to), to);
            }
            let recount: Tally = stands.into_values().map(|cell| (cell, 1)).collect();
            prop_assert_eq!(tally.differences(&recount), []);
            prop_assert_eq!(tally, recount);
        }
    }

    #[test]
    fn a_move_keeps_the_total_and_a_newcomer_adds_one() {
        let delivered = Cell { status: DeploymentStatus::Delivered, ..Cell::QUEUED };
        let mut tally = Tally::default();
        tally.shift(None, Cell::QUEUED);
        tally.shift(None, Cell::QUEUED);
        tally.shift(Some(Cell::QUEUED), delivered);
        assert_eq!((tally.total(), tally.with_status(DeploymentStatus::Delivered)), (2, 1));
    }

    #[test]
    fn differences_name_the_cell_and_both_counts() {
        let one: Tally = [(Cell::QUEUED, 2)].into_iter().collect();
        assert_eq!(one.differences(&Tally::default()), [(Cell::QUEUED, 2, 0)]);
        assert_eq!(one.differences(&one), []);
    }
}
