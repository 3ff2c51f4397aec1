//! Whom the design lets be written to, read from all facts at once.

use std::sync::Arc;

use super::oracle::Reading;
use crate::domain::clock::Timestamp;
use crate::domain::fact::{Fact, MessageFact, StatusFact};
use crate::domain::failure::FailureReason;
use crate::domain::id::ContactId;
use crate::domain::message::{MessageKind, Sender};
use crate::domain::preference::PreferenceWords;

/// What is told of a contact, whatever the order.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) opted_out: Option<Timestamp>,
    pub(super) last_said: Option<Timestamp>,
    pub(super) blocked: Option<Timestamp>,
}

/// The words in all histories.
pub(super) fn words() -> Arc<PreferenceWords> {
    Arc::new(PreferenceWords::new(&["STOP".to_owned()], &["Resume".to_owned()]))
}

impl Reading<'_> {
    /// The latest counts; at the same time, the opt-out.
    pub(super) fn told_of(&self, contact: ContactId) -> Told {
        let own = self.preferences.iter().filter(|(_, of)| *of == contact).map(|(said, _)| (said.at, said.stopped));
        let written = self.reports.iter().filter(|(_, of)| *of == contact).filter_map(|(message, _)| said_by(message));
        let said: Vec<_> = own.chain(written).chain(self.failed(contact, FailureReason::OptedOut)).collect();
        let last_said = said.iter().map(|(at, _)| *at).max();
        let stopped = said.iter().any(|(at, stopped)| Some(*at) == last_said && *stopped);
        let blocked = self.failed(contact, FailureReason::BlockedContact).map(|(at, _)| at).max();
        Told { opted_out: last_said.filter(|_| stopped), last_said, blocked }
    }

    /// The provider's failures of messages to a contact for this reason, whatever became of the messages.
    fn failed(&self, contact: ContactId, reason: FailureReason) -> impl Iterator<Item = (Timestamp, bool)> {
        self.facts.iter().filter_map(move |fact| match fact {
            Fact::Status(StatusFact { of, facts, .. }) if self.recipient_of(of) == Some(contact) => {
                facts.failed.as_ref().filter(|failed| failed.reason == reason).map(|failed| (failed.at, true))
            }
            _ => None,
        })
    }
}

fn said_by(message: &MessageFact) -> Option<(Timestamp, bool)> {
    let worded = message.sender == Sender::User
        && (message.content.kind == MessageKind::Text || message.content.kind == MessageKind::Button);
    let text = message.content.text.as_ref().filter(|_| worded)?.trim().to_lowercase();
    ["stop", "resume"].contains(&text.as_str()).then_some((message.content.at, text == "stop"))
}
