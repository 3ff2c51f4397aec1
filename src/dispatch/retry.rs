//! Retrying the failed users of a send, as a new send of the same version.
//!
//! Only users whose latest deployment is the failed one are retried, so a retry that is repeated retries nobody twice. Where
//! the provider wants us to wait, a user's retry is due after that; if the failed deployment turns out to be delivered
//! meanwhile, the retry is canceled.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use super::Sends;
use super::destination::Destination;
use crate::domain::failure::FailureReason;
use crate::domain::id::{ConversationId, SendId};
use crate::domain::input::{Fault, MAX_NAME_BYTES, check_name};
use crate::domain::send::Send;
use crate::domain::standing::DeploymentStatus;
use crate::domain::tally::Tally;
use crate::storage::sends::key;
use crate::storage::sends::retry::{self, Begun, Failed};
use crate::storage::{StorageError, Tenant, sends};

/// Whom to retry.
#[derive(Debug, Clone)]
pub struct RetryRequest {
    /// The send whose failed users are retried.
    pub send: SendId,
    /// The failures to retry; `None` for all that are retryable.
    pub reasons: Option<Vec<FailureReason>>,
    /// Whether to count only, and to send nothing.
    pub dry_run: bool,
    /// Repeating a request under the same key returns the send that the first one made.
    pub idempotency_key: Option<String>,
}

/// What came of a request to retry.
#[derive(Debug, Clone)]
pub struct Retried {
    /// The new send; `None` if nobody is left to be retried, or after a dry run.
    pub send: Option<SendId>,
    /// The conversation of both sends.
    pub conversation: ConversationId,
    /// What becomes of the failed deployments.
    pub groups: Vec<RetryGroup>,
}

/// Failed deployments that fare alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryGroup {
    /// Why they failed.
    pub reason: FailureReason,
    /// What becomes of them.
    pub choice: RetryChoice,
    /// How many there are.
    pub count: i64,
}

/// Whether a failed deployment is retried, or why not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum RetryChoice {
    /// Its user is sent to again.
    Retried,
    /// Sending again does not help by itself, and its reason was not named.
    NotRetryable,
    /// Other reasons were named.
    NotNamed,
    /// Its user's data was erased.
    Erased,
    /// Its user has a newer deployment already.
    SentAgain,
}

/// Why a request to retry is refused. Nothing has been stored then.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RetryFault {
    /// The send does not exist.
    NoSend,
    /// The conversation is archived.
    Archived,
    /// The list of reasons is empty.
    NoReasons,
    /// The idempotency key is not acceptable.
    Key(Fault),
    /// The idempotency key was used for a different request.
    KeyTaken,
}

impl Sends {
    /// Retries failed users of a send, or counts them.
    pub async fn retry(
        &self,
        tenant: &Tenant,
        request: &RetryRequest,
    ) -> Result<Result<Retried, RetryFault>, StorageError> {
        if let Some(fault) = check(request) {
            return Ok(Err(fault));
        }
        let Some(send) = sends::find_many(tenant, &[request.send]).await?.remove(&request.send) else {
            return Ok(Err(RetryFault::NoSend));
        };
        let failed = retry::count(tenant, send.id).await?;
        let tally = sends::tallies(tenant, &[send.id]).await?.remove(&send.id).unwrap_or_default();
        let groups = groups(&failed, &tally, request.reasons.as_deref());
        let conversation = send.conversation;
        let made = if request.dry_run { Ok(None) } else { self.begin(tenant, &send, request, &failed).await? };
        Ok(made.map(|send| Retried { send, conversation, groups }))
    }

    async fn begin(
        &self,
        tenant: &Tenant,
        send: &Send,
        request: &RetryRequest,
        failed: &[Failed],
    ) -> Result<Result<Option<SendId>, RetryFault>, StorageError> {
        let idempotency = request.idempotency_key.clone().map(|key| (key, digest(request)));
        if let Some((key, digest)) = &idempotency
            && let Some(known) = key::find_known(tenant, key).await?
        {
            return Ok(repeated(&known, digest));
        }
        let destination = Destination::of_send(tenant, send).await?;
        if destination.refuses().is_some() {
            return Ok(Err(RetryFault::Archived));
        }
        let new = destination.send(None, send.time_to_live, self.now());
        let retry = Send { version: send.version, preparing: true, retry_of: Some(send.id), ..new };
        let chosen = failed.iter().filter(|one| chosen(one, request.reasons.as_deref()) == RetryChoice::Retried);
        let chosen: Vec<_> = chosen.map(|one| (one.reason, one.code)).collect();
        let begun = retry::begin(tenant, &retry, &chosen, idempotency.as_ref()).await?;
        self.nudges.staged.notify_one();
        Ok(match (begun, &idempotency) {
            (Begun::Known(known), Some((_, digest))) => repeated(&known, digest),
            (Begun::Made, _) => Ok(Some(retry.id)),
            (Begun::Known(_) | Begun::NobodyLeft, _) => Ok(None),
        })
    }
}

fn check(request: &RetryRequest) -> Option<RetryFault> {
    if request.reasons.as_ref().is_some_and(Vec::is_empty) {
        return Some(RetryFault::NoReasons);
    }
    let key = request.idempotency_key.as_ref()?;
    check_name(key, MAX_NAME_BYTES).err().map(RetryFault::Key)
}

fn repeated(known: &key::Known, digest: &str) -> Result<Option<SendId>, RetryFault> {
    if known.digest == *digest { Ok(Some(known.send)) } else { Err(RetryFault::KeyTaken) }
}

/// What becomes of failed deployments that are their users' latest.
fn chosen(failed: &Failed, reasons: Option<&[FailureReason]>) -> RetryChoice {
    match reasons {
        _ if failed.erased => RetryChoice::Erased,
        Some(reasons) if reasons.contains(&failed.reason) => RetryChoice::Retried,
        Some(_) => RetryChoice::NotNamed,
        None if failed.reason.retryable(failed.code) => RetryChoice::Retried,
        None => RetryChoice::NotRetryable,
    }
}

/// What becomes of the failed deployments of a send, by reason. The tally counts all of them; those that are not the latest
/// of their users were sent to again.
fn groups(latest: &[Failed], tally: &Tally, reasons: Option<&[FailureReason]>) -> Vec<RetryGroup> {
    let mut counts: BTreeMap<(FailureReason, RetryChoice), i64> = BTreeMap::new();
    for (cell, count) in tally.cells().filter(|(cell, _)| cell.status == DeploymentStatus::Failed) {
        if let Some(reason) = cell.failure_reason {
            *counts.entry((reason, RetryChoice::SentAgain)).or_default() += count;
        }
    }
    for one in latest {
        *counts.entry((one.reason, chosen(one, reasons))).or_default() += one.count;
        *counts.entry((one.reason, RetryChoice::SentAgain)).or_default() -= one.count;
    }
    let groups = counts.into_iter().filter(|(_, count)| *count > 0);
    groups.map(|((reason, choice), count)| RetryGroup { reason, choice, count }).collect()
}

fn digest(request: &RetryRequest) -> String {
    let reasons = request.reasons.as_ref().map(|reasons| {
        let mut names: Vec<_> = reasons.iter().map(|reason| format!("{reason:?}")).collect();
        names.sort_unstable();
        names.dedup();
        names
    });
    let input = serde_json::json!(["retry", request.send.to_string(), reasons]);
    hex::encode(Sha256::digest(input.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::standing::Cell;

    fn cell(reason: FailureReason) -> Cell {
        Cell { status: DeploymentStatus::Failed, failure_reason: Some(reason), ..Cell::QUEUED }
    }

    #[test]
    fn every_failed_deployment_is_in_one_group() {
        let failed = |reason, code, count| Failed { reason, code, erased: false, count };
        let latest = [
            failed(FailureReason::TemplateUnavailable, Some(132_001), 2),
            failed(FailureReason::TemplateUnavailable, Some(132_015), 3),
            failed(FailureReason::Expired, None, 4),
            Failed { erased: true, ..failed(FailureReason::Expired, None, 1) },
        ];
        let cells =
            [(FailureReason::TemplateUnavailable, 6), (FailureReason::Expired, 5), (FailureReason::Canceled, 5)];
        let tally: Tally = cells.into_iter().map(|(reason, count)| (cell(reason), count)).collect();
        let group = |reason, choice, count| RetryGroup { reason, choice, count };
        let expected = [
            group(FailureReason::TemplateUnavailable, RetryChoice::Retried, 3),
            group(FailureReason::TemplateUnavailable, RetryChoice::NotRetryable, 2),
            group(FailureReason::TemplateUnavailable, RetryChoice::SentAgain, 1),
            group(FailureReason::Expired, RetryChoice::Retried, 4),
            group(FailureReason::Expired, RetryChoice::Erased, 1),
            group(FailureReason::Canceled, RetryChoice::SentAgain, 5),
        ];
        assert_eq!(groups(&latest, &tally, None), expected);
        let named = groups(&latest, &tally, Some(&[FailureReason::Expired]));
        assert_eq!(named[0], group(FailureReason::TemplateUnavailable, RetryChoice::NotNamed, 5));
        assert_eq!(named[2], group(FailureReason::Expired, RetryChoice::Retried, 4));
    }
}
