//! Single cases that once broke the law, told one by one.

use super::history::{Line, Sent, WORKSPACE};
use super::model::{Offer, Workspace};
use crate::domain::book::DeploymentEntry;
use crate::domain::clock::Timestamp;
use crate::domain::fact::{Content, Fact, MessageFact, Person, StatusFact, Target};
use crate::domain::failure::{FailureReason, OwnFailure, ProviderFailure};
use crate::domain::id::{ContactId, MessageId, new_key, reported_message_key};
use crate::domain::merge::{MessageFacts, Variables};
use crate::domain::message::{MessageKind, Sender};
use crate::domain::preference::Preference;
use crate::domain::standing::DeploymentStatus;
use crate::domain::user::ChangeKind;

/// A line, and one person who writes on it.
struct Talk {
    line: Line,
    contact: ContactId,
    workspace: Workspace,
}

impl Talk {
    fn new() -> Self {
        Self::on(0)
    }

    fn on(line: usize) -> Self {
        let (lines, contacts) = super::draw::cast();
        let (line, contact) = (lines[line].clone(), contacts[0]);
        Self { line, contact, workspace: Workspace::new(&lines, &contacts) }
    }

    /// A message, as told in a batch of its own.
    fn told(&mut self, sender: Sender, name: &str, at: f64) {
        let fact = Fact::Message(MessageFact {
            line: self.line.id,
            person: Person::default(),
            sender,
            provider_message_id: name.to_owned(),
            in_reply_to: None,
            content: Content { at: instant(at), kind: MessageKind::Text, text: None, payload: None },
            referral: None,
        });
        self.workspace.record(&[(fact, Some(self.contact))]);
    }

    /// A send to the person, and its first message.
    fn send(&mut self, queued_at: f64) -> MessageId {
        self.send_failing(queued_at, None)
    }

    /// A send to the person, which may fail before anything is sent.
    fn send_failing(&mut self, queued_at: f64, reason: Option<FailureReason>) -> MessageId {
        let message = new_key().into();
        self.workspace.send(&Sent {
            send: new_key().into(),
            deployment: new_key().into(),
            message,
            version: self.line.outbound[0],
            contact: self.contact,
            line: self.line.id,
            external: self.line.external,
            queued_at: instant(queued_at),
            variables: Variables::default(),
            own_failure: reason.map(|reason| OwnFailure { at: instant(queued_at), reason }),
        });
        message
    }

    /// The only deployment.
    fn deployment(&self) -> &DeploymentEntry {
        self.workspace.deployments.values().next().unwrap()
    }
}

#[expect(clippy::cast_possible_truncation, reason = "a few seconds")]
fn instant(seconds: f64) -> Timestamp {
    Timestamp::from_micros((seconds * 1e6) as i64).unwrap()
}

fn failed(name: &str, at: f64, text: &str) -> Offer {
    let failure = ProviderFailure {
        at: instant(at),
        code: Some(131_026),
        reason: FailureReason::Undeliverable,
        text: text.to_owned(),
    };
    let facts = MessageFacts { failed: Some(failure), ..MessageFacts::default() };
    (Fact::Status(StatusFact { of: Target::provider(name.to_owned()), facts, recipient: None }), None)
}

#[test]
fn an_earlier_message_of_the_same_second_moves_the_beginning() {
    let mut talk = Talk::new();
    talk.told(Sender::User, "b", 10.7);
    talk.told(Sender::User, "a", 10.2);
    assert_eq!((talk.deployment().began, talk.deployment().queued_at), (Some(instant(10.2)), instant(10.2)));
}

#[test]
fn an_earlier_report_of_the_message_that_began_moves_the_beginning() {
    let mut talk = Talk::new();
    talk.told(Sender::User, "a", 10.0);
    talk.told(Sender::User, "a", 8.0);
    assert_eq!(talk.deployment().began, Some(instant(8.0)));
    assert_eq!(talk.workspace.users.values().next().unwrap().deployed_at, instant(8.0));
}

#[test]
fn a_waiting_message_is_looked_at_again_when_the_beginning_moves_before_it() {
    let mut talk = Talk::new();
    talk.told(Sender::User, "a", 10.0);
    talk.told(Sender::Bot, "hello", 9.0);
    assert_eq!(talk.workspace.parked.len(), 1);
    talk.told(Sender::User, "a", 8.0);
    assert!(talk.workspace.parked.is_empty());
    let first = Some(reported_message_key(WORKSPACE, "hello"));
    assert_eq!(talk.deployment().first, first);
}

#[test]
fn what_begins_a_conversation_answers_nothing_that_is_said_in_the_same_second() {
    let mut talk = Talk::new();
    talk.told(Sender::User, "a", 10.0);
    talk.told(Sender::Bot, "hello", 10.6);
    assert_eq!(talk.deployment().facts.answered, None);
    talk.told(Sender::User, "b", 10.8);
    assert_eq!(talk.deployment().facts.answered, Some(instant(10.8)));
}

#[test]
fn a_second_message_of_the_instant_of_the_beginning_answers() {
    for names in [["a", "b"], ["b", "a"]] {
        let mut talk = Talk::new();
        talk.told(Sender::User, names[0], 10.0);
        talk.told(Sender::User, names[1], 10.0);
        assert_eq!(talk.deployment().facts.answered, None, "nothing was said to the user yet");
        talk.told(Sender::Bot, "hello", 10.0);
        assert_eq!(talk.deployment().facts.answered, Some(instant(10.0)));
    }
}

#[test]
fn where_nothing_was_reported_to_have_been_sent_every_message_since_the_send_answers() {
    let mut talk = Talk::on(2);
    talk.send(10.8);
    talk.told(Sender::User, "yes", 12.0);
    assert_eq!(talk.deployment().facts.answered, Some(instant(12.0)));
    talk.told(Sender::Company, "hello", 13.0);
    assert_eq!(talk.deployment().facts.answered, None);
}

#[test]
fn what_was_not_sent_after_all_is_answered_by_nothing() {
    let mut talk = Talk::on(0);
    let message = talk.send(10.0);
    let sent = |at| (Fact::Dispatched { message, at: instant(at), epoch: 1 }, None);
    talk.workspace.record(&[sent(11.0)]);
    assert_eq!(
        (talk.deployment().began, talk.deployment().facts.dispatched),
        (Some(instant(11.0)), Some(instant(11.0)))
    );
    talk.workspace.record(&[(Fact::Withdrawn { message, epoch: 1 }, None)]);
    assert_eq!((talk.deployment().began, talk.deployment().facts.dispatched), (None, None));
    let queued = talk.deployment().id;
    talk.told(Sender::User, "hello?", 12.0);
    assert_eq!(talk.workspace.deployments[&queued].facts.answered, None);
    talk.workspace.record(&[sent(20.0)]);
    talk.told(Sender::User, "yes", 21.0);
    let standing = &talk.workspace.deployments[&queued];
    assert_eq!((standing.began, standing.facts.answered), (Some(instant(20.0)), Some(instant(21.0))));
}

#[test]
fn of_a_call_and_a_cancellation_the_first_holds() {
    for call_first in [true, false] {
        let mut talk = Talk::on(0);
        let message = talk.send(10.0);
        let dispatched = (Fact::Dispatched { message, at: instant(11.0), epoch: 1 }, None);
        let canceled = (Fact::Canceled { message, at: instant(11.0) }, None);
        let both = if call_first { [dispatched, canceled] } else { [canceled, dispatched] };
        for fact in both {
            talk.workspace.record(&[fact]);
        }
        let deployment = talk.deployment();
        let reason = talk.workspace.messages[&message].facts.failure().map(|failure| failure.reason);
        assert_eq!(deployment.facts.dispatched.is_some(), call_first);
        assert_eq!(reason, (!call_first).then_some(FailureReason::Canceled));
    }
}

#[test]
fn what_was_taken_for_the_beginning_answers_once_an_earlier_message_turns_up() {
    let mut talk = Talk::new();
    talk.told(Sender::User, "b", 10.0);
    talk.told(Sender::Bot, "hello", 10.6);
    talk.told(Sender::User, "a", 8.0);
    assert_eq!(talk.deployment().facts.answered, Some(instant(10.0)));
}

#[test]
fn a_message_told_before_the_send_that_it_belongs_to_is_placed_once_that_is_made() {
    let mut talk = Talk::on(2);
    assert!(talk.line.external && talk.line.inbound.is_none());
    talk.told(Sender::Bot, "hello", 10.6);
    assert!(talk.workspace.messages.is_empty());
    talk.send(10.8);
    assert!(talk.workspace.parked.is_empty());
    assert_eq!(talk.deployment().first, Some(reported_message_key(WORKSPACE, "hello")));
}

#[test]
fn a_failure_of_the_same_reason_in_other_words_is_a_change() {
    let mut talk = Talk::new();
    talk.told(Sender::User, "a", 8.0);
    talk.told(Sender::Bot, "hello", 9.0);
    let kinds = |talk: &mut Talk, offer| {
        let settlement = talk.workspace.commit(&[offer]);
        settlement.users.iter().flat_map(|one| one.kinds.iter()).collect::<Vec<_>>()
    };
    assert_eq!(kinds(&mut talk, failed("hello", 12.0, "later")), [ChangeKind::Status, ChangeKind::Failure]);
    assert_eq!(kinds(&mut talk, failed("hello", 11.0, "sooner")), [ChangeKind::Failure]);
    assert_eq!(kinds(&mut talk, failed("hello", 11.5, "in between")), []);
    assert_eq!(talk.workspace.cell(talk.deployment()).status, DeploymentStatus::Failed);
}

#[test]
fn an_older_stop_does_not_undo_a_newer_resumption_and_of_the_same_instant_the_stop_counts() {
    let said = |at, stopped| {
        let preference = Preference { at: instant(at), stopped };
        Fact::Preference { person: Person::default(), preference }
    };
    let mut talk = Talk::new();
    for (at, stopped, opted_out) in
        [(10.0, true, Some(10.0)), (12.0, false, None), (11.0, true, None), (12.0, true, Some(12.0))]
    {
        talk.workspace.record(&[(said(at, stopped), Some(talk.contact))]);
        let facts = talk.workspace.contacts[&talk.contact].facts;
        assert_eq!(facts.opted_out(), opted_out.map(instant), "{at}");
    }
}

#[test]
fn a_second_send_may_fail_like_the_first() {
    let mut talk = Talk::new();
    talk.send_failing(10.0, Some(FailureReason::OptedOut));
    talk.send_failing(11.0, Some(FailureReason::OptedOut));
    assert_eq!(talk.workspace.users.values().next().unwrap().deployments, 2);
}

#[test]
fn our_own_refusal_to_send_to_who_opted_out_is_no_new_opt_out() {
    let mut talk = Talk::new();
    let message = talk.send(10.0);
    let own_failure = Some(OwnFailure { at: instant(11.0), reason: FailureReason::OptedOut });
    let facts = MessageFacts { own_failure, ..MessageFacts::default() };
    let status = StatusFact { of: Target::own(message), facts, recipient: None };
    talk.workspace.record(&[(Fact::Status(status), None)]);
    assert_eq!(talk.workspace.contacts[&talk.contact].facts.preference, None);
}
