//! The simulated provider itself: it accepts messages and decides what happens to them.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc::Permit;
use tokio::sync::mpsc::error::SendError;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use super::agenda::Posting;
use super::call::{Call, Recipient};
use super::chance::Chance;
use super::course::{self, Event, Planned, Verdict};
use super::error_answer::ErrorAnswer;
use super::record::Record;
use super::settings::{Faults, SimulatorSettings};
use super::update::{Person, Subject, Update, wamid};
use crate::domain::clock::{Clock, Timestamp};
use crate::domain::id::derived_key;

/// The simulated provider.
pub(super) struct Provider {
    pub(super) settings: SimulatorSettings,
    /// What goes wrong with calls at present.
    faults: Mutex<Faults>,
    clock: Arc<dyn Clock>,
    /// Part of every message id, so that a restarted simulator does not reuse ids.
    started: Timestamp,
    record: Mutex<Record>,
    /// The number of updates that wait to be posted.
    waiting: watch::Sender<usize>,
    postings: mpsc::Sender<Vec<Posting>>,
}

/// A user who writes, and to which line.
#[derive(Debug, Clone, Copy)]
pub(super) struct Writer<'a> {
    pub(super) phone_number_id: &'a str,
    /// The user's WhatsApp id.
    pub(super) from: &'a str,
    pub(super) name: &'a str,
}

/// The result of a call.
pub(super) struct Receipt {
    pub(super) verdict: Verdict,
    pub(super) subject: Arc<Subject>,
    /// How long to wait before answering.
    pub(super) delay: Duration,
}

const OVERLOADED: i32 = 130_429;
const UNAVAILABLE: i32 = 2;
const OUTSIDE_WINDOW: i32 = 131_047;

type Room<'a> = Permit<'a, Vec<Posting>>;

impl Provider {
    pub(super) fn new(
        settings: SimulatorSettings,
        clock: Arc<dyn Clock>,
        postings: mpsc::Sender<Vec<Posting>>,
    ) -> Self {
        let started = clock.now();
        let faults = Mutex::new(settings.faults.clone());
        Self { settings, faults, clock, started, record: Mutex::default(), waiting: watch::Sender::new(0), postings }
    }

    /// Accepts a call, or rejects it.
    pub(super) async fn receive(&self, phone_number_id: &str, call: &Call) -> Result<Receipt, ErrorAnswer> {
        let now = Instant::now();
        let room = self.postings.reserve().await.map_err(|SendError(())| ErrorAnswer::of_code(UNAVAILABLE))?;
        let nth = self.record().call(phone_number_id, call.recipient.id(), now);
        let subject = Arc::new(self.subject(phone_number_id, call, nth));
        self.check(&subject, call, now)?;
        let chance = Chance::of(self.settings.seed, &[phone_number_id, call.recipient.id(), &nth.to_string()]);
        let (verdict, accepted) = self.verdict(chance);
        if accepted {
            self.record().accept(call.callback.as_deref());
            self.schedule(room, now, &subject, course::plan(&self.settings, chance, &call.content));
        }
        let delay = self.settings.real(chance.seconds("answer", self.settings.delays.answer));
        Ok(Receipt { verdict, subject, delay })
    }

    /// Rejects what cannot be taken now: anything while too many updates wait, and a free-form message outside the
    /// window.
    fn check(&self, subject: &Subject, call: &Call, now: Instant) -> Result<(), ErrorAnswer> {
        if *self.waiting.borrow() >= self.settings.webhooks.backlog {
            return Err(ErrorAnswer::of_code(OVERLOADED));
        }
        if call.content.free_form && !self.is_open(subject, now) {
            return Err(ErrorAnswer::of_code(OUTSIDE_WINDOW));
        }
        Ok(())
    }

    /// Whether the customer service window of the person is open.
    fn is_open(&self, subject: &Subject, now: Instant) -> bool {
        let silence = self.record().silence(&subject.phone_number_id, &subject.person.user_id, now);
        silence.is_some_and(|silence| self.settings.simulated(silence) < self.settings.window)
    }

    /// Notes who wrote, of updates that are being posted.
    pub(super) fn hear(&self, updates: &[Update], now: Instant) {
        for Update { subject, .. } in updates.iter().filter(|update| update.event.message_type().is_some()) {
            self.record().hear(&subject.phone_number_id, &subject.person.user_id, now);
        }
    }

    /// Changes what goes wrong with calls.
    pub(super) fn set_faults(&self, faults: Faults) {
        *self.faults.lock().unwrap_or_else(PoisonError::into_inner) = faults;
    }

    /// How a call is answered, and whether its message is accepted.
    fn verdict(&self, chance: Chance) -> (Verdict, bool) {
        let faults = self.faults.lock().unwrap_or_else(PoisonError::into_inner);
        let verdict = course::verdict(&self.settings, &faults, chance);
        (verdict, course::accepts(verdict, &faults, chance))
    }

    /// Lets a user write, press or choose something, which may quote a message. Returns the provider's id of the user's
    /// message; `None` if no webhooks are posted.
    pub(super) async fn user_does(&self, writer: Writer<'_>, event: Event, quoted: Option<&str>) -> Option<String> {
        let room = self.postings.reserve().await.ok()?;
        let (now, message_type) = (Instant::now(), event.message_type()?);
        let subject = Arc::new(self.begun(writer, quoted));
        // At once, not when it is posted, so that whoever called can send right away.
        self.record().hear(writer.phone_number_id, &subject.person.user_id, now);
        let plan = vec![Planned { event, happens: Duration::ZERO, posted: Duration::ZERO }];
        self.schedule(room, now, &subject, plan).then(|| subject.own_wamid(message_type))
    }

    /// The subject of a message that is no answer of the simulator's own.
    fn begun(&self, writer: Writer<'_>, quoted: Option<&str>) -> Subject {
        let Writer { phone_number_id, from, name } = writer;
        let nth = self.record().write(phone_number_id, from);
        Subject {
            phone_number_id: phone_number_id.to_owned(),
            person: Person { name: name.to_owned(), ..self.person(&Recipient::Account(from.to_owned())) },
            wamid: self.wamid("begun", phone_number_id, from, nth),
            callback: None,
            quoted: quoted.map(str::to_owned),
        }
    }

    /// Waits until nothing is left to be posted.
    pub(super) async fn settled(&self) {
        // The provider owns the sender, so it cannot be dropped meanwhile.
        let _ = self.waiting.subscribe().wait_for(|&waiting| waiting == 0).await;
    }

    /// Records that this many updates are no longer waiting.
    pub(super) fn done(&self, updates: usize) {
        self.waiting.send_modify(|waiting| *waiting = waiting.saturating_sub(updates));
    }

    /// The record of everything so far.
    pub(super) fn record(&self) -> MutexGuard<'_, Record> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Schedules planned updates. Returns whether there is a URL to post them to.
    fn schedule(&self, room: Room<'_>, now: Instant, subject: &Arc<Subject>, plan: Vec<Planned>) -> bool {
        if self.settings.webhook_url.is_none() {
            return false;
        }
        let called = self.clock.now();
        let posting = |Planned { event, happens, posted }| {
            let update = Update { subject: subject.clone(), event, at: called.plus(happens) };
            Posting::first(now + posted, update)
        };
        let postings: Vec<Posting> = plan.into_iter().map(posting).collect();
        self.waiting.send_modify(|waiting| *waiting += postings.len());
        room.send(postings);
        true
    }

    fn subject(&self, phone_number_id: &str, call: &Call, nth: u32) -> Subject {
        Subject {
            phone_number_id: phone_number_id.to_owned(),
            person: self.person(&call.recipient),
            wamid: self.wamid("sent", phone_number_id, call.recipient.id(), nth),
            callback: call.callback.clone(),
            quoted: None,
        }
    }

    fn person(&self, recipient: &Recipient) -> Person {
        Person::behind(recipient, self.settings.seed)
    }

    fn wamid(&self, kind: &str, phone_number_id: &str, other: &str, nth: u32) -> String {
        let started = self.started.micros().to_be_bytes();
        wamid(derived_key(kind, &[&started, phone_number_id.as_bytes(), other.as_bytes(), &nth.to_be_bytes()]))
    }
}
