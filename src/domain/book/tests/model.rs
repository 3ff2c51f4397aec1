//! A workspace in memory: the plainest storage there can be. It opens a book with exactly the rows that a batch names,
//! writes back only what the book calls dirty, and checks each commit while it is at it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::time::Duration;

use super::history::{History, Line, Sent, Step, WORKSPACE};
use crate::domain::book::{
    Applied, Book, ContactEntry, DeploymentEntry, MessageEntry, NewDeployment, Said, Settlement, UserEntry, UserMove,
};
use crate::domain::fact::Fact;
use crate::domain::id::{ContactId, DeploymentId, LineId, MessageId, SendId, UserId, VersionId, user_key};
use crate::domain::standing::Cell;
use crate::domain::tally::Tally;

/// A fact and whom it is about, as the recorder offers it to a book.
pub(super) type Offer = (Fact, Option<ContactId>);

/// Everything that a workspace holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Workspace {
    pub(super) lines: BTreeMap<LineId, Option<VersionId>>,
    pub(super) users: BTreeMap<UserId, UserEntry>,
    pub(super) deployments: BTreeMap<DeploymentId, DeploymentEntry>,
    pub(super) messages: BTreeMap<MessageId, MessageEntry>,
    pub(super) contacts: BTreeMap<ContactId, ContactEntry>,
    pub(super) tallies: BTreeMap<VersionId, Tally>,
    pub(super) sends: BTreeMap<SendId, Tally>,
    /// Facts that wait, by what they wait for and how they are written.
    pub(super) parked: BTreeMap<(String, String), (Fact, Option<ContactId>)>,
}

impl Workspace {
    pub(super) fn new(lines: &[Line], contacts: &[ContactId]) -> Self {
        Self {
            lines: lines.iter().map(|line| (line.id, line.inbound)).collect(),
            contacts: contacts.iter().map(|&id| (id, ContactEntry::default())).collect(),
            ..Self::default()
        }
    }

    /// The workspace after these steps, where neighbouring facts share batches of the given sizes in turn.
    pub(super) fn after(history: &History, steps: &[Step], sizes: &[usize]) -> Self {
        let mut workspace = Self::new(&history.lines, &history.contacts);
        let mut sizes = sizes.iter().copied().cycle();
        let mut steps = steps.iter().peekable();
        while let Some(step) = steps.next() {
            let mut batch = match step {
                Step::Send(sent) => {
                    workspace.send(sent);
                    continue;
                }
                Step::Fact(fact, contact) => vec![(fact.clone(), *contact)],
            };
            let size = sizes.next().unwrap_or(1);
            while batch.len() < size
                && let Some(Step::Fact(fact, contact)) = steps.next_if(|step| matches!(step, Step::Fact(..)))
            {
                batch.push((fact.clone(), *contact));
            }
            workspace.record(&batch);
        }
        workspace
    }

    /// Everything that must not depend on the order: all but the numbers of changes, and what a book notes for itself.
    pub(super) fn rows(mut self) -> Self {
        self.messages.values_mut().for_each(|message| message.revision = None);
        self.deployments.values_mut().for_each(|deployment| deployment.cell_before = None);
        self
    }

    /// The rows of one that the other has not, one by one.
    pub(super) fn beyond(&self, other: &Self) -> Vec<String> {
        let theirs = other.list();
        self.list().into_iter().filter(|row| !theirs.contains(row)).collect()
    }

    fn list(&self) -> Vec<String> {
        fn written<T: Debug>(rows: impl IntoIterator<Item = T>) -> impl Iterator<Item = String> {
            rows.into_iter().map(|row| format!("{row:?}"))
        }
        written(self.users.values())
            .chain(written(self.deployments.values()))
            .chain(written(self.messages.values()))
            .chain(written(&self.contacts))
            .chain(written(&self.tallies))
            .chain(written(&self.sends))
            .chain(written(self.parked.keys()))
            .collect()
    }

    /// Makes a deployment, as a submission does, and gives its rows the ids that the history's facts know them by.
    pub(super) fn send(&mut self, sent: &Sent) {
        let mut book = Book::default();
        let users = self.users.values().filter(|user| (user.version, user.contact) == (sent.version, sent.contact));
        users.for_each(|user| book.enter_user(user.clone()));
        book.deploy(NewDeployment {
            contact: sent.contact,
            version: sent.version,
            line: sent.line,
            send: sent.send,
            queued_at: sent.queued_at,
            variables: sent.variables.clone(),
            template: (!sent.external).then(|| "{}".to_owned()),
            time_to_live: Duration::from_hours(24),
            retries: false,
            own_failure: sent.own_failure,
        });
        let mut settlement = book.settle();
        rename(&mut book, &mut settlement, sent);
        self.write(&book, &settlement);
        self.offer_again(&settlement.known);
    }

    /// Records a batch, and after it whatever waited for what the batch made known.
    pub(super) fn record(&mut self, batch: &[Offer]) {
        let known = self.commit(batch).known;
        self.offer_again(&known);
    }

    fn offer_again(&mut self, known: &BTreeSet<String>) {
        let ready: Vec<_> = self.parked.keys().filter(|(key, _)| known.contains(key)).cloned().collect();
        let batch: Vec<Offer> = ready.iter().filter_map(|key| self.parked.remove(key)).collect();
        if !batch.is_empty() {
            self.record(&batch);
        }
    }

    /// One transaction.
    pub(super) fn commit(&mut self, batch: &[Offer]) -> Settlement {
        let mut book = self.open(batch);
        for (fact, contact) in batch {
            if let Applied::Waits(key) = book.apply(WORKSPACE, fact, self.resolve(fact, *contact)) {
                let written = serde_json::to_string(fact).unwrap();
                self.parked.insert((key, written), (fact.clone(), *contact));
            }
        }
        let stored = self.messages.values().filter(|one| !book.messages.contains_key(&one.id));
        book.find_answers(&stored.filter_map(Said::of).collect::<Vec<_>>());
        let settlement = book.settle();
        self.write(&book, &settlement);
        settlement
    }

    /// Writes what is dirty, and nothing else; then looks whether all is well.
    fn write(&mut self, book: &Book, settlement: &Settlement) {
        let before = self.users.keys().map(|&id| (id, self.visible(id))).collect();
        self.write_dirty(book, settlement);
        self.check_untouched(book);
        self.check_first_messages();
        self.check_changes(settlement, &before);
        self.check_tallies();
    }

    fn write_dirty(&mut self, book: &Book, settlement: &Settlement) {
        let messages = settlement.told.iter().chain(&settlement.progressed);
        self.messages.extend(messages.map(|id| (*id, book.messages[id].clone())));
        for id in &settlement.deployments {
            let mut row = book.deployments[id].clone();
            row.variables = self.deployments.remove(id).map(|one| one.variables).unwrap_or_default();
            self.deployments.insert(*id, row);
        }
        for (id, name) in &settlement.variables {
            let value = book.deployments[id].variables[name].clone();
            self.deployments.get_mut(id).unwrap().variables.insert(name.clone(), value);
        }
        for id in &settlement.contacts {
            self.contacts.insert(*id, book.contacts[id].clone());
        }
        for UserMove { user, before, after, .. } in &settlement.users {
            let row = &book.users[user];
            let former = self.users.insert(*user, row.clone());
            assert_eq!(*before, former.and_then(|former| former.cell), "a change begins where the last one ended");
            assert_eq!(Some(*after), row.cell);
            self.tallies.entry(row.version).or_default().shift(*before, *after);
        }
        for one in &settlement.sends {
            assert_ne!(one.before, Some(one.after), "a move within a send goes somewhere");
            self.sends.entry(one.send).or_default().shift(one.before, one.after);
        }
    }

    pub(super) fn cell(&self, deployment: &DeploymentEntry) -> Cell {
        Cell::of(&deployment.facts, deployment.first.map(|id| &self.messages[&id].facts))
    }

    pub(super) fn latest(&self, user: &UserEntry) -> &DeploymentEntry {
        let mut deployments = self.deployments.values();
        deployments.find(|one| one.user == user.id && one.number == user.deployments).unwrap()
    }
}

/// A deployment just made has ids by chance; here they are those that the history says, and a user's is derived.
fn rename(book: &mut Book, settlement: &mut Settlement, sent: &Sent) {
    let user = user_key(sent.version, sent.contact);
    let mut row = book.users.drain().next().unwrap().1;
    row.id = user;
    book.enter_user(row);
    let mut row = book.deployments.drain().next().unwrap().1;
    (row.id, row.user) = (sent.deployment, user);
    row.first = row.first.map(|_| sent.message);
    book.deployments.insert(row.id, row);
    let message = book.messages.drain().next().map(|(_, row)| row);
    if let Some(row) = message {
        book.enter_message(MessageEntry { id: sent.message, user, deployment: sent.deployment, ..row });
    }
    settlement.users.iter_mut().for_each(|one| one.user = user);
    settlement.deployments.fill(sent.deployment);
    settlement.told.fill(sent.message);
    let variables = std::mem::take(&mut settlement.variables).into_iter();
    settlement.variables = variables.map(|(_, name)| (sent.deployment, name)).collect();
}
