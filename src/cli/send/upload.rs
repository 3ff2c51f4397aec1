//! Carries the list to the server; again from its beginning, under the same key, if the connection breaks.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::StreamExt;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER};
use reqwest::{Body, Client, Response, StatusCode};
use serde_json::Value;

use super::list::List;
use super::progress::Progress;
use super::server::Server;
use crate::cli::failure::Failure;
use crate::cli::note;
use crate::whatsapp::transport;

/// How often the list is carried at most.
const ATTEMPTS: u32 = 6;

/// How long a connection may take to open.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);

/// The longest time that a list may take.
const TIMEOUT: Duration = Duration::from_hours(24);

/// The longest wait between two attempts.
const MAX_WAIT: Duration = Duration::from_secs(30);

/// Why an attempt has no result.
struct Broken {
    cause: Failure,
    /// How long the server asks to wait.
    wait: Option<Duration>,
}

/// Carries the list there, and returns the id of the send; `None` if the list is refused.
pub(super) async fn run(
    server: &Server,
    list: &List,
    parameters: &[(&str, String)],
) -> Result<Option<String>, Failure> {
    let client = transport::client(CONNECT_TIMEOUT, TIMEOUT)?;
    let mut attempt = 1;
    loop {
        let broken = match post(&client, server, list, parameters).await? {
            Ok((status, answer)) => return told(status, &answer),
            Err(broken) => broken,
        };
        if attempt == ATTEMPTS || !list.is_repeatable() {
            let key = parameters.iter().find(|(name, _)| *name == "idempotencyKey").map(|(_, key)| key.as_str());
            note(format!("To be sure, repeat the call with --idempotency-key {}", key.unwrap_or_default()));
            return Err(broken.cause);
        }
        note(broken.cause.sentence());
        let wait = broken.wait.unwrap_or_else(|| Duration::from_secs(1 << attempt.min(8))).min(MAX_WAIT);
        note(format!("Trying again in {} seconds", wait.as_secs()));
        tokio::time::sleep(wait).await;
        attempt += 1;
    }
}

async fn post(
    client: &Client,
    server: &Server,
    list: &List,
    parameters: &[(&str, String)],
) -> Result<Result<(StatusCode, Value), Broken>, Failure> {
    let request = client.post(server.sends(parameters)?).header(AUTHORIZATION, server.authorization());
    let response = request.header(CONTENT_TYPE, list.format.content_type()).body(body(list).await?).send().await;
    let broken = |cause: reqwest::Error| Broken { cause: Failure::failed(cause.without_url()), wait: None };
    let response = match response {
        Ok(response) => response,
        Err(cause) => return Ok(Err(broken(cause))),
    };
    let status = response.status();
    if status == StatusCode::SERVICE_UNAVAILABLE || status == StatusCode::REQUEST_TIMEOUT {
        let wait = wait(&response);
        let answer = response.json().await.unwrap_or_default();
        return Ok(Err(Broken { cause: Failure::failed(sentence(status, &answer)), wait }));
    }
    Ok(response.json().await.map(|answer| (status, answer)).map_err(broken))
}

/// The list as a body, which tells how much of it has gone.
async fn body(list: &List) -> Result<Body, Failure> {
    let length = list.length();
    let progress = Arc::new(Mutex::new((0, Progress::of_bytes("Uploading", length))));
    let pieces = list.pieces().await?.inspect(move |piece| {
        let (done, progress) = &mut *progress.lock().unwrap_or_else(PoisonError::into_inner);
        *done += piece.as_ref().map_or(0, |piece| piece.len() as u64);
        progress.set(*done, length, "bytes");
    });
    Ok(Body::wrap_stream(pieces))
}

fn wait(response: &Response) -> Option<Duration> {
    response.headers().get(RETRY_AFTER)?.to_str().ok()?.parse().ok().map(Duration::from_secs)
}

/// Tells the answer, and returns the id of the send if the list was taken.
fn told(status: StatusCode, answer: &Value) -> Result<Option<String>, Failure> {
    if !status.is_success() {
        note(format!("bluetick: {}", sentence(status, answer)));
        tell_rows(answer.pointer("/errors/0/extensions/refused"));
        return Ok(None);
    }
    let figure = |name: &str| answer.get(name).and_then(Value::as_i64).unwrap_or_default();
    note(format!("{} users, {} duplicates left out", figure("totalUsers"), figure("duplicates")));
    tell_rows(answer.get("refused"));
    let id = answer.get("sendId").and_then(Value::as_str);
    id.map(|id| Some(id.to_owned())).ok_or_else(|| Failure::failed("the server's answer names no send"))
}

fn tell_rows(refused: Option<&Value>) {
    let Some(refused) = refused else { return };
    let rows = refused.get("rows").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    for row in rows {
        let line = row.get("line").and_then(Value::as_u64).unwrap_or_default();
        note(format!("line {line}: {}", row.get("reason").and_then(Value::as_str).unwrap_or_default()));
    }
    let count = refused.get("count").and_then(Value::as_u64).unwrap_or_default();
    let more = count.saturating_sub(rows.len() as u64);
    if more > 0 {
        note(format!("and {more} more rows"));
    }
}

fn sentence(status: StatusCode, answer: &Value) -> String {
    let message = answer.pointer("/errors/0/message").and_then(Value::as_str);
    message.map_or_else(|| format!("the server answered {status}"), str::to_owned)
}
