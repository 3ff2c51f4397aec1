//! Accepting submissions.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::Nudges;
use super::destination::Destination;
use super::recipient::{self, Recipient, RecipientFault};
use crate::domain::clock::{Clock, Timestamp};
use crate::domain::id::{ConversationId, SendId};
use crate::domain::input::{Fault, MAX_NAME_BYTES, check_name};
use crate::domain::merge::{VariableValue, Variables};
use crate::domain::opening::Opening;
use crate::domain::phone::Phone;
use crate::recorder::Recorder;
use crate::storage::sends::submit::{self, NewRecipient, NewSend, Submitted};
use crate::storage::{StorageError, Tenant, retry_races};

/// The most users in one submission.
pub const MAX_USERS: usize = 10_000;

/// How often a submission that lost a race is retried.
pub(super) const MAX_RETRIES: u32 = 5;

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
    /// The user at this index has more than [`MAX_VARIABLES`](super::MAX_VARIABLES): (user, number of variables).
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
    pub(super) recorder: Recorder,
    clock: Arc<dyn Clock>,
    pub(super) nudges: Nudges,
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
        let Some(destination) = Destination::find(tenant, submission.conversation).await? else {
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
            submit::submit(tenant, new_send(destination, submission, idempotency.clone(), now), now)
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

fn new_send(
    destination: &Destination,
    submission: &Submission,
    idempotency: Option<(String, String)>,
    now: Timestamp,
) -> NewSend {
    let recipients = recipients(destination, submission, now);
    let mut send = destination.send(submission.scheduled_at, submission.time_to_live, now);
    send.total_users = i32::try_from(recipients.len()).unwrap_or(i32::MAX);
    let order = destination.order(&send);
    NewSend { send, order, idempotency, recipients }
}

fn recipients(destination: &Destination, submission: &Submission, now: Timestamp) -> Vec<NewRecipient> {
    let (country, template) = (destination.line.phone.country(), destination.template());
    let mut seen = HashSet::new();
    let recipients = submission.users.iter().map(|user| {
        let parsed = Phone::try_parse(&user.phone, country);
        let is_valid = parsed.is_ok();
        let phone = parsed.unwrap_or_else(|as_given| as_given);
        let value = |text: &String| VariableValue { at: now, value: text.clone() };
        let variables: Variables = user.variables.iter().map(|(name, text)| (name.clone(), value(text))).collect();
        let opening = Opening::of(template.as_ref(), is_valid, &variables);
        NewRecipient { phone, variables, opening }
    });
    recipients.filter(|one| seen.insert(one.phone.clone())).collect()
}

fn check(submission: &Submission) -> Vec<SubmissionFault> {
    let count = submission.users.len();
    if count == 0 || count > MAX_USERS {
        return vec![SubmissionFault::Count(count)];
    }
    let key = submission.idempotency_key.as_ref().and_then(|key| check_key(key).err());
    let users = submission.users.iter().enumerate().flat_map(|(place, user)| check_recipient(place, user));
    key.into_iter().chain(users).collect()
}

/// Checks an idempotency key.
pub(super) fn check_key(key: &str) -> Result<(), SubmissionFault> {
    check_name(key, MAX_NAME_BYTES).map_err(SubmissionFault::Key)
}

fn check_recipient(place: usize, user: &Recipient) -> impl Iterator<Item = SubmissionFault> {
    recipient::check(user).into_iter().map(move |fault| match fault {
        RecipientFault::Phone(fault) => SubmissionFault::Phone(place, fault),
        RecipientFault::VariableCount(count) => SubmissionFault::VariableCount(place, count),
        RecipientFault::Variable(at, fault) => SubmissionFault::Variable(place, at, fault),
    })
}

fn digest(submission: &Submission) -> String {
    let users: Vec<_> = submission.users.iter().map(|user| json!([user.phone, user.variables])).collect();
    let scheduled = submission.scheduled_at.map(Timestamp::micros);
    let mut input = vec![json!(submission.conversation.to_string()), json!(users), json!(scheduled)];
    input.extend(submission.time_to_live.map(|time_to_live| json!(time_to_live.as_secs())));
    hex::encode(Sha256::digest(Value::from(input).to_string()))
}
