//! Bodies of requests, read within a length and a time.

use std::time::Duration;

use axum::body::{Body, HttpBody};
use futures_util::TryStreamExt;
use tokio::time::timeout;

use super::refusal::{Kind, Refusal};

/// Reads a body of at most `longest` bytes that arrives within `patience`. What comes in pieces is counted as it comes.
pub(super) async fn read(body: Body, longest: usize, patience: Duration) -> Result<Vec<u8>, Refusal> {
    let late = || {
        let seconds = patience.as_secs_f32();
        Refusal::new(Kind::RequestTimeout, format!("The body did not arrive within {seconds} seconds"))
    };
    timeout(patience, collect(body, longest)).await.map_err(|_| late())?
}

async fn collect(body: Body, longest: usize) -> Result<Vec<u8>, Refusal> {
    let announced = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    let mut read = Vec::with_capacity(if announced > longest { 0 } else { announced });
    let mut length: usize = 0;
    let mut pieces = body.into_data_stream();
    // A body that is a little too long is read to its end and dropped: a connection that is closed while the client still
    // writes is reset, and the client would not see the answer.
    let most = longest.saturating_mul(2);
    while announced <= most && length <= most {
        let broken = |_| Refusal::new(Kind::BadRequest, "The body was cut off");
        let Some(piece) = pieces.try_next().await.map_err(broken)? else { break };
        length = length.saturating_add(piece.len());
        if length <= longest {
            read.extend_from_slice(&piece);
        }
    }
    if length.max(announced) > longest {
        return Err(Refusal::new(Kind::TooLarge, format!("The body is longer than {longest} bytes")));
    }
    Ok(read)
}
