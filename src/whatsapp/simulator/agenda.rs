//! What is to be posted, by the time at which it is due.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use tokio::time::Instant;

use super::update::Update;

/// Updates to be posted together.
#[derive(Debug)]
pub(super) struct Posting {
    pub(super) due: Instant,
    /// How many attempts failed.
    pub(super) failed: u32,
    pub(super) updates: Vec<Update>,
}

/// Postings by the time at which they are due, and then by the order in which they came.
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

    /// When the next one is due.
    pub(super) fn next_due(&self) -> Option<Instant> {
        self.waiting.peek().map(|next| next.posting.due)
    }

    /// Takes what is due at `now`, at most `most` updates of it as one posting. What failed before goes alone, as it was:
    /// the provider posts the same body again.
    pub(super) fn take_due(&mut self, now: Instant, most: usize) -> Option<Posting> {
        let mut taken = self.pop_if(|next| next.due <= now)?;
        while taken.failed == 0 && taken.updates.len() < most {
            let Some(next) = self.pop_if(|next| next.due <= now && next.failed == 0) else { break };
            taken.updates.extend(next.updates);
        }
        Some(taken)
    }

    fn pop_if(&mut self, goes: impl Fn(&Posting) -> bool) -> Option<Posting> {
        let next = self.waiting.peek()?;
        if goes(&next.posting) { self.waiting.pop().map(|next| next.posting) } else { None }
    }
}

impl Ord for Numbered {
    /// Reversed, since the heap gives the greatest first.
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
    fn what_is_due_goes_in_order_and_together() {
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
    fn what_failed_before_goes_again_as_it_was() {
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
