//! The rules by which a message that belongs to no deployment chooses the inbound conversation that it begins.
//!
//! A line's rules are few and always read whole, so they are stored as one JSON text, hence serde.

use serde::{Deserialize, Serialize};

use super::id::ConversationId;
use super::preference::folded;

/// The most rules of a line.
pub const MAX_INBOUND_RULES: usize = 50;
/// The longest keyword, in bytes.
pub const MAX_KEYWORD_BYTES: usize = 100;
/// The longest id or address of what a message was referred by, in bytes; also of those that messages bring.
pub const MAX_REFERRAL_BYTES: usize = 2_048;

/// What makes a message begin a certain conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trigger {
    /// The text contains this as whole words, regardless of case; accents count. It must not be blank.
    Keyword(String),
    /// The message was referred by what has this id, or an address that begins like this. It must not be empty.
    Referral(String),
}

/// A conversation, and what makes a message begin it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InboundRule {
    /// What makes a message begin the conversation.
    pub trigger: Trigger,
    /// The conversation.
    pub conversation: ConversationId,
}

/// The rules of a line, of which the first that matches counts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct InboundRules(pub Vec<InboundRule>);

/// What a user tapped to write a message, such as an advertisement. Either may be unknown.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Referral {
    /// The provider's id of it.
    pub source_id: Option<String>,
    /// Its address.
    pub source_url: Option<String>,
}

impl InboundRules {
    /// The conversation of the first rule that a message matches by its text or its referral; `None` if there is none.
    pub fn choose(&self, text: Option<&str>, referral: Option<&Referral>) -> Option<ConversationId> {
        // Most lines have no rules, and then nothing is allocated.
        let text = text.filter(|_| !self.0.is_empty()).map(spaced);
        let mut rules = self.0.iter();
        rules.find(|rule| rule.trigger.matches(text.as_deref(), referral)).map(|rule| rule.conversation)
    }
}

impl Trigger {
    /// Whether a message matches, by its spaced text and its referral.
    fn matches(&self, text: Option<&str>, referral: Option<&Referral>) -> bool {
        match self {
            Self::Keyword(keyword) => text.is_some_and(|text| text.contains(&spaced(keyword))),
            Self::Referral(source) => referral.is_some_and(|referral| referral.is_from(source)),
        }
    }
}

impl Referral {
    fn is_from(&self, source: &str) -> bool {
        self.source_id.as_deref() == Some(source)
            || self.source_url.as_deref().is_some_and(|address| address.starts_with(source))
    }
}

/// A text in lower case with a single space around each word, and around each sign between words. A text then contains
/// another as whole words where it contains it at all.
fn spaced(text: &str) -> String {
    let mut spaced = " ".to_owned();
    for letter in folded(text) {
        if letter.is_alphanumeric() {
            spaced.push(letter);
            continue;
        }
        end_word(&mut spaced);
        if !letter.is_whitespace() {
            spaced.push(letter);
            spaced.push(' ');
        }
    }
    end_word(&mut spaced);
    spaced
}

fn end_word(spaced: &mut String) {
    if !spaced.ends_with(' ') {
        spaced.push(' ');
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn conversation(number: usize) -> ConversationId {
        Uuid::from_u128(number as u128).into()
    }

    /// Rules whose conversations are numbered in their order.
    fn rules(triggers: Vec<Trigger>) -> InboundRules {
        let rule = |(number, trigger)| InboundRule { trigger, conversation: conversation(number) };
        InboundRules(triggers.into_iter().enumerate().map(rule).collect())
    }

    fn keyword(keyword: &str) -> Trigger {
        Trigger::Keyword(keyword.to_owned())
    }

    fn says(text: &str, word: &str) -> bool {
        rules(vec![keyword(word)]).choose(Some(text), None).is_some()
    }

    fn referred(id: Option<&str>, url: Option<&str>) -> Referral {
        Referral { source_id: id.map(str::to_owned), source_url: url.map(str::to_owned) }
    }

    #[test]
    fn a_keyword_is_found_as_whole_words_regardless_of_case() {
        for text in ["price", "PRICE", " Price?\n", "the price, please", "¿price?", "price/size"] {
            assert!(says(text, "Price"), "{text}");
        }
        for text in ["", "prices", "aprice", "pri ce", "price2", "prıce"] {
            assert!(!says(text, "Price"), "{text}");
        }
    }

    #[test]
    fn accents_count_and_letters_are_of_any_script() {
        assert!(says("quiero INFORMACIÓN", "información"));
        assert!(!says("quiero informacion", "información"));
        assert!(says("Какая ЦЕНА?", "цена"));
    }

    #[test]
    fn several_words_are_found_together_whatever_space_is_between_them() {
        assert!(says("Banana na  na!", "na na"));
        assert!(says("the opening\nhours", " Opening  hours "));
        assert!(!says("opening the hours", "opening hours"));
    }

    #[test]
    fn signs_are_words_of_their_own() {
        assert!(says("two 🍕🍕 please", "🍕"));
        assert!(says("I write C++!", "c++"));
        assert!(!says("I write C", "c++"));
    }

    #[test]
    fn a_referral_is_the_same_id_or_begins_the_address() {
        let source = "https://fb.me/spring";
        let rules = rules(vec![Trigger::Referral("123".to_owned()), Trigger::Referral(source.to_owned())]);
        for (referral, expected) in [
            (referred(Some("123"), None), Some(conversation(0))),
            (referred(Some("1234"), None), None),
            (referred(None, Some("https://fb.me/spring?ad=7")), Some(conversation(1))),
            (referred(Some("9"), Some(source)), Some(conversation(1))),
            (referred(None, Some("https://fb.me/spr")), None),
            (referred(None, None), None),
        ] {
            assert_eq!(rules.choose(None, Some(&referral)), expected, "{referral:?}");
        }
        assert_eq!(rules.choose(Some("123"), None), None);
    }

    #[test]
    fn the_first_rule_that_matches_counts() {
        let rules = rules(vec![keyword("never"), keyword("price"), Trigger::Referral("7".into()), keyword("the")]);
        let ad = referred(Some("7"), None);
        assert_eq!(rules.choose(Some("the price"), Some(&ad)), Some(conversation(1)));
        assert_eq!(rules.choose(Some("the"), Some(&ad)), Some(conversation(2)));
        assert_eq!(rules.choose(Some("the"), None), Some(conversation(3)));
        assert_eq!(rules.choose(None, None), None);
        assert_eq!(InboundRules::default().choose(Some("the price"), Some(&ad)), None);
    }
}
