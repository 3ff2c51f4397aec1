//! Entering a new deployment: what a send does for each of its users.

use super::attribution::contact_awaited;
use super::{Book, DeploymentEntry, MessageEntry, UserEntry};
use crate::domain::clock::Timestamp;
use crate::domain::fact::Content;
use crate::domain::failure::OwnFailure;
use crate::domain::id::{ContactId, DeploymentId, LineId, MessageId, SendId, UserId, VersionId, new_key};
use crate::domain::merge::{DeploymentFacts, MessageFacts, Variables};
use crate::domain::message::{MessageKind, Sender};
use crate::domain::user::ChangeKind;

/// A deployment to be made by a send.
#[derive(Debug, Clone)]
pub struct NewDeployment {
    /// Its user's contact.
    pub contact: ContactId,
    /// Its version.
    pub version: VersionId,
    /// Its line.
    pub line: LineId,
    /// Its send.
    pub send: SendId,
    /// When it is due.
    pub queued_at: Timestamp,
    /// Its variables.
    pub variables: Variables,
    /// Its first message's template and parameters as written JSON; none where another system sends, so that the first
    /// message is whichever that system reports.
    pub template: Option<String>,
    /// Why it fails before anything is sent.
    pub own_failure: Option<OwnFailure>,
}

impl Book {
    /// Makes a deployment for the contact's user of the version, and that user where there is none yet. Returns the
    /// deployment's first message, where one was made.
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
            // The other system may have reported its message before it told us of the send.
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

    /// The user and the number of its next deployment.
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
            facts,
            revision: None,
        });
        id
    }
}
