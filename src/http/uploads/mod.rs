//! `POST /sends`: a list of users of any length, sent as it is.
//!
//! The body is read piece by piece, and each piece is carried to the database before the next one is read; so a list takes
//! as much memory as one batch, and a client cannot be faster than the database. What receives it runs to its end even if
//! the client leaves, since then there is something to clean up.

mod csv;
mod decoder;
mod ndjson;
mod parameters;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::body::{BodyDataStream, Bytes};
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, EXPECT, HeaderValue, RETRY_AFTER};
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt;
use serde_json::json;
use tokio::time::timeout;
use tracing::Instrument;

use self::decoder::{Decoder, Unreadable};
use super::refusal::{Kind, Refusal};
use super::{Services, authorization};
use crate::auth::{Audited, Scope, Viewer};
use crate::dispatch::SubmissionFault;
use crate::dispatch::uploads::{ListRow, Received, Refused, Slot, Upload, UploadFault};
use crate::domain::audit::AuditOutcome;
use crate::storage::{FaultKind, StorageError};
use crate::telemetry::RequestId;

/// The most bytes that are decoded before their rows are passed on.
const SLICE_BYTES: usize = 64 * 1_024;

/// How much of a body is still read once it is refused: a connection that is closed while the client still writes is reset,
/// and the client would not see the answer.
const DRAINED_BYTES: usize = 16 * 1_024 * 1_024;

/// `POST /sends`.
pub(super) async fn receive(State(services): State<Arc<Services>>, request: Request) -> Result<Response, Refusal> {
    let (head, body) = request.into_parts();
    let mut pieces = Pieces { body: body.into_data_stream(), stall: services.uploads.stall(), ended: false };
    let (slot, decoder, upload, audited) = match begin(&services, &head).await {
        Ok(begun) => begun,
        Err(refusal) => {
            // Who asks whether to send the body has not sent it yet.
            if !head.headers.contains_key(EXPECT) {
                pieces.drain().await;
            }
            return Err(refusal);
        }
    };
    let received = async move {
        let _slot = slot;
        let received = take(upload, decoder, pieces).await;
        match &received {
            Ok(received) => audited.finish(AuditOutcome::Done, Some(received.send.to_string())).await,
            Err(refusal) if refusal.is_of_the_client() => audited.finish(AuditOutcome::Rejected, None).await,
            Err(_) => {}
        }
        received
    };
    let received = services.uploads.receive(received.in_current_span()).await;
    received.unwrap_or_else(|_| Err(Refusal::internal())).map(answer)
}

/// Everything that is decided before the body is read.
async fn begin(services: &Services, head: &Parts) -> Result<(Slot, Decoder, Upload, Audited), Refusal> {
    let viewer = authorization::viewer(&services.tokens, &head.headers).await?;
    if !viewer.scopes.allow(Scope::Write) {
        return Err(Refusal::new(Kind::Forbidden, "The token lacks the scope WRITE"));
    }
    let order = parameters::read(head.uri.query().unwrap_or_default())?;
    let decoder = Decoder::of(&head.headers)?;
    let slot = services.uploads.slot().ok_or_else(busy)?;
    let audited = audit(services, &viewer, head).await?;
    match services.uploads.begin(viewer.workspace, order).await? {
        Ok(upload) => Ok((slot, decoder, upload, audited)),
        Err(fault) => {
            audited.finish(AuditOutcome::Rejected, None).await;
            Err(fault.into())
        }
    }
}

/// Adds the list to the audit log.
async fn audit(services: &Services, viewer: &Viewer, head: &Parts) -> Result<Audited, Refusal> {
    let request = head.extensions.get::<RequestId>().cloned().unwrap_or_else(RequestId::generate);
    let (tenant, now) = (services.uploads.tenant(viewer.workspace), services.uploads.now());
    Ok(Audited::begin(&tenant, (viewer, &request), "POST /sends", now).await?)
}

/// The pieces of a body.
struct Pieces {
    body: BodyDataStream,
    /// How long the next one may take.
    stall: Duration,
    /// Whether no more come.
    ended: bool,
}

impl Pieces {
    async fn next(&mut self) -> Result<Option<Bytes>, Refusal> {
        let late = || {
            let seconds = self.stall.as_secs_f32();
            Refusal::new(Kind::RequestTimeout, format!("Nothing of the body arrived within {seconds} seconds"))
        };
        let piece = timeout(self.stall, self.body.next()).await.map_err(|_| late());
        self.ended = !matches!(piece, Ok(Some(Ok(_))));
        piece?.transpose().map_err(|_| Refusal::new(Kind::BadRequest, "The body was cut off"))
    }

    /// Reads some more of a body that is refused.
    async fn drain(&mut self) {
        let stall = self.stall;
        let drained = async {
            let mut length = 0;
            while length < DRAINED_BYTES
                && !self.ended
                && let Ok(Some(piece)) = self.next().await
            {
                length += piece.len();
            }
        };
        // It is a courtesy, and takes no longer than that.
        timeout(stall, drained).await.ok();
    }
}

async fn take(mut upload: Upload, decoder: Decoder, mut pieces: Pieces) -> Result<Received, Refusal> {
    match read(&mut upload, decoder, &mut pieces).await {
        Ok(()) => Ok(upload.finish().await??),
        Err(refusal) => {
            upload.give_up();
            pieces.drain().await;
            Err(refusal)
        }
    }
}

async fn read(upload: &mut Upload, mut decoder: Decoder, pieces: &mut Pieces) -> Result<(), Refusal> {
    let mut rows = Vec::new();
    while let Some(piece) = pieces.next().await? {
        for slice in piece.chunks(SLICE_BYTES) {
            let read = decoder.push(slice, &mut rows);
            add(upload, &mut rows).await?;
            read?;
        }
        upload.touch().await?;
    }
    let read = decoder.finish(&mut rows);
    add(upload, &mut rows).await?;
    Ok(read?)
}

async fn add(upload: &mut Upload, rows: &mut Vec<ListRow>) -> Result<(), StorageError> {
    for row in rows.drain(..) {
        upload.add(row).await?;
    }
    Ok(())
}

fn answer(received: Received) -> Response {
    let Received { send, total_users, duplicates, refused, repeated } = received;
    let status = if repeated { StatusCode::OK } else { StatusCode::CREATED };
    let body = json!({
        "sendId": send.to_string(), "totalUsers": total_users, "duplicates": duplicates, "refused": refused,
    });
    (status, [(CACHE_CONTROL, "no-store")], Json(body)).into_response()
}

fn busy() -> Refusal {
    let refusal = Refusal::new(Kind::Unavailable, "This server receives as many lists as it can; try again later");
    refusal.with_header(RETRY_AFTER, HeaderValue::from_static("5"))
}

impl From<Unreadable> for Refusal {
    fn from(unreadable: Unreadable) -> Self {
        Self::new(unreadable.kind, unreadable.message)
    }
}

impl From<StorageError> for Refusal {
    fn from(error: StorageError) -> Self {
        let refusal = match error.kind() {
            FaultKind::Data => Self::internal(),
            _ => Self::unavailable().with_header(RETRY_AFTER, HeaderValue::from_static("5")),
        };
        refusal.because(Arc::new(error))
    }
}

impl From<UploadFault> for Refusal {
    fn from(fault: UploadFault) -> Self {
        match fault {
            UploadFault::Submission(fault) => refuse(fault),
            UploadFault::Empty => Self::new(Kind::Unprocessable, "The list has no users"),
            UploadFault::Rows(Refused { count, rows }) => {
                let message = format!("{count} rows of the list are refused, and nothing is sent");
                Self::new(Kind::Unprocessable, message).with_detail("refused", json!({ "count": count, "rows": rows }))
            }
        }
    }
}

fn refuse(fault: SubmissionFault) -> Refusal {
    let (kind, message) = match fault {
        SubmissionFault::NoConversation => {
            (Kind::NotFound, "conversationId does not name a conversation in this workspace".to_owned())
        }
        SubmissionFault::Archived => (Kind::Conflict, "conversationId names an archived conversation".to_owned()),
        SubmissionFault::Inbound => {
            (Kind::Unprocessable, "conversationId names an INBOUND conversation, which only users can start".to_owned())
        }
        SubmissionFault::Key(fault) => (Kind::BadRequest, format!("idempotencyKey {fault}")),
        SubmissionFault::KeyTaken => {
            (Kind::Conflict, "idempotencyKey was already used with a different input".to_owned())
        }
        SubmissionFault::Count(_)
        | SubmissionFault::Phone(..)
        | SubmissionFault::VariableCount(..)
        | SubmissionFault::Variable(..) => (Kind::Unprocessable, "The list is refused".to_owned()),
    };
    Refusal::new(kind, message)
}
