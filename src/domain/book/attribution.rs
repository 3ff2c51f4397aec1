//! Attribution: which deployment a message belongs to.

use super::{Book, DeploymentEntry, UserEntry};
use crate::domain::clock::Timestamp;
use crate::domain::fact::MessageFact;
use crate::domain::id::{
    ContactId, DeploymentId, LineId, UserId, VersionId, inbound_deployment_key, returning_deployment_key, user_key,
};
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
        let found = match &message.in_reply_to {
            Some(answered) => match self.names.get(answered).and_then(|id| self.messages.get(id)) {
                Some(answered) => Some(answered.deployment),
                None => return Attribution::Waits(answered.clone()),
            },
            None => self.by_time(message, contact),
        };
        if message.sender != Sender::User {
            let awaited = || contact_awaited(message.line, contact);
            return found.map_or_else(|| Attribution::Waits(awaited()), Attribution::To);
        }
        let (line, at) = (message.line, message.content.at);
        let found = match found {
            Some(over) if self.is_jumping(over) => return Attribution::Waits(over.to_string()),
            Some(over) if self.is_left_behind(over, begins) => self.open_session(line, contact),
            Some(found) => Some(found),
            None => self.begun(line, contact),
        };
        if let Some(found) = found {
            if message.in_reply_to.is_none() {
                self.begin_earlier(found, at);
            }
            return Attribution::To(found);
        }
        let begun = begins.map(|version| self.begin(version, line, contact, at));
        begun.map_or(Attribution::Nowhere, Attribution::To)
    }

    /// The deployment of a message that quotes none: the contact's open session on the line, if the contact wrote it, or
    /// else the latest deployment at that time.
    fn by_time(&self, message: &MessageFact, contact: ContactId) -> Option<DeploymentId> {
        let line = message.line;
        let open = self.open_session(line, contact).filter(|_| message.sender == Sender::User);
        open.or_else(|| self.latest_begun(line, contact, message.content.at))
    }

    /// Whether a contact's message begins something new rather than belonging to this deployment: its session is over, or
    /// the contact began it when no flow ran yet. Without a flow that can begin, everything stays where it is.
    fn is_left_behind(&self, id: DeploymentId, begins: Option<VersionId>) -> bool {
        let Some(deployment) = self.deployments.get(&id) else { return false };
        let never_ran = deployment.send.is_none() && !self.runs(deployment.version);
        begins.is_some_and(|version| self.runs(version)) && (self.is_over(id) || never_ran)
    }

    /// The contact's open session on the line, of those that flows and agents hold here.
    fn open_session(&self, line: LineId, contact: ContactId) -> Option<DeploymentId> {
        let open = self.on_line(line, contact).filter(|one| self.holds_open(one.id));
        open.max_by_key(|one| (one.began, one.id)).map(|one| one.id)
    }

    /// The contact's latest deployment on the line that did not begin after `at`, compared in whole seconds as the provider
    /// counts.
    fn latest_begun(&self, line: LineId, contact: ContactId, at: Timestamp) -> Option<DeploymentId> {
        let begun = self.on_line(line, contact).filter_map(|one| Some((one.began?, one.id)));
        begun.filter(|(began, _)| began.seconds() <= at.seconds()).max().map(|(_, id)| id)
    }

    /// The deployments of a contact on a line.
    pub(super) fn on_line(&self, line: LineId, contact: ContactId) -> impl Iterator<Item = &DeploymentEntry> {
        self.deployments.values().filter(move |one| one.line == line && one.contact == contact)
    }

    /// The first deployment that the contact's own messages began on the line, in whichever version.
    fn begun(&self, line: LineId, contact: ContactId) -> Option<DeploymentId> {
        let begun = self.on_line(line, contact).filter(|one| one.send.is_none());
        begun.min_by_key(|one| (one.began, one.id)).map(|one| one.id)
    }

    /// Begins a deployment by the contact's own message. Its key is derived, so that two nodes begin the same.
    fn begin(&mut self, version: VersionId, line: LineId, contact: ContactId, at: Timestamp) -> DeploymentId {
        let known = self.users_by_contact.get(&(version, contact)).and_then(|id| self.users.get(id));
        let id = match known {
            Some(user) => returning_deployment_key(version, contact, user.deployments + 1),
            None => inbound_deployment_key(version, contact),
        };
        self.begin_as(id, version, (line, contact), at);
        id
    }

    /// Begins a deployment that no send made.
    pub(super) fn begin_as(
        &mut self,
        id: DeploymentId,
        version: VersionId,
        (line, contact): (LineId, ContactId),
        at: Timestamp,
    ) {
        let (user, number) = self.user_who_begins(version, contact, at);
        self.deployments.insert(
            id,
            DeploymentEntry {
                id,
                user,
                version,
                contact,
                line,
                send: None,
                number,
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
    }

    /// The contact's user of a version, created if necessary, and the number of the deployment that begins.
    fn user_who_begins(&mut self, version: VersionId, contact: ContactId, at: Timestamp) -> (UserId, i32) {
        let known = self.users_by_contact.get(&(version, contact)).copied();
        if let Some(user) = known.and_then(|id| self.users.get_mut(&id)) {
            user.deployments += 1;
            user.deployed_at = at;
            return (user.id, user.deployments);
        }
        let id = user_key(version, contact);
        let deployments = 1;
        self.enter_user(UserEntry { id, version, contact, deployments, deployed_at: at, cell: None, activity: None });
        (id, deployments)
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
        let (user, number) = (deployment.user, deployment.number);
        let awaited = contact_awaited(deployment.line, deployment.contact);
        if let Some(user) = self.users.get_mut(&user).filter(|user| user.deployments == number) {
            user.deployed_at = at;
        }
        self.touched.known.insert(awaited);
        self.touched.deployments.insert(id);
        // The message that began it until now may be an answer after all.
        self.touched.answers_moved.insert(id);
        self.touch_user(user).add(ChangeKind::Deployed);
    }
}
