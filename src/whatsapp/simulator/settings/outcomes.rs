//! What happens to accepted messages, and how users answer them.

use serde::Deserialize;

use super::{SettingsFault, check, check_exclusive, is_probability};

/// What happens to accepted messages. The first four probabilities are mutually exclusive; all other messages are delivered.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Outcomes {
    /// Not on WhatsApp, code 131026; 0.03 by default.
    pub undeliverable: f64,
    /// Withheld by the provider, code 131049; 0.02 by default.
    pub withheld: f64,
    /// Failed with one of `failure_codes`; 0.01 by default.
    pub failed: f64,
    /// Sent, but the phone stays off; 0.04 by default.
    pub unreachable: f64,
    /// The codes of other failures; 130472, 130497, 131000 and 131050 by default.
    pub failure_codes: Vec<i32>,
    /// Of failing messages: reported as sent first; 0.5 by default.
    pub sent_before_failing: f64,
    /// Of all messages: held back first for a quality assessment of the template; 0 by default.
    pub held: f64,
    /// Of delivered messages: later reported as failed by another device of the user; 0 by default.
    pub contradicted: f64,
    /// Of delivered messages: read, with read receipts turned on; 0.7 by default.
    pub read: f64,
    /// Of read messages: the chat is open already, so that `delivered` is never reported; 0.02 by default.
    pub chat_open: f64,
    /// Of delivered messages: answered; 0.25 by default.
    pub answered: f64,
    /// Of answers to a message with something to press: a pressed button or a choice from a list; 0.4 by default.
    pub by_button: f64,
    /// Of answers: those that take ten times as long; 0 by default.
    pub slow: f64,
    /// Of text answers: quoting the message (buttons always do); 0.3 by default.
    pub quoting: f64,
    /// Of delivered messages: reacted to with an emoji; 0.05 by default.
    pub reacted: f64,
    /// Of delivered messages: followed by the user's wish to receive no more; 0 by default.
    pub opted_out: f64,
    /// The texts that users write.
    pub texts: Vec<String>,
    /// The labels of the buttons that users press of a template whose call does not name its buttons.
    pub buttons: Vec<String>,
    /// How users answer particular messages. The first that fits a message applies; none by default.
    pub replies: Vec<Reply>,
}

/// How users answer the messages that contain something.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Reply {
    /// What the message's text or the template's name contains, in upper or lower case. An empty one fits every
    /// message.
    pub contains: String,
    /// The texts that users write; the usual ones if there are none here.
    pub texts: Vec<String>,
    /// The probability that an answer is a pressed button or a choice from a list; the usual one if this is absent.
    pub by_button: Option<f64>,
    /// The probability of an answer; the usual one if this is absent.
    pub answered: Option<f64>,
}

impl Outcomes {
    /// The mutually exclusive probabilities, in the order in which they are drawn.
    pub(in super::super) const fn exclusive(&self) -> [f64; 4] {
        [self.undeliverable, self.withheld, self.failed, self.unreachable]
    }

    /// How users answer a message with this text or template name, where that is not the usual way.
    pub(in super::super) fn reply_to(&self, text: &str) -> Option<&Reply> {
        let text = text.to_lowercase();
        self.replies.iter().find(|reply| text.contains(&reply.contains.to_lowercase()))
    }

    /// Refuses probabilities that are none.
    pub(super) fn check(&self) -> Result<(), SettingsFault> {
        check_exclusive("outcomes", &self.exclusive())?;
        for (name, share) in [
            ("outcomes.sent_before_failing", self.sent_before_failing),
            ("outcomes.held", self.held),
            ("outcomes.contradicted", self.contradicted),
            ("outcomes.read", self.read),
            ("outcomes.chat_open", self.chat_open),
            ("outcomes.answered", self.answered),
            ("outcomes.by_button", self.by_button),
            ("outcomes.slow", self.slow),
            ("outcomes.quoting", self.quoting),
            ("outcomes.reacted", self.reacted),
            ("outcomes.opted_out", self.opted_out),
        ] {
            check(is_probability(share), name, "is not a probability from 0 to 1")?;
        }
        self.replies.iter().try_for_each(Reply::check)
    }
}

impl Reply {
    fn check(&self) -> Result<(), SettingsFault> {
        let valid = [self.by_button, self.answered].into_iter().flatten().all(is_probability);
        check(valid, "outcomes.replies", "has a probability outside 0 to 1")
    }
}

impl Default for Outcomes {
    fn default() -> Self {
        let texts =
            ["Hi! Yes, tell me more.", "Sí, gracias 😊", "How much is it?", "Ahora no puedo, escríbeme mañana", "Ok"];
        let buttons = ["Yes, I'm interested", "Not now"];
        Self {
            undeliverable: 0.03,
            withheld: 0.02,
            failed: 0.01,
            unreachable: 0.04,
            failure_codes: vec![130_472, 130_497, 131_000, 131_050],
            sent_before_failing: 0.5,
            held: 0.0,
            contradicted: 0.0,
            read: 0.7,
            chat_open: 0.02,
            answered: 0.25,
            by_button: 0.4,
            slow: 0.0,
            quoting: 0.3,
            reacted: 0.05,
            opted_out: 0.0,
            texts: texts.map(str::to_owned).to_vec(),
            buttons: buttons.map(str::to_owned).to_vec(),
            replies: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(contains: &str, answered: Option<f64>) -> Reply {
        Reply { contains: contains.into(), answered, ..Reply::default() }
    }

    #[test]
    fn the_first_reply_that_fits_applies() {
        let replies = vec![reply("ciudad", None), reply("ÑANDÚ", Some(0.5)), reply("", Some(1.0))];
        let outcomes = Outcomes { replies, ..Outcomes::default() };
        let fitting = |text: &str| outcomes.reply_to(text).unwrap().answered;
        assert_eq!(fitting("¿En qué Ciudad, ñandú?"), None);
        assert_eq!(fitting("El ñandú"), Some(0.5));
        assert_eq!(fitting("welcome"), Some(1.0));
        assert_eq!(Outcomes::default().reply_to("welcome"), None);
    }
}
