//! A list that is being received.

use std::time::Duration;

use super::digest::Digest;
use super::{ListRow, Order, Received, Refused, UploadFault, Uploads};
use crate::dispatch::destination::Destination;
use crate::dispatch::recipient::{self, Recipient};
use crate::dispatch::sends::{MAX_RETRIES, SubmissionFault, check_key};
use crate::domain::clock::Timestamp;
use crate::domain::id::{SendId, new_key};
use crate::domain::phone::{Country, Phone};
use crate::storage::sends::key::{self, Known};
use crate::storage::sends::staging::{self, Completed, StagedUser};
use crate::storage::{StorageError, Tenant, retry_races, sends};

/// The most rows in a batch, and roughly the most bytes, as a row may have close to a megabyte.
const BATCH_ROWS: usize = 1_000;
const BATCH_BYTES: usize = 1_024 * 1_024;

/// How many things that are wrong with a row are told.
const MAX_REASONS: usize = 3;

/// How long a list that arrives slowly may be silent to the database.
const TOUCH_INTERVAL: Duration = Duration::from_mins(1);

/// A list that is being received. It is either finished or given up.
pub struct Upload {
    uploads: Uploads,
    tenant: Tenant,
    order: Order,
    digest: Digest,
    /// The send that was made under the list's key before.
    known: Option<Known>,
    /// `None` if nothing is staged: the list is only compared or, since it is refused, only read to its end.
    staging: Option<Staging>,
    /// How many rows were acceptable.
    accepted: i64,
    refused: Refused,
}

/// What was staged of a list, and the batch that comes next.
struct Staging {
    send: SendId,
    /// The country of the line, of which national numbers are.
    country: Option<Country>,
    batch: Vec<StagedUser>,
    batch_bytes: usize,
    /// The number of the last row.
    number: i32,
    /// How many users were staged.
    staged: u64,
    touched_at: Timestamp,
}

impl Upload {
    pub(super) async fn begin(
        uploads: Uploads,
        tenant: Tenant,
        order: Order,
    ) -> Result<Result<Self, UploadFault>, StorageError> {
        let known = match &order.idempotency_key {
            None => None,
            Some(key) => match check_key(key) {
                Ok(()) => key::find_known(&tenant, key).await?,
                Err(fault) => return Ok(Err(fault.into())),
            },
        };
        let staging = match &known {
            // Whatever has happened to the conversation since, a repetition gets the same answer.
            Some(_) => None,
            None => match find(&tenant, &order).await? {
                Ok(destination) => Some(Staging::begin(&uploads, &tenant, &destination).await?),
                Err(fault) => return Ok(Err(fault.into())),
            },
        };
        let digest = Digest::of(&order);
        let refused = Refused::default();
        Ok(Ok(Self { uploads, tenant, order, digest, known, staging, accepted: 0, refused }))
    }

    /// Takes the next row.
    pub async fn add(&mut self, row: ListRow) -> Result<(), StorageError> {
        self.digest.add(&row);
        let user = checked(row.user).and_then(|user| {
            let fits = self.accepted < i64::from(i32::MAX);
            if fits { Ok(user) } else { Err("a send has at most 2,147,483,647 users".to_owned()) }
        });
        match user {
            Ok(user) => {
                self.accepted += 1;
                if let Some(staging) = &mut self.staging {
                    staging.add(user);
                }
                self.flush_if(Staging::is_full).await
            }
            Err(reason) => {
                self.refused.add(row.line, reason);
                if !self.order.skip_invalid {
                    self.stop_staging();
                }
                Ok(())
            }
        }
    }

    /// Tells the database, now and then, that the list still arrives. To be called after each piece.
    pub async fn touch(&mut self) -> Result<(), StorageError> {
        let now = self.uploads.0.clock.now();
        self.flush_if(|staging| now > staging.touched_at.plus(TOUCH_INTERVAL)).await
    }

    /// Makes the send, now that the list is complete.
    pub async fn finish(mut self) -> Result<Result<Received, UploadFault>, StorageError> {
        let made = self.complete().await;
        // Nothing is left where the send was made.
        self.stop_staging();
        made
    }

    /// Removes what was staged, in the background.
    pub fn give_up(mut self) {
        self.stop_staging();
    }

    async fn complete(&mut self) -> Result<Result<Received, UploadFault>, StorageError> {
        let digest = std::mem::replace(&mut self.digest, Digest::of(&self.order)).finish();
        if let Some(known) = self.known.take() {
            return self.repeated(&known, &digest).await;
        }
        if self.refused.count > 0 && (!self.order.skip_invalid || self.accepted == 0) {
            return Ok(Err(UploadFault::Rows(std::mem::take(&mut self.refused))));
        }
        if self.accepted == 0 {
            return Ok(Err(UploadFault::Empty));
        }
        self.flush_if(|_| true).await?;
        let destination = match find(&self.tenant, &self.order).await? {
            Ok(destination) => destination,
            Err(fault) => return Ok(Err(fault.into())),
        };
        match self.make(&destination, &digest).await? {
            Ok(received) => Ok(Ok(received)),
            Err(known) => self.repeated(&known, &digest).await,
        }
    }

    /// Makes the send, unless one was made under the key meanwhile.
    async fn make(&mut self, destination: &Destination, digest: &str) -> Result<Result<Received, Known>, StorageError> {
        let (id, staged) = self.staging.as_ref().map_or_else(|| (new_key().into(), 0), |one| (one.send, one.staged));
        let mut send = destination.send(self.order.scheduled_at, self.order.time_to_live, self.uploads.0.clock.now());
        send.id = id;
        send.preparing = true;
        send.total_users = i32::try_from(staged).unwrap_or(i32::MAX);
        let idempotency = self.order.idempotency_key.clone().map(|key| (key, digest.to_owned()));
        let complete = || staging::complete(&self.tenant, &send, idempotency.as_ref());
        if let Completed::Known(known) = retry_races(MAX_RETRIES, complete).await? {
            return Ok(Err(known));
        }
        self.staging = None;
        self.uploads.0.staged.notify_one();
        let duplicates = self.accepted - i64::from(send.total_users);
        let refused = std::mem::take(&mut self.refused);
        Ok(Ok(Received { send: id, total_users: send.total_users, duplicates, refused, repeated: false }))
    }

    async fn repeated(&mut self, known: &Known, digest: &str) -> Result<Result<Received, UploadFault>, StorageError> {
        if known.digest != *digest {
            return Ok(Err(SubmissionFault::KeyTaken.into()));
        }
        let send = sends::find_many(&self.tenant, &[known.send]).await?.remove(&known.send);
        let total_users = send.ok_or(StorageError::Corrupt("key of no send"))?.total_users;
        let duplicates = self.accepted - i64::from(total_users);
        let refused = std::mem::take(&mut self.refused);
        Ok(Ok(Received { send: known.send, total_users, duplicates, refused, repeated: true }))
    }

    async fn flush_if(&mut self, when: impl FnOnce(&Staging) -> bool) -> Result<(), StorageError> {
        match &mut self.staging {
            Some(staging) if when(staging) => staging.flush(&self.tenant, self.uploads.0.clock.now()).await,
            _ => Ok(()),
        }
    }

    fn stop_staging(&mut self) {
        let Some(Staging { send, .. }) = self.staging.take() else { return };
        let db = self.tenant.database().clone();
        self.uploads.0.tasks.spawn(async move {
            if let Err(error) = staging::give_up(&db, send, Timestamp::END).await {
                let cause = &error as &dyn std::error::Error;
                tracing::warn!(error = cause, send.id = %send, "a list that was given up is removed later");
            }
        });
    }
}

impl Staging {
    async fn begin(uploads: &Uploads, tenant: &Tenant, destination: &Destination) -> Result<Self, StorageError> {
        let (send, touched_at) = (new_key().into(), uploads.0.clock.now());
        staging::begin(tenant, send, touched_at).await?;
        let country = destination.line.phone.country();
        Ok(Self { send, country, batch: Vec::new(), batch_bytes: 0, number: 0, staged: 0, touched_at })
    }

    fn add(&mut self, user: Recipient) {
        self.number = self.number.saturating_add(1);
        self.batch_bytes +=
            user.phone.len() + user.variables.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>();
        let phone = Phone::parse(&user.phone, self.country);
        self.batch.push(StagedUser { number: self.number, phone, variables: user.variables.into_iter().collect() });
    }

    fn is_full(&self) -> bool {
        self.batch.len() >= BATCH_ROWS || self.batch_bytes >= BATCH_BYTES
    }

    async fn flush(&mut self, tenant: &Tenant, now: Timestamp) -> Result<(), StorageError> {
        let stage = || staging::stage(tenant, self.send, &self.batch, now);
        self.staged += retry_races(MAX_RETRIES, stage).await?;
        self.batch.clear();
        self.batch_bytes = 0;
        self.touched_at = now;
        Ok(())
    }
}

/// The user of a row, or why it is refused.
fn checked(user: Result<Recipient, String>) -> Result<Recipient, String> {
    let user = user?;
    let faults = recipient::check(&user);
    if faults.is_empty() {
        return Ok(user);
    }
    let reasons: Vec<_> = faults.iter().take(MAX_REASONS).map(|fault| fault.reason(&user)).collect();
    Err(reasons.join("; "))
}

async fn find(tenant: &Tenant, order: &Order) -> Result<Result<Destination, SubmissionFault>, StorageError> {
    let Some(destination) = Destination::find(tenant, order.conversation).await? else {
        return Ok(Err(SubmissionFault::NoConversation));
    };
    Ok(match destination.refuses() {
        Some(fault) => Err(fault),
        None => Ok(destination),
    })
}

impl From<SubmissionFault> for UploadFault {
    fn from(fault: SubmissionFault) -> Self {
        Self::Submission(fault)
    }
}
