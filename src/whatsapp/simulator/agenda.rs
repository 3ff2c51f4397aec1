//! A priority queue of webhooks to post, ordered by due time.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use tokio::time::Instant;

use super::update::Update;

/// Updates that are posted in the same webhook.
#[derive(Debug)]
pub(super) struct Posting {
    pub(super) due: Instant,
    /// The number of failed attempts.
    pub(super) failed: u32,
    pub(super) updates: Vec<Update>,
}

/// Postings ordered by due time, and then in the order in which they were added.
#[derive(Debug, Default)]
pub(super) struct Agenda {
    waiting: BinaryHeap<Numbered>,
    next_number: u64,
}

#[derive(Debug)]
struct Numbered {
    number: u64,
    posting: Posting,
}

impl Posting {
    /// The first attempt to post an update.
    pub(super) fn first(due: Instant, update: Update) -> Self {
        Self { due, failed: 0, updates: vec![update] }
    }
}

impl Agenda {
    pub(super) fn add(&mut self, posting: Posting) {
        self.waiting.push(Numbered { number: self.next_number, posting });
        self.next_number += 1;
    }

    /// When the next posting is due.
    pub(super) fn next_due(&self) -> Option<Instant> {
        self.waiting.peek().map(|next| next.posting.due)
    }

    /// Takes what is due at `now` as one posting of at most `most` updates. A posting that failed before is not combined with
    /// others, since the provider retries with the same body.
    pub(super) fn take_due(&mut self, now: Instant, most: usize) -> Option<Posting> {
        let mut taken = self.pop_if(|next| next.due <= now)?;
        while taken.failed == 0 && taken.updates.len() < most {
            let Some(next) = self.pop_if(|next| next.due <= now && next.failed == 0) else { break };
            taken.updates.extend(next.updates);
        }
        Some(taken)
    }

    fn pop_if(&mut self, condition: impl Fn(&Posting) -> bool) -> Option<Posting> {
        let next = self.waiting.peek()?;
        if condition(&next.posting) { self.waiting.pop().map(|next| next.posting) } else { None }
    }
}

impl Ord for Numbered {
    /// Reversed, since the heap returns the greatest first.
    fn cmp(&self, other: &Self) -> Ordering {
        (other.posting.due, other.number).cmp(&(self.posting.due, self.number))
    }
}

impl PartialOrd for Numbered {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Numbered {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Numbered {}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;
    use crate::domain::clock::Timestamp;
    use crate::whatsapp::simulator::call::Recipient;
    use crate::whatsapp::simulator::course::Event;
    use crate::whatsapp::simulator::update::{Person, Subject};

    fn posting(due: Instant, code: i32) -> Posting {
        let subject = Arc::new(Subject {
            phone_number_id: "1065".into(),
            person: Person::behind(&Recipient::User("CO.7".into()), 1),
            wamid: "wamid.A".into(),
            callback: None,
            quoted: None,
        });
        Posting::first(due, Update { subject, event: Event::Failed(code), at: Timestamp::MIN })
    }

    fn codes(posting: &Posting) -> Vec<i32> {
        let code = |update: &Update| match update.event {
            Event::Failed(code) => Some(code),
            _ => None,
        };
        posting.updates.iter().filter_map(code).collect()
    }

    #[test]
    fn due_updates_are_posted_together_and_in_order() {
        let now = Instant::now();
        let at = |seconds| now + Duration::from_secs(seconds);
        let mut agenda = Agenda::default();
        for (due, code) in [(3, 3), (1, 1), (2, 2), (1, 11), (9, 9)] {
            agenda.add(posting(at(due), code));
        }
        assert_eq!(agenda.next_due(), Some(at(1)));
        assert!(agenda.take_due(now, 10).is_none());
        assert_eq!(codes(&agenda.take_due(at(5), 3).unwrap()), [1, 11, 2]);
        assert_eq!(codes(&agenda.take_due(at(5), 3).unwrap()), [3]);
        assert!(agenda.take_due(at(5), 3).is_none());
    }

    #[test]
    fn a_failed_posting_is_retried_unchanged() {
        let now = Instant::now();
        let mut agenda = Agenda::default();
        agenda.add(Posting { failed: 1, ..posting(now, 1) });
        agenda.add(posting(now, 2));
        agenda.add(Posting { failed: 1, ..posting(now, 3) });
        agenda.add(posting(now, 4));
        let taken = std::iter::from_fn(|| agenda.take_due(now, 10)).map(|taken| codes(&taken)).collect::<Vec<_>>();
        assert_eq!(taken, [vec![1], vec![2], vec![3], vec![4]]);
    }
}
