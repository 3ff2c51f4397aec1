//! Erasing a person: what the book has to do with it. What the rows themselves tell of the person is removed by storage.

use super::Book;
use crate::domain::clock::Timestamp;
use crate::domain::fact::Target;
use crate::domain::id::DeploymentId;
use crate::domain::merge::{DeploymentFacts, MessageFacts};
use crate::domain::standing::DeploymentStatus;
use crate::domain::user::ChangeKind;

impl Book {
    /// Cancels what is still queued for the users in the book, and tells that their variables and messages changed. All their
    /// deployments must have been opened.
    pub fn erase_users(&mut self, at: Timestamp) {
        let queued = self.deployments.values().filter(|one| self.cell_of(one).status == DeploymentStatus::Queued);
        let queued: Vec<_> = queued.map(|one| (one.id, one.first)).collect();
        for (deployment, first) in queued {
            match first {
                Some(message) => drop(self.apply_canceled(message, at)),
                // Another system sends. If it does nevertheless, whatever it reports counts.
                None => self.fail_as_canceled(deployment, at),
            }
        }
        for id in self.users.keys().copied().collect::<Vec<_>>() {
            let kinds = self.touch_user(id);
            kinds.add(ChangeKind::Variable);
            kinds.add(ChangeKind::Message);
        }
    }

    fn fail_as_canceled(&mut self, id: DeploymentId, at: Timestamp) {
        let facts = DeploymentFacts { reported: MessageFacts::canceled(at), ..DeploymentFacts::default() };
        self.apply_to_deployment(&Target::Deployment(id), &facts);
    }
}
