//! Bodies of requests, read within a length and a time.

use std::time::Duration;

use axum::body::{Body, HttpBody};
use futures_util::TryStreamExt;
use tokio::time::timeout;

use super::refusal::{Kind, Refusal};

/// Reads a body of at most `max_bytes` bytes that arrives within `time_limit`. A body that arrives in pieces is counted as it arrives.
pub(super) async fn read(body: Body, max_bytes: usize, time_limit: Duration) -> Result<Vec<u8>, Refusal> {
    let late = || {
        let seconds = time_limit.as_secs_f32();
        Refusal::new(Kind::RequestTimeout, format!("The body did not arrive within {seconds} seconds"))
    };
    timeout(time_limit, collect(body, max_bytes)).await.map_err(|_| late())?
}

async fn collect(body: Body, max_bytes: usize) -> Result<Vec<u8>, Refusal> {
    let announced = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    let mut read = Vec::with_capacity(if announced > max_bytes { 0 } else { announced });
    let mut length: usize = 0;
    let mut pieces = body.into_data_stream();
    // A body that is a little too long is read to its end and dropped: a connection that is closed while the client still
    // writes is reset, and the client would not see the answer.
    let drained_bytes = max_bytes.saturating_mul(2);
    while announced <= drained_bytes && length <= drained_bytes {
        let broken = |_| Refusal::new(Kind::BadRequest, "The body was cut off");
        let Some(piece) = pieces.try_next().await.map_err(broken)? else { break };
        length = length.saturating_add(piece.len());
        if length <= max_bytes {
            read.extend_from_slice(&piece);
        }
    }
    if length.max(announced) > max_bytes {
        return Err(Refusal::new(Kind::TooLarge, format!("The body is longer than {max_bytes} bytes")));
    }
    Ok(read)
}
