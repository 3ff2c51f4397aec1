//! What the simulator has seen: counters for operators and tests.
//!
//! It remembers every recipient and all callback data by their hashes, at about fifty bytes per message, in order to detect
//! duplicates, and when each person last wrote, for the customer service window.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use tokio::time::Instant;
use uuid::Uuid;

use crate::domain::id::derived_key;

/// Counters since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// Calls to send a message with a valid token.
    pub calls: u64,
    /// Messages that were accepted, regardless of the answer.
    pub accepted: u64,
    /// Distinct callback data among the accepted messages.
    pub distinct_callbacks: u64,
    /// Accepted messages with the same callback data as an earlier one, which were hence sent twice.
    pub duplicates: u64,
    /// The most calls on one line in any one second.
    pub max_calls_per_second: usize,
    /// Webhooks that were answered with 200.
    pub posted: u64,
    /// Attempts to post a webhook that failed or were answered otherwise.
    pub failed_posts: u64,
    /// Updates in the webhooks that were answered with 200.
    pub updates: u64,
    /// Updates that were given up after the last attempt.
    pub given_up: u64,
}

/// Everything that was seen.
#[derive(Debug, Default)]
pub(super) struct Record {
    pub(super) counters: Counters,
    /// The number of messages of each kind between a line and a person.
    numbers: HashMap<Uuid, u32>,
    callbacks: HashMap<Uuid, u32>,
    /// When each person last wrote to each line.
    written: HashMap<Uuid, Instant>,
    lines: HashMap<String, Window>,
}

/// The calls within the last second, and the most within any second.
#[derive(Debug, Default)]
struct Window {
    recent: VecDeque<Instant>,
    most: usize,
}

const SECOND: Duration = Duration::from_secs(1);

impl Record {
    /// Counts a call. Returns the number of earlier calls for the same recipient and line.
    pub(super) fn call(&mut self, phone_number_id: &str, recipient: &str, now: Instant) -> u32 {
        self.counters.calls += 1;
        let most = self.lines.entry(phone_number_id.to_owned()).or_default().note(now);
        self.counters.max_calls_per_second = self.counters.max_calls_per_second.max(most);
        self.next_of("recipient", phone_number_id, recipient)
    }

    /// Counts an unprompted message of a user. Returns the number of earlier ones on the same line.
    pub(super) fn write(&mut self, phone_number_id: &str, from: &str) -> u32 {
        self.next_of("writer", phone_number_id, from)
    }

    /// Counts an accepted message.
    pub(super) fn accept(&mut self, callback: Option<&str>) {
        self.counters.accepted += 1;
        let Some(callback) = callback else { return };
        let times = self.callbacks.entry(callback_key(callback)).or_default();
        *times += 1;
        if *times == 1 {
            self.counters.distinct_callbacks += 1;
        } else {
            self.counters.duplicates += 1;
        }
    }

    /// How often a message with this callback data was accepted.
    pub(super) fn accepted_times(&self, callback: &str) -> u32 {
        self.callbacks.get(&callback_key(callback)).copied().unwrap_or_default()
    }

    /// Notes that somebody with this user id wrote to a line.
    pub(super) fn hear(&mut self, phone_number_id: &str, user_id: &str, now: Instant) {
        self.written.insert(pair_key("written", phone_number_id, user_id), now);
    }

    /// How long ago the person last wrote to the line; `None` if the person never did.
    pub(super) fn silence(&self, phone_number_id: &str, user_id: &str, now: Instant) -> Option<Duration> {
        let last = self.written.get(&pair_key("written", phone_number_id, user_id))?;
        Some(now.duration_since(*last))
    }

    fn next_of(&mut self, kind: &str, phone_number_id: &str, person: &str) -> u32 {
        let number = self.numbers.entry(pair_key(kind, phone_number_id, person)).or_default();
        *number += 1;
        *number - 1
    }
}

impl Window {
    fn note(&mut self, now: Instant) -> usize {
        while self.recent.front().is_some_and(|&first| now.duration_since(first) >= SECOND) {
            self.recent.pop_front();
        }
        self.recent.push_back(now);
        self.most = self.most.max(self.recent.len());
        self.most
    }
}

fn pair_key(kind: &str, phone_number_id: &str, person: &str) -> Uuid {
    derived_key(kind, &[phone_number_id.as_bytes(), person.as_bytes()])
}

fn callback_key(callback: &str) -> Uuid {
    derived_key("callback", &[callback.as_bytes()])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeated_callback_data_counts_as_a_duplicate() {
        let mut record = Record::default();
        for callback in [Some("a"), Some("b"), Some("a"), None, None] {
            record.accept(callback);
        }
        let Counters { accepted, distinct_callbacks, duplicates, .. } = record.counters;
        assert_eq!((accepted, distinct_callbacks, duplicates), (5, 2, 1));
        assert_eq!(["a", "b", "c"].map(|callback| record.accepted_times(callback)), [2, 1, 0]);
    }

    #[test]
    fn calls_are_numbered_by_line_and_recipient() {
        let mut record = Record::default();
        let now = Instant::now();
        let calls = [("1", "57"), ("1", "57"), ("2", "57"), ("1", "58"), ("1", "57")];
        assert_eq!(calls.map(|(line, recipient)| record.call(line, recipient, now)), [0, 1, 0, 0, 2]);
    }

    #[test]
    fn silence_counts_from_the_last_message_to_the_line() {
        let mut record = Record::default();
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        for (line, seconds) in [("1", 0), ("2", 3), ("1", 2)] {
            record.hear(line, "US.7", at(seconds));
        }
        assert_eq!(record.silence("1", "US.7", at(10)), Some(Duration::from_secs(8)));
        assert_eq!(record.silence("2", "US.7", at(10)), Some(Duration::from_secs(7)));
        assert_eq!((record.silence("3", "US.7", at(10)), record.silence("1", "US.8", at(10))), (None, None));
    }

    #[test]
    fn the_busiest_second_is_found_wherever_it_begins() {
        let mut record = Record::default();
        let start = Instant::now();
        for millis in [0, 900, 950, 999, 1_000, 1_950, 5_000] {
            record.call("1", "57", start + Duration::from_millis(millis));
            record.call("2", "57", start + Duration::from_millis(millis * 10));
        }
        assert_eq!(record.counters.max_calls_per_second, 4);
    }
}
