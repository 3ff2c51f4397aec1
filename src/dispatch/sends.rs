//! Accepting submissions.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::Nudges;
use crate::domain::clock::{Clock, Timestamp};
use crate::domain::conversation::{Conversation, Direction, Version};
use crate::domain::failure::FailureReason;
use crate::domain::flow::{Template, first_template};
use crate::domain::id::{ConversationId, SendId, new_key};
use crate::domain::input::{
    Fault, MAX_NAME_BYTES, MAX_VARIABLE_NAME_BYTES, MAX_VARIABLE_VALUE_BYTES, check_name, check_text,
};
use crate::domain::line::Line;
use crate::domain::merge::{VariableValue, Variables};
use crate::domain::phone::{Country, Phone};
use crate::domain::send::Send;
use crate::recorder::Recorder;
use crate::storage::sends::submit::{self, NewRecipient, NewSend, Submitted};
use crate::storage::{StorageError, Tenant, conversations, lines, retry_races, versions};

/// The most users in one submission.
pub const MAX_USERS: usize = 10_000;

/// The most variables that one user may have in a submission.
pub const MAX_VARIABLES: usize = 100;

/// How often a submission that lost a race is retried.
const MAX_RETRIES: u32 = 5;

/// A submission of users to a conversation's current version, before it is checked.
#[derive(Debug, Clone)]
pub struct Submission {
    /// The conversation to send.
    pub conversation: ConversationId,
    /// The users to send to. If a phone number occurs more than once, its first occurrence counts.
    pub users: Vec<Recipient>,
    /// When to send; immediately if that is absent or in the past.
    pub scheduled_at: Option<Timestamp>,
    /// How long after its acceptance an undelivered message expires; the template's category decides if that is absent.
    pub time_to_live: Option<Duration>,
    /// Repeating a submission under the same key returns the send that the first one created.
    pub idempotency_key: Option<String>,
}

/// A user to send to.
#[derive(Debug, Clone)]
pub struct Recipient {
    /// The phone number as given.
    pub phone: String,
    /// Names and values of variables. If a name occurs more than once, the last value counts.
    pub variables: Vec<(String, String)>,
}

/// Why a submission is refused. Nothing has been stored then.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SubmissionFault {
    /// The conversation does not exist.
    NoConversation,
    /// The conversation is archived.
    Archived,
    /// The conversation is inbound, so its users begin it.
    Inbound,
    /// There are no users or more than [`MAX_USERS`]: their number.
    Count(usize),
    /// The phone number of the user at this index is not acceptable.
    Phone(usize, Fault),
    /// The user at this index has more than [`MAX_VARIABLES`]: (user, number of variables).
    VariableCount(usize, usize),
    /// A variable is not acceptable: (index of the user, index of the variable, fault).
    Variable(usize, usize, Fault),
    /// The idempotency key is not acceptable.
    Key(Fault),
    /// The idempotency key was used for a different submission.
    KeyTaken,
}

/// Accepts submissions. Cheap to clone.
#[derive(Clone)]
pub struct Sends {
    recorder: Recorder,
    clock: Arc<dyn Clock>,
    pub(super) nudges: Nudges,
}

/// What a submission deploys, and on which line.
struct Destination {
    conversation: Conversation,
    version: Version,
    line: Line,
}

impl Sends {
    /// Reports commits to `recorder`, and wakes the background of this node by `nudges`.
    pub fn new(recorder: Recorder, clock: Arc<dyn Clock>, nudges: Nudges) -> Self {
        Self { recorder, clock, nudges }
    }

    /// Stores a send with its users, deployments and first messages in one transaction; returns all faults if it is refused.
    pub async fn submit(
        &self,
        tenant: &Tenant,
        submission: Submission,
    ) -> Result<Result<SendId, Vec<SubmissionFault>>, StorageError> {
        let faults = check(&submission);
        if !faults.is_empty() {
            return Ok(Err(faults));
        }
        // Checked first, so that a repetition gets the same answer whatever has happened to the conversation since.
        let idempotency = submission.idempotency_key.clone().map(|key| (key, digest(&submission)));
        if let Some(key) = &idempotency
            && let Some(repeated) = submit::find_repeated(tenant, key).await?
        {
            return Ok(self.answer(tenant, repeated).await);
        }
        let Some(destination) = find_destination(tenant, submission.conversation).await? else {
            return Ok(Err(vec![SubmissionFault::NoConversation]));
        };
        if let Some(refused) = destination.refuses() {
            return Ok(Err(vec![refused]));
        }
        let submitted = self.store(tenant, &submission, &destination, idempotency).await?;
        Ok(self.answer(tenant, submitted).await)
    }

    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    async fn store(
        &self,
        tenant: &Tenant,
        submission: &Submission,
        destination: &Destination,
        idempotency: Option<(String, String)>,
    ) -> Result<Submitted, StorageError> {
        let submit = || {
            let now = self.clock.now();
            submit::submit(tenant, destination.new_send(submission, idempotency.clone(), now), now)
        };
        retry_races(MAX_RETRIES, submit).await
    }

    async fn answer(&self, tenant: &Tenant, submitted: Submitted) -> Result<SendId, Vec<SubmissionFault>> {
        match submitted {
            Submitted::KeyTaken => Err(vec![SubmissionFault::KeyTaken]),
            Submitted::Repeated(send) => Ok(send),
            Submitted::Stored { send, revisions, known } => {
                self.recorder.committed(tenant.workspace(), &revisions, &known).await;
                self.nudges.work.notify_one();
                Ok(send)
            }
        }
    }
}

impl Destination {
    fn refuses(&self) -> Option<SubmissionFault> {
        match self.conversation.direction {
            _ if self.conversation.archived_at.is_some() => Some(SubmissionFault::Archived),
            Direction::Inbound => Some(SubmissionFault::Inbound),
            Direction::Outbound => None,
        }
    }

    fn new_send(&self, submission: &Submission, idempotency: Option<(String, String)>, now: Timestamp) -> NewSend {
        let scheduled_at = submission.scheduled_at.filter(|&due| due > now);
        let recipients = self.recipients(submission, now);
        let send = Send {
            id: new_key().into(),
            conversation: self.conversation.id,
            version: self.version.id,
            total_users: i32::try_from(recipients.len()).unwrap_or(i32::MAX),
            created_at: now,
            scheduled_at,
            completed_at: None,
            canceled_at: None,
            paused_at: None,
            preparing: false,
            time_to_live: submission.time_to_live,
            retry_of: None,
        };
        NewSend { send, line: self.line.id, time_to_live: self.time_to_live(submission), idempotency, recipients }
    }

    fn recipients(&self, submission: &Submission, now: Timestamp) -> Vec<NewRecipient> {
        let (country, template) = (self.line.phone.country(), self.template());
        let mut seen = HashSet::new();
        let recipients = submission.users.iter().map(|user| recipient(user, country, template.as_ref(), now));
        recipients.filter(|one| seen.insert(one.phone.clone())).collect()
    }

    /// How long after its acceptance an undelivered message expires.
    fn time_to_live(&self, submission: &Submission) -> Duration {
        let category = self.template().map(|template| template.category).unwrap_or_default();
        submission.time_to_live.unwrap_or(category.time_to_live())
    }

    /// The template of the first message; `None` if another system sends.
    fn template(&self) -> Option<Template> {
        let flow = serde_json::from_str(&self.version.flow).ok()?;
        first_template(&flow).filter(|_| !self.line.external)
    }
}

async fn find_destination(tenant: &Tenant, id: ConversationId) -> Result<Option<Destination>, StorageError> {
    let Some(conversation) = conversations::find_many(tenant, &[id]).await?.remove(&id) else { return Ok(None) };
    let version = versions::find_many(tenant, &[conversation.current_version]).await?;
    let version = version.into_values().next().ok_or(StorageError::Corrupt("conversation without a version"))?;
    let line = lines::find_many(tenant, &[conversation.line]).await?.into_values().next();
    let line = line.ok_or(StorageError::Corrupt("conversation without a line"))?;
    Ok(Some(Destination { conversation, version, line }))
}

fn check(submission: &Submission) -> Vec<SubmissionFault> {
    let count = submission.users.len();
    if count == 0 || count > MAX_USERS {
        return vec![SubmissionFault::Count(count)];
    }
    let key = submission.idempotency_key.as_ref().map(|key| check_name(key, MAX_NAME_BYTES));
    let key = key.and_then(Result::err).map(SubmissionFault::Key);
    let users = submission.users.iter().enumerate().flat_map(|(place, user)| check_recipient(place, user));
    key.into_iter().chain(users).collect()
}

fn check_recipient(place: usize, user: &Recipient) -> Vec<SubmissionFault> {
    let phone = Phone::check(&user.phone).err().map(|fault| SubmissionFault::Phone(place, fault));
    phone.into_iter().chain(check_variables(place, user)).collect()
}

fn check_variables(place: usize, user: &Recipient) -> Vec<SubmissionFault> {
    if user.variables.len() > MAX_VARIABLES {
        return vec![SubmissionFault::VariableCount(place, user.variables.len())];
    }
    let check = |(at, (name, value)): (usize, &(String, String))| {
        let checked =
            check_name(name, MAX_VARIABLE_NAME_BYTES).and_then(|()| check_text(value, MAX_VARIABLE_VALUE_BYTES));
        checked.err().map(|fault| SubmissionFault::Variable(place, at, fault))
    };
    user.variables.iter().enumerate().filter_map(check).collect()
}

fn recipient(user: &Recipient, country: Option<Country>, template: Option<&Template>, now: Timestamp) -> NewRecipient {
    let phone = Phone::parse(&user.phone, country);
    let value = |text: &String| VariableValue { at: now, value: text.clone() };
    let variables: Variables = user.variables.iter().map(|(name, text)| (name.clone(), value(text))).collect();
    let filled = template.map(|template| (template, template.fill(&variables)));
    let own_failure = match &filled {
        _ if !phone.is_valid() => Some(FailureReason::InvalidPhone),
        Some((_, Err(_))) => Some(FailureReason::TemplateParameters),
        _ => None,
    };
    let template = filled.map(|(template, parameters)| written(template, &parameters.unwrap_or_default()));
    NewRecipient { phone, variables, template, own_failure }
}

/// The payload of a template message, which the dispatcher reads back and the history shows.
fn written(template: &Template, parameters: &[String]) -> String {
    json!({ "name": template.name, "language": template.language, "parameters": parameters }).to_string()
}

fn digest(submission: &Submission) -> String {
    let users: Vec<_> = submission.users.iter().map(|user| json!([user.phone, user.variables])).collect();
    let scheduled = submission.scheduled_at.map(Timestamp::micros);
    let mut input = vec![json!(submission.conversation.to_string()), json!(users), json!(scheduled)];
    input.extend(submission.time_to_live.map(|time_to_live| json!(time_to_live.as_secs())));
    hex::encode(Sha256::digest(Value::from(input).to_string()))
}
