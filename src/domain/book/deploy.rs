//! Adding a new deployment, as a send does for each of its users.

use std::time::Duration;

use super::attribution::contact_awaited;
use super::{Book, DeploymentEntry, MessageEntry, UserEntry};
use crate::domain::clock::Timestamp;
use crate::domain::fact::Content;
use crate::domain::failure::OwnFailure;
use crate::domain::id::{ContactId, DeploymentId, LineId, MessageId, SendId, UserId, VersionId, new_key};
use crate::domain::merge::{DeploymentFacts, MessageFacts, Variables};
use crate::domain::message::{MessageKind, Sender};
use crate::domain::user::ChangeKind;

/// A deployment that a send creates.
#[derive(Debug, Clone)]
pub struct NewDeployment {
    /// The contact it is for.
    pub contact: ContactId,
    /// The version to deploy.
    pub version: VersionId,
    /// The line to send on.
    pub line: LineId,
    /// The send that creates it.
    pub send: SendId,
    /// When it is due to be sent.
    pub queued_at: Timestamp,
    /// The variables given at the submission.
    pub variables: Variables,
    /// The template and parameters of the first message, as JSON text. `None` if another system sends; the first message is
    /// then whichever that system reports.
    pub template: Option<String>,
    /// How long after its acceptance an undelivered first message expires.
    pub time_to_live: Duration,
    /// Whether it retries the user's deployment before it.
    pub retries: bool,
    /// Why it fails before anything is sent, if it does.
    pub own_failure: Option<OwnFailure>,
}

impl Book {
    /// Adds a deployment for the contact's user of the version, and that user if it does not exist yet. Returns the
    /// deployment's first message, if one was created.
    pub fn deploy(&mut self, mut new: NewDeployment) -> Option<MessageId> {
        let id: DeploymentId = new_key().into();
        let (user, number) = self.user_to_deploy(&new);
        let refusal = MessageFacts { own_failure: new.own_failure, ..MessageFacts::default() };
        let template = new.template.take();
        let first = template.map(|template| self.add_template(user, id, &new, (template, refusal.clone())));
        let reported = if first.is_some() { MessageFacts::default() } else { refusal };
        self.touched.variables.extend(new.variables.keys().map(|name| (id, name.clone())));
        self.touched.deployments.insert(id);
        self.touched.standing.insert(id);
        if first.is_none() {
            // The other system may have reported its message before it reported the send.
            self.touched.known.insert(contact_awaited(new.line, new.contact));
        }
        self.deployments.insert(
            id,
            DeploymentEntry {
                id,
                user,
                version: new.version,
                contact: new.contact,
                line: new.line,
                send: Some(new.send),
                number,
                retries: new.retries,
                queued_at: new.queued_at,
                began: first.is_none().then_some(new.queued_at),
                made: first.is_some(),
                first,
                facts: DeploymentFacts { reported, ..DeploymentFacts::default() },
                variables: new.variables,
                cell_before: None,
            },
        );
        first
    }

    /// The user, created if necessary, and the number of the new deployment.
    fn user_to_deploy(&mut self, new: &NewDeployment) -> (UserId, i32) {
        let known = self.users_by_contact.get(&(new.version, new.contact)).copied();
        let (id, number) = match known.and_then(|id| self.users.get_mut(&id)) {
            Some(user) => {
                user.deployments += 1;
                user.deployed_at = new.queued_at;
                (user.id, user.deployments)
            }
            None => (self.add_user(new), 1),
        };
        let kinds = self.touch_user(id);
        kinds.add(ChangeKind::Deployed);
        if !new.variables.is_empty() {
            kinds.add(ChangeKind::Variable);
        }
        (id, number)
    }

    fn add_user(&mut self, new: &NewDeployment) -> UserId {
        let id = new_key().into();
        self.enter_user(UserEntry {
            id,
            version: new.version,
            contact: new.contact,
            deployments: 1,
            deployed_at: new.queued_at,
            cell: None,
            activity: None,
        });
        id
    }

    fn add_template(
        &mut self,
        user: UserId,
        deployment: DeploymentId,
        new: &NewDeployment,
        (template, facts): (String, MessageFacts),
    ) -> MessageId {
        let id = new_key().into();
        let kind = MessageKind::Template;
        self.touch_user(user).add(ChangeKind::Message);
        self.touched.told.insert(id);
        self.enter_message(MessageEntry {
            id,
            user,
            deployment,
            line: new.line,
            sender: Sender::Company,
            content: Content { at: new.queued_at, kind, text: None, payload: Some(template) },
            provider_message_id: None,
            first: true,
            time_to_live: Some(new.time_to_live),
            facts,
            revision: None,
        });
        id
    }
}
