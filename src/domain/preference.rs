//! Whether a contact wants to be written to: what it last said, and the words that say so.

use super::clock::Timestamp;
use super::fact::Content;
use super::message::MessageKind;

/// What a contact said about being written to. The latest wins; of two at the same time, the opt-out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub struct Preference {
    /// When the contact said so.
    pub at: Timestamp,
    /// Whether the contact asked not to be written to any more, rather than to be written to again.
    pub stopped: bool,
}

/// The texts by which contacts opt out and in again. A text means one of them only as a whole, regardless of case and of
/// surrounding space: a sentence that contains "stop" is a conversation, not a wish to end it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PreferenceWords {
    stop: Vec<String>,
    resume: Vec<String>,
}

impl PreferenceWords {
    /// These words. One that is in both lists opts out.
    pub fn new(stop: &[String], resume: &[String]) -> Self {
        let folded = |words: &[String]| words.iter().map(|word| folded(word).collect()).collect();
        Self { stop: folded(stop), resume: folded(resume) }
    }

    /// What a message of the contact's says, if it is a typed text or a pressed button with one of the words.
    pub fn said(&self, content: &Content) -> Option<Preference> {
        let worded = matches!(content.kind, MessageKind::Text | MessageKind::Button);
        let text = content.text.as_deref().filter(|_| worded)?;
        let is_among = |words: &[String]| words.iter().any(|word| folded(text).eq(word.chars()));
        let stopped = is_among(&self.stop);
        (stopped || is_among(&self.resume)).then_some(Preference { at: content.at, stopped })
    }
}

/// A text without surrounding space, letter by letter in lower case. Nothing is allocated, since every text passes here.
pub(super) fn folded(text: &str) -> impl Iterator<Item = char> {
    text.trim().chars().flat_map(char::to_lowercase)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_seconds(second).unwrap()
    }

    fn said(kind: MessageKind, text: &str) -> Option<bool> {
        let words = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect::<Vec<_>>();
        let words = PreferenceWords::new(&words(&["STOP", "No más", "both"]), &words(&["start", "Both"]));
        let content = Content { at: at(7), kind, text: Some(text.to_owned()), payload: None };
        let said = words.said(&content);
        assert!(said.is_none_or(|said| said.at == at(7)));
        said.map(|said| said.stopped)
    }

    #[test]
    fn a_whole_text_means_a_word_regardless_of_case_and_surrounding_space() {
        for text in ["stop", "STOP", " Stop\n", "NO MÁS", "no más"] {
            assert_eq!(said(MessageKind::Text, text), Some(true), "{text}");
        }
        assert_eq!(said(MessageKind::Button, "Start"), Some(false));
        for text in ["", " ", "Don't stop", "stop!", "no  más", "sto", "stopp"] {
            assert_eq!(said(MessageKind::Text, text), None, "{text}");
        }
    }

    #[test]
    fn only_texts_and_buttons_have_words() {
        for kind in [MessageKind::Image, MessageKind::Reaction, MessageKind::List, MessageKind::Unsupported] {
            assert_eq!(said(kind, "stop"), None, "{kind:?}");
        }
    }

    #[test]
    fn a_word_in_both_lists_opts_out() {
        assert_eq!(said(MessageKind::Text, "BOTH"), Some(true));
    }

    #[test]
    fn the_latest_wins_and_at_the_same_time_the_opt_out() {
        let preference = |second, stopped| Preference { at: at(second), stopped };
        assert!(preference(2, false) > preference(1, true));
        assert!(preference(2, true) > preference(2, false));
    }
}
