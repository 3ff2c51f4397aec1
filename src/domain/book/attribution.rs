//! Attribution: which deployment a message belongs to.

use super::{Book, DeploymentEntry, UserEntry};
use crate::domain::clock::Timestamp;
use crate::domain::fact::MessageFact;
use crate::domain::id::{ContactId, DeploymentId, LineId, VersionId, inbound_deployment_key, user_key};
use crate::domain::merge::{DeploymentFacts, Variables};
use crate::domain::message::Sender;
use crate::domain::user::ChangeKind;

/// The deployment of a message, if it can be determined.
pub(super) enum Attribution {
    /// It belongs to this deployment.
    To(DeploymentId),
    /// It cannot be attributed yet, and waits for this key to become known.
    Waits(String),
    /// It belongs to no deployment.
    Nowhere,
}

/// The key for which a message waits that another system sent to a contact without a deployment on the line. The contact's
/// own message, which begins one, may still be on its way.
pub(super) fn contact_awaited(line: LineId, contact: ContactId) -> String {
    format!("{line}/{contact}")
}

impl Book {
    /// Finds the deployment of a message, or begins one in the version `begins`.
    pub(super) fn attribute(
        &mut self,
        message: &MessageFact,
        contact: ContactId,
        begins: Option<VersionId>,
    ) -> Attribution {
        if let Some(answered) = &message.in_reply_to {
            return match self.names.get(answered).and_then(|id| self.messages.get(id)) {
                Some(answered) => Attribution::To(answered.deployment),
                None => Attribution::Waits(answered.clone()),
            };
        }
        let at = message.content.at;
        let by_user = message.sender == Sender::User;
        if let Some(deployment) = self.latest_begun(message.line, contact, at) {
            if by_user {
                self.begin_earlier(deployment, at);
            }
            return Attribution::To(deployment);
        }
        if !by_user {
            return Attribution::Waits(contact_awaited(message.line, contact));
        }
        let begun = self.begun(message.line, contact);
        if let Some(deployment) = begun {
            self.begin_earlier(deployment, at);
        }
        let deployment = begun.or_else(|| Some(self.begin(begins?, message.line, contact, at)));
        deployment.map_or(Attribution::Nowhere, Attribution::To)
    }

    /// The contact's latest deployment on the line that did not begin after `at`, compared in whole seconds as the provider
    /// counts.
    fn latest_begun(&self, line: LineId, contact: ContactId, at: Timestamp) -> Option<DeploymentId> {
        let on_line = self.deployments.values().filter(|one| one.line == line && one.contact == contact);
        let begun = on_line.filter_map(|one| Some((one.began?, one.id)));
        begun.filter(|(began, _)| began.seconds() <= at.seconds()).max().map(|(_, id)| id)
    }

    /// The single deployment that the contact's own messages began on the line, in whichever version.
    fn begun(&self, line: LineId, contact: ContactId) -> Option<DeploymentId> {
        let on_line = self.deployments.values().filter(|one| one.line == line && one.contact == contact);
        on_line.filter(|one| one.send.is_none()).map(|one| one.id).min()
    }

    /// Begins the deployment of the contact's own messages on the line.
    fn begin(&mut self, version: VersionId, line: LineId, contact: ContactId, at: Timestamp) -> DeploymentId {
        let id = inbound_deployment_key(version, contact);
        let user = user_key(version, contact);
        self.enter_user(UserEntry {
            id: user,
            version,
            contact,
            deployments: 1,
            deployed_at: at,
            cell: None,
            activity: None,
        });
        self.deployments.insert(
            id,
            DeploymentEntry {
                id,
                user,
                version,
                contact,
                line,
                send: None,
                number: 1,
                retries: false,
                queued_at: at,
                began: Some(at),
                made: false,
                first: None,
                facts: DeploymentFacts::default(),
                variables: Variables::default(),
                cell_before: None,
            },
        );
        self.touched.deployments.insert(id);
        self.touched.standing.insert(id);
        self.touched.known.insert(contact_awaited(line, contact));
        self.touch_user(user).add(ChangeKind::Deployed);
        id
    }

    /// Moves the beginning of a deployment that the contact's own messages began to `at`, if that is earlier. This happens
    /// within a second, if an earlier message arrives late, or if another report gives the message that began it an earlier
    /// time.
    pub(super) fn begin_earlier(&mut self, id: DeploymentId, at: Timestamp) {
        let Some(deployment) = self.deployments.get_mut(&id) else { return };
        if deployment.send.is_some() || deployment.began.is_some_and(|began| began <= at) {
            return;
        }
        deployment.began = Some(at);
        deployment.queued_at = at;
        let (user, awaited) = (deployment.user, contact_awaited(deployment.line, deployment.contact));
        if let Some(user) = self.users.get_mut(&user) {
            user.deployed_at = at;
        }
        self.touched.known.insert(awaited);
        self.touched.deployments.insert(id);
        // The message that began it until now may be an answer after all.
        self.touched.answers_moved.insert(id);
        self.touch_user(user).add(ChangeKind::Deployed);
    }
}
