//! What histories are drawn from. Few lines, few people and few instants, so that everything happens to everybody at once.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use uuid::Uuid;

use super::history::{History, Line, Sent, Step};
use crate::domain::arbitrary::{own_failure, preference, provider_failure, session, timestamp, variable, variables};
use crate::domain::clock::Timestamp;
use crate::domain::contact::{ContactKey, ProfileName};
use crate::domain::fact::{Content, Fact, MessageFact, MessageName, Person, StatusFact, Target};
use crate::domain::failure::{FailureReason, OwnFailure, ProviderFailure};
use crate::domain::id::ContactId;
use crate::domain::merge::{MessageFacts, Session, VariableValue, Variables};
use crate::domain::message::{MessageKind, Sender};
use crate::domain::phone::Phone;
use crate::domain::preference::Preference;

/// A deployment of a send, with what we record of it ourselves where the line is ours.
#[derive(Debug, Clone)]
struct DrawnSend {
    line: usize,
    version: usize,
    contact: usize,
    queued_at: Timestamp,
    /// Calls: the first, and repetitions of it.
    dispatched_at: Vec<Timestamp>,
    /// The provider's answer, which names the message both ways.
    accepted_at: Option<Timestamp>,
    variables: Variables,
    own_failure: Option<OwnFailure>,
}

/// A fact or, for a message, its reports.
#[derive(Debug, Clone)]
enum Drawn {
    Status { of: Of, facts: MessageFacts, recipient: Option<DrawnPerson> },
    Message(DrawnMessage),
    Session { of: Of, session: Session },
    Finished { of: Of, at: Timestamp },
    Variable { of: Of, name: String, value: VariableValue },
    Preference { contact: usize, person: DrawnPerson, preference: Preference },
}

/// What a fact is about: a message among all, and what names it.
#[derive(Debug, Clone)]
struct Of {
    message: Index,
    naming: Naming,
}

#[derive(Debug, Clone, Copy)]
enum Naming {
    Provider,
    Own,
    Both,
    Deployment,
}

#[derive(Debug, Clone)]
struct DrawnMessage {
    line: usize,
    contact: usize,
    person: DrawnPerson,
    sender: Sender,
    answered: Option<Index>,
    reports: Vec<Content>,
}

/// Which of a contact's three names are told, and the profile's name.
#[derive(Debug, Clone)]
struct DrawnPerson {
    told: (bool, bool, bool),
    profile: Option<ProfileName>,
}

/// Who and what a drawn fact may mean.
struct Cast {
    lines: Vec<Line>,
    contacts: Vec<ContactId>,
    sent: Vec<Sent>,
    /// How many messages are reported.
    told: usize,
}

/// Any history.
pub(super) fn history() -> impl Strategy<Value = History> {
    (vec(drawn_send(), 0..6), vec(drawn(), 0..28)).prop_map(|(sends, drawn)| write(&sends, &drawn))
}

fn drawn_send() -> impl Strategy<Value = DrawnSend> {
    let calls = prop_oneof![1 => vec(timestamp(), 0..1), 4 => vec(timestamp(), 1..2), 1 => vec(timestamp(), 2..3)];
    let place = (line(), 0_usize..2, contact());
    let accepted_at = option::weighted(0.8, timestamp());
    (place, timestamp(), calls, accepted_at, variables(), option::weighted(0.2, own_failure())).prop_map(
        |((line, version, contact), queued_at, dispatched_at, accepted_at, variables, own_failure)| DrawnSend {
            line,
            version,
            contact,
            queued_at,
            dispatched_at,
            accepted_at,
            variables,
            own_failure,
        },
    )
}

fn drawn() -> impl Strategy<Value = Drawn> {
    let status = (of(), status(), option::weighted(0.3, person()));
    let variable = (of(), variable());
    let preference = (contact(), person(), preference());
    prop_oneof![
        8 => status.prop_map(|(of, facts, recipient)| Drawn::Status { of, facts, recipient }),
        9 => message().prop_map(Drawn::Message),
        2 => (of(), session()).prop_map(|(of, session)| Drawn::Session { of, session }),
        1 => (of(), timestamp()).prop_map(|(of, at)| Drawn::Finished { of, at }),
        2 => variable.prop_map(|(of, (name, value))| Drawn::Variable { of, name, value }),
        2 => preference.prop_map(|(contact, person, preference)| Drawn::Preference { contact, person, preference }),
    ]
}

fn of() -> impl Strategy<Value = Of> {
    let naming = select(vec![Naming::Provider, Naming::Provider, Naming::Own, Naming::Both, Naming::Deployment]);
    (any::<Index>(), naming).prop_map(|(message, naming)| Of { message, naming })
}

/// One status, as a webhook brings it.
fn status() -> impl Strategy<Value = MessageFacts> {
    let none = MessageFacts::default;
    prop_oneof![
        timestamp().prop_map(move |at| MessageFacts { accepted: Some(at), ..none() }),
        timestamp().prop_map(move |at| MessageFacts { held: Some(at), ..none() }),
        timestamp().prop_map(move |at| MessageFacts { sent: Some(at), ..none() }),
        timestamp().prop_map(move |at| MessageFacts { delivered: Some(at), ..none() }),
        timestamp().prop_map(move |at| MessageFacts { read: Some(at), ..none() }),
        provider_failure().prop_map(move |failed| MessageFacts { failed: Some(failed), ..none() }),
        refusal_of_contact().prop_map(move |failed| MessageFacts { failed: Some(failed), ..none() }),
        own_failure().prop_map(move |own_failure| MessageFacts { own_failure: Some(own_failure), ..none() }),
        timestamp().prop_map(move |at| MessageFacts { unknown: Some(at), ..none() }),
    ]
}

/// A failure that says something about the recipient.
fn refusal_of_contact() -> impl Strategy<Value = ProviderFailure> {
    let reason = select(vec![FailureReason::OptedOut, FailureReason::BlockedContact]);
    (provider_failure(), reason).prop_map(|(failure, reason)| ProviderFailure { reason, ..failure })
}

fn message() -> impl Strategy<Value = DrawnMessage> {
    let sender = prop_oneof![5 => Just(Sender::User), 2 => Just(Sender::Bot), 1 => Just(Sender::Agent), 1 => Just(Sender::Company)];
    let reports = prop_oneof![3 => vec(content(), 1..2), 1 => vec(content(), 2..4)];
    (line(), contact(), person(), sender, option::weighted(0.4, any::<Index>()), reports).prop_map(
        |(line, contact, person, sender, answered, reports)| DrawnMessage {
            line,
            contact,
            person,
            sender,
            answered,
            reports,
        },
    )
}

fn content() -> impl Strategy<Value = Content> {
    let kind = select(vec![MessageKind::Text, MessageKind::Text, MessageKind::Button, MessageKind::Reaction]);
    (timestamp(), kind, option::of(select(vec!["a", "b", " Stop", "resume"]))).prop_map(|(at, kind, text)| Content {
        at,
        kind,
        text: text.map(str::to_owned),
        payload: None,
    })
}

fn person() -> impl Strategy<Value = DrawnPerson> {
    let profile = (timestamp(), select(vec!["Ana", "Bo"])).prop_map(|(at, name)| ProfileName { at, name: name.into() });
    (any::<(bool, bool, bool)>(), option::of(profile)).prop_map(|(told, profile)| DrawnPerson { told, profile })
}

/// Ours with an inbound conversation, theirs with and without, ours without.
fn line() -> impl Strategy<Value = usize> {
    prop_oneof![4 => Just(0_usize), 4 => Just(1), 3 => Just(2), 1 => Just(3)]
}

fn contact() -> impl Strategy<Value = usize> {
    prop_oneof![3 => Just(0_usize), 1 => Just(1)]
}

fn id<T: From<Uuid>>(kind: u128, number: usize) -> T {
    Uuid::from_u128((kind << 64) + number as u128 + 1).into()
}

/// The lines and the people.
pub(super) fn cast() -> (Vec<Line>, Vec<ContactId>) {
    let line = |number: usize, external, inbound: bool| Line {
        id: id(2, number),
        external,
        inbound: inbound.then(|| id(3, number)),
        outbound: [id(4, number), id(5, number)],
    };
    let lines = vec![line(0, false, true), line(1, true, true), line(2, true, false), line(3, false, false)];
    (lines, vec![id(6, 0), id(6, 1)])
}

fn write(sends: &[DrawnSend], drawn: &[Drawn]) -> History {
    let told = drawn.iter().filter(|one| matches!(one, Drawn::Message(_))).count();
    let (lines, contacts) = cast();
    let mut cast = Cast { lines, contacts, sent: Vec::new(), told };
    cast.sent = sends.iter().enumerate().map(|(number, send)| cast.sent(number, send)).collect();
    let mut steps: Vec<_> = cast.sent.iter().cloned().map(Step::Send).collect();
    for (number, send) in sends.iter().enumerate() {
        steps.extend(cast.ours(number, send).into_iter().map(|fact| Step::Fact(fact, None)));
    }
    let mut number = 0;
    for one in drawn {
        match one {
            Drawn::Message(message) => {
                let contact = cast.contacts[message.contact];
                steps.extend(cast.reports(number, message).map(|fact| Step::Fact(fact, Some(contact))));
                number += 1;
            }
            Drawn::Preference { contact, person, preference } => {
                let fact = Fact::Preference { person: person.told_of(*contact), preference: *preference };
                steps.push(Step::Fact(fact, Some(cast.contacts[*contact])));
            }
            other => steps.extend(cast.fact(other).map(|fact| Step::Fact(fact, None))),
        }
    }
    History::of(cast.lines, cast.contacts, steps)
}

impl Cast {
    fn sent(&self, number: usize, send: &DrawnSend) -> Sent {
        let line = &self.lines[send.line];
        Sent {
            send: id(7, number),
            deployment: id(8, number),
            message: id(9, number),
            version: line.outbound[send.version],
            contact: self.contacts[send.contact],
            line: line.id,
            external: line.external,
            queued_at: send.queued_at,
            variables: send.variables.clone(),
            own_failure: send.own_failure,
        }
    }

    /// What we record of a deployment on a line of ours.
    fn ours(&self, number: usize, drawn: &DrawnSend) -> Vec<Fact> {
        let sent = &self.sent[number];
        if sent.external {
            return Vec::new();
        }
        let mut facts: Vec<_> =
            drawn.dispatched_at.iter().map(|&at| Fact::Dispatched { message: sent.message, at, epoch: 1 }).collect();
        facts.extend(drawn.accepted_at.map(|at| {
            let of = Target::Message(MessageName { own: Some(sent.message), provider: Some(sent_name(number)) });
            Fact::Status(StatusFact {
                of,
                facts: MessageFacts { accepted: Some(at), ..MessageFacts::default() },
                recipient: None,
            })
        }));
        facts
    }

    fn fact(&self, drawn: &Drawn) -> Option<Fact> {
        Some(match drawn.clone() {
            Drawn::Status { of, facts, recipient } => {
                let recipient = recipient.map(|drawn| self.recipient(&of, &drawn));
                Fact::Status(StatusFact { of: self.target(&of), facts, recipient })
            }
            Drawn::Session { of, session } => Fact::Session { of: self.target(&of), session },
            Drawn::Finished { of, at } => Fact::Finished { of: self.target(&of), at },
            Drawn::Variable { of, name, value: VariableValue { at, value } } => {
                Fact::Variable { of: self.target(&of), name, value, at }
            }
            Drawn::Message(_) | Drawn::Preference { .. } => return None,
        })
    }

    fn reports(&self, number: usize, message: &DrawnMessage) -> impl Iterator<Item = Fact> {
        let person = message.person.told_of(message.contact);
        message.reports.iter().map(move |content| {
            Fact::Message(MessageFact {
                line: self.lines[message.line].id,
                person: person.clone(),
                sender: message.sender,
                provider_message_id: told_name(number),
                in_reply_to: message.answered.map(|answered| self.name(answered.index(self.messages()))),
                content: content.clone(),
                referral: None,
            })
        })
    }

    /// How many messages may be named: those sent, those reported, and one that nobody knows.
    fn messages(&self) -> usize {
        self.sent.len() + self.told + 1
    }

    fn name(&self, message: usize) -> String {
        message.checked_sub(self.sent.len()).map_or_else(|| sent_name(message), told_name)
    }

    fn target(&self, of: &Of) -> Target {
        let message = of.message.index(self.messages());
        let provider = Some(self.name(message));
        let Some(sent) = self.sent.get(message) else { return Target::Message(MessageName { own: None, provider }) };
        match of.naming {
            Naming::Provider => Target::Message(MessageName { own: None, provider }),
            Naming::Own if !sent.external => Target::own(sent.message),
            Naming::Both if !sent.external => Target::Message(MessageName { own: Some(sent.message), provider }),
            _ => Target::Deployment(sent.deployment),
        }
    }

    /// What the provider tells of a recipient: names only where it is certain whom it means.
    fn recipient(&self, of: &Of, drawn: &DrawnPerson) -> Person {
        let sent = self.sent.get(of.message.index(self.messages()));
        let contact = sent.and_then(|sent| self.contacts.iter().position(|&one| one == sent.contact));
        let unnamed = Person { key: ContactKey::default(), name: drawn.profile.clone() };
        contact.map_or(unnamed, |contact| drawn.told_of(contact))
    }
}

impl DrawnPerson {
    fn told_of(&self, contact: usize) -> Person {
        let digits = format!("57300123456{contact}");
        let (phone, wa_id, user) = self.told;
        Person {
            key: ContactKey {
                phone: Phone::of_whatsapp_id(&digits).filter(|_| phone),
                wa_id: wa_id.then_some(digits),
                provider_user_id: user.then(|| format!("CO.{contact}")),
            },
            name: self.profile.clone(),
        }
    }
}

fn sent_name(number: usize) -> String {
    format!("wamid.sent.{number}")
}

fn told_name(number: usize) -> String {
    format!("wamid.told.{number}")
}
