//! What must hold after every commit of the workspace in memory.

use std::collections::BTreeMap;

use super::model::Workspace;
use crate::domain::book::{Book, DeploymentEntry, Settlement};
use crate::domain::clock::Timestamp;
use crate::domain::failure::Failure;
use crate::domain::id::{SendId, UserId, VersionId};
use crate::domain::merge::Variables;
use crate::domain::standing::{Cell, DeploymentStatus};
use crate::domain::tally::Tally;
use crate::domain::user::{ChangeKind, ChangeKinds};

/// What a user's watcher can see change.
#[derive(Debug, PartialEq)]
pub(super) struct Visible {
    cell: Cell,
    failure: Option<Failure>,
    variables: Variables,
    /// How many deployments there are, and when the latest was due.
    deployed: (i32, Timestamp),
    activity: Option<Timestamp>,
    messages: usize,
}

impl Workspace {
    /// What the book did not call dirty must be as it was.
    pub(super) fn check_untouched(&self, book: &Book) {
        for (id, row) in &book.users {
            assert_eq!(self.users.get(id), Some(row), "a user changed and was not called dirty");
        }
        for (id, row) in &book.messages {
            assert_eq!(self.messages.get(id), Some(row), "a message changed and was not called dirty");
        }
        for (id, row) in &book.contacts {
            assert_eq!(self.contacts.get(id), Some(row), "a contact changed and was not called dirty");
        }
        for (id, row) in &book.deployments {
            let stored = &self.deployments[id];
            for (name, value) in &row.variables {
                assert_eq!(stored.variables.get(name), Some(value), "a variable changed and was not called dirty");
            }
            let row = DeploymentEntry { variables: stored.variables.clone(), ..row.clone() };
            let stored = DeploymentEntry { cell_before: row.cell_before, ..stored.clone() };
            assert_eq!(stored, row, "a deployment changed and was not called dirty");
        }
    }

    /// A message says that it is the first exactly where its deployment says so.
    pub(super) fn check_first_messages(&self) {
        for message in self.messages.values() {
            let first = self.deployments[&message.deployment].first;
            assert_eq!(message.first, first == Some(message.id), "{message:?}");
        }
    }

    /// A user's change names exactly the kinds in which what is seen of the user differs.
    pub(super) fn check_changes(&self, settlement: &Settlement, before: &BTreeMap<UserId, Visible>) {
        let moves: BTreeMap<_, _> = settlement.users.iter().map(|one| (one.user, one)).collect();
        assert_eq!(moves.len(), settlement.users.len(), "one net change for each user");
        for &id in self.users.keys() {
            let told = moves.get(&id).map_or(ChangeKinds::default(), |one| one.kinds);
            let Some(before) = before.get(&id) else {
                assert!(told.has(ChangeKind::Deployed), "a new user was deployed to");
                continue;
            };
            let after = self.visible(id);
            let seen = before.differences(&after);
            // A new deployment brings variables of its own, whatever those of the last one were, and a failure that may
            // look like the last one's.
            let again = before.deployed.0 != after.deployed.0;
            let same = |kind: &ChangeKind| match kind {
                ChangeKind::Variable => !again,
                ChangeKind::Failure => !again || seen.has(ChangeKind::Failure),
                _ => true,
            };
            let [told_of, seen_of] = [told, seen].map(|kinds| kinds.iter().filter(same).collect::<Vec<_>>());
            assert_eq!(told_of, seen_of, "kinds of the change");
            assert_eq!(moves.contains_key(&id), !seen.is_empty(), "a change where something changed, and only there");
        }
    }

    /// Both tallies are what a recount from the facts finds.
    pub(super) fn check_tallies(&self) {
        let mut tallies: BTreeMap<VersionId, Tally> = BTreeMap::new();
        let mut sends: BTreeMap<SendId, Tally> = BTreeMap::new();
        for deployment in self.deployments.values() {
            let (cell, user) = (self.cell(deployment), &self.users[&deployment.user]);
            if user.deployments == deployment.number {
                assert_eq!(user.cell, Some(cell), "a user stands where the latest deployment does");
                tallies.entry(user.version).or_default().add(cell, 1);
            }
            if let Some(send) = deployment.send {
                sends.entry(send).or_default().add(cell, 1);
            }
        }
        assert_eq!((&self.tallies, &self.sends), (&tallies, &sends), "the tallies and a recount");
    }

    pub(super) fn visible(&self, id: UserId) -> Visible {
        let user = &self.users[&id];
        let latest = self.latest(user);
        let cell = self.cell(latest);
        let facts = latest.facts.with_first(latest.first.map(|id| &self.messages[&id].facts));
        Visible {
            cell,
            failure: facts.failure().filter(|_| cell.status == DeploymentStatus::Failed),
            variables: latest.variables.clone(),
            deployed: (user.deployments, user.deployed_at),
            activity: user.activity,
            messages: self.messages.values().filter(|message| message.user == id).count(),
        }
    }
}

impl Visible {
    fn differences(&self, after: &Self) -> ChangeKinds {
        let mut kinds = ChangeKinds::default();
        for (differs, kind) in [
            (self.deployed != after.deployed, ChangeKind::Deployed),
            (self.cell.status != after.cell.status, ChangeKind::Status),
            (self.cell.stage != after.cell.stage, ChangeKind::Stage),
            (self.cell.session_status != after.cell.session_status, ChangeKind::Session),
            (self.failure != after.failure, ChangeKind::Failure),
            (self.variables != after.variables, ChangeKind::Variable),
            (self.activity != after.activity, ChangeKind::Activity),
            (self.messages != after.messages, ChangeKind::Message),
        ] {
            if differs {
                kinds.add(kind);
            }
        }
        kinds
    }
}
