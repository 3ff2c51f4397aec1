//! The latest changes of a watched version, so that clients at the head of the log share one read.

use std::collections::VecDeque;

use crate::domain::user::Change;

/// The most changes that are kept. A client that is further behind reads the log for itself.
const MAX_LENGTH: usize = 2_048;

/// Consecutive changes, up to the latest that was read.
#[derive(Debug, Default)]
pub(super) struct Tail {
    changes: VecDeque<Change>,
}

impl Tail {
    /// Up to `limit` changes after a revision; `None` if the tail does not reach that far back.
    pub(super) fn after(&self, revision: i64, limit: usize) -> Option<Vec<Change>> {
        let first = self.changes.front()?.revision;
        let skipped = usize::try_from(revision.checked_add(1)?.checked_sub(first)?).ok()?;
        Some(self.changes.iter().skip(skipped).take(limit).cloned().collect())
    }

    /// The revision of its latest change; `None` if it is empty.
    pub(super) fn head(&self) -> Option<i64> {
        self.changes.back().map(|change| change.revision)
    }

    /// Appends changes. If they do not directly follow the head, what was there before is dropped, so that there is no gap.
    pub(super) fn append(&mut self, changes: &[Change]) {
        let follows = changes.first().zip(self.head()).is_some_and(|(first, head)| first.revision == head + 1);
        if !follows && !changes.is_empty() {
            self.changes.clear();
        }
        self.changes.extend(changes.iter().cloned());
        let excess = self.changes.len().saturating_sub(MAX_LENGTH);
        self.changes.drain(..excess);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::clock::Timestamp;
    use crate::domain::id::new_key;
    use crate::domain::standing::Cell;
    use crate::domain::user::ChangeKinds;

    fn changes(revisions: std::ops::Range<i64>) -> Vec<Change> {
        let change = |revision| Change {
            revision,
            user: new_key().into(),
            at: Timestamp::MIN,
            kinds: ChangeKinds::from_bits(1),
            before: None,
            after: Cell::QUEUED,
        };
        revisions.map(change).collect()
    }

    fn revisions(changes: Option<Vec<Change>>) -> Option<Vec<i64>> {
        changes.map(|changes| changes.iter().map(|change| change.revision).collect())
    }

    #[test]
    fn it_serves_clients_near_the_head_and_sends_others_to_the_log() {
        let mut tail = Tail::default();
        assert_eq!(tail.after(0, 10), None);
        tail.append(&changes(5..8));
        assert_eq!(revisions(tail.after(4, 10)), Some(vec![5, 6, 7]));
        assert_eq!(revisions(tail.after(5, 1)), Some(vec![6]));
        assert_eq!(revisions(tail.after(7, 10)), Some(vec![]));
        assert_eq!(tail.after(3, 10), None);
    }

    #[test]
    fn it_has_no_gaps_and_a_bounded_length() {
        let mut tail = Tail::default();
        tail.append(&changes(1..4));
        tail.append(&changes(9..11));
        assert_eq!(tail.after(3, 10), None);
        tail.append(&changes(11..3_000));
        assert_eq!((tail.changes.len(), tail.head()), (MAX_LENGTH, Some(2_999)));
    }
}
