//! A long list: how fast it is taken in and its deployments are made, and how much memory that needs.

use std::fmt::Write;
use std::fs;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::Sending;
use crate::Result;
use crate::options::Options;
use crate::process::Server;
use crate::report::{Aim, Table, say};

/// Rows of one piece of the body.
const ROWS_AT_ONCE: u64 = 2_000;

/// Uploads a list to a conversation that is scheduled far ahead, so that nothing of it is sent meanwhile.
pub(super) async fn run(
    sending: &mut Sending,
    conversations: &[String],
    options: &Options,
    table: &mut Table,
) -> Result<()> {
    let Some(conversation) = conversations.first().filter(|_| options.list_rows > 0) else { return Ok(()) };
    // A node of its own takes the list in, so that its memory shows what the list needs.
    let node = Server::bluetick(&sending.stage.database.url, sending.stage.database.name.as_deref()).await?;
    let begin = Instant::now();
    let send = upload(sending, node.address, conversation, options.list_rows).await?;
    let (uploaded, memory) = (begin.elapsed(), peak_megabytes(node.id())?);
    say(format!("  a list of {} rows: taken in within {uploaded:?}, {memory:.0} MB at the peak", options.list_rows));
    while state(sending, &send).await? == "PREPARING" {
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    let prepared = begin.elapsed();
    #[expect(clippy::cast_precision_loss, reason = "no list is that long")]
    let rows = options.list_rows as f64;
    table.figure("rows a second of a list, taken in", [rows / uploaded.as_secs_f64()], Aim::None);
    table.figure("users a second of a list, deployments made", [rows / prepared.as_secs_f64()], Aim::None);
    table.figure("peak memory of the server, in MB", [peak_megabytes(node.id())?], Aim::AtMost(150.0));
    Ok(())
}

/// Posts a list as it is generated, and returns the send's id.
async fn upload(sending: &mut Sending, address: SocketAddr, conversation: &str, rows: u64) -> Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    let head = format!(
        "POST /sends?conversationId={conversation}&scheduledAt=2090-01-01T00:00:00Z HTTP/1.1\r\nhost: bench\r\n\
         authorization: Bearer {}\r\ncontent-type: text/csv\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n",
        sending.stage.token
    );
    stream.write_all(head.as_bytes()).await?;
    write_chunk(&mut stream, "phone,first_name,city\n").await?;
    let mut left = rows;
    while left > 0 {
        let count = left.min(ROWS_AT_ONCE);
        let mut piece = String::new();
        for _ in 0..count {
            let phone = sending.phone();
            writeln!(piece, "+{phone},Name {phone},\"Bogotá, D.C.\"")?;
        }
        write_chunk(&mut stream, &piece).await?;
        left -= count;
    }
    stream.write_all(b"0\r\n\r\n").await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    let (_, body) = answer.split_once("\r\n\r\n").ok_or("no answer")?;
    let json = body.find('{').and_then(|from| body.get(from..)).ok_or_else(|| answer.clone())?;
    let json: Value = serde_json::Deserializer::from_str(json).into_iter().next().ok_or("no JSON")??;
    Ok(json.get("sendId").and_then(Value::as_str).ok_or_else(|| answer.clone())?.to_owned())
}

async fn write_chunk(stream: &mut TcpStream, piece: &str) -> Result<()> {
    stream.write_all(format!("{:x}\r\n{piece}\r\n", piece.len()).as_bytes()).await?;
    Ok(())
}

async fn state(sending: &mut Sending, send: &str) -> Result<String> {
    let found = sending.stage.ask("query($id: ID!) { send(id: $id) { state } }", &json!({ "id": send })).await?;
    Ok(found.pointer("/send/state").and_then(Value::as_str).unwrap_or_default().to_owned())
}

/// The most memory that a process has held at any time.
fn peak_megabytes(process: u32) -> Result<f64> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).ok_or("no VmHWM")?;
    let kilobytes: f64 = line.trim().trim_end_matches(" kB").parse()?;
    Ok(kilobytes / 1_024.0)
}
