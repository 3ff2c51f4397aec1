//! Single cases that once broke the law, told one by one.

use super::history::{Line, Sent, WORKSPACE};
use super::model::{Offer, Workspace};
use crate::domain::book::DeploymentEntry;
use crate::domain::clock::Timestamp;
use crate::domain::fact::{Content, Fact, MessageFact, Person, StatusFact, Target};
use crate::domain::failure::{FailureReason, ProviderFailure};
use crate::domain::id::{ContactId, new_key, reported_message_key};
use crate::domain::merge::{MessageFacts, Variables};
use crate::domain::message::{MessageKind, Sender};
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
        });
        self.workspace.record(&[(fact, Some(self.contact))]);
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
    talk.workspace.send(&Sent {
        send: new_key().into(),
        deployment: new_key().into(),
        message: new_key().into(),
        version: talk.line.outbound[0],
        contact: talk.contact,
        line: talk.line.id,
        external: true,
        queued_at: instant(10.8),
        variables: Variables::default(),
        refused: None,
    });
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
