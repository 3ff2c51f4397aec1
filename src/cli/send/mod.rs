//! `bluetick send`: a list of users in a file, sent through a running server, and followed until it is completed.
//!
//! It is a client like any other. The token is a secret, so it comes from the settings or from a file, not from the command
//! line, which other users of the machine can see.

mod follow;
mod list;
mod progress;
mod server;
mod upload;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, ValueHint};

use self::follow::Ended;
use self::list::{Format, List};
use self::server::Server;
use super::failure::Failure;
use super::{note, say};
use crate::config::{Secret, Settings};
use crate::domain::clock::Timestamp;
use crate::domain::id::{AnyId, new_key};
use crate::domain::send::TIMES_TO_LIVE;

/// What to send, and through which server.
#[derive(Args)]
pub(super) struct Options {
    /// The id of the conversation to send.
    #[arg(long, value_name = "ID", value_parser = conversation)]
    conversation: String,
    #[command(flatten)]
    list: ListOptions,
    /// The server's URL; by default `client.server` of the settings.
    #[arg(long, value_name = "URL", value_hint = ValueHint::Url)]
    server: Option<String>,
    /// A file with the API token, which needs the scope write; by default `client.token` of the settings, which is
    /// `BLUETICK_CLIENT_TOKEN` in the environment.
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// Leave out rows that are refused, instead of sending nothing.
    #[arg(long)]
    skip_invalid: bool,
    /// When to send, in RFC 3339; immediately by default. The command then ends once everything is scheduled.
    #[arg(long, value_name = "TIME", value_parser = time)]
    scheduled_at: Option<String>,
    /// Under the same key the same list is sent only once; by default each call has a key of its own.
    #[arg(long, value_name = "KEY")]
    idempotency_key: Option<String>,
    /// After how many seconds an undelivered message expires; by default the template's category decides.
    #[arg(long, value_name = "SECONDS", value_parser = time_to_live)]
    time_to_live: Option<u64>,
}

/// Where the users are.
#[derive(Args)]
#[group(required = true, multiple = false)]
struct ListOptions {
    /// A CSV file with the users; `-` is standard input. The column "phone" is required, every other one is a variable.
    #[arg(long, value_name = "FILE")]
    csv: Option<PathBuf>,
    /// The same as JSON lines: {"phone": "…", "variables": {"name": "value"}}
    #[arg(long, value_name = "FILE")]
    ndjson: Option<PathBuf>,
}

/// Sends a list.
pub(super) async fn run(options: Options, settings: &Settings) -> Result<ExitCode, Failure> {
    let server = Server::new(options.server.as_ref().unwrap_or(&settings.client.server), options.token(settings)?)?;
    let list = options.list.open().await?;
    let Some(send) = upload::run(&server, &list, &options.parameters()).await? else {
        return Ok(ExitCode::FAILURE);
    };
    say(&send);
    match follow::run(&server, &send).await? {
        Ended::Completed => note("The send is completed."),
        Ended::Scheduled => note("The send is scheduled."),
        Ended::Canceled => return Err(Failure::failed("the send was canceled")),
    }
    Ok(ExitCode::SUCCESS)
}

impl Options {
    fn token(&self, settings: &Settings) -> Result<Secret, Failure> {
        let Some(path) = &self.token_file else {
            let missing = "an API token is required: give --token-file, or BLUETICK_CLIENT_TOKEN in the environment";
            return settings.client.token.clone().ok_or_else(|| Failure::wrong_call(missing));
        };
        let text = std::fs::read_to_string(path);
        let text = text.map_err(|error| Failure::wrong_call(format!("cannot read {}: {error}", path.display())))?;
        Ok(Secret::new(text.trim()))
    }

    fn parameters(&self) -> Vec<(&'static str, String)> {
        let key = self.idempotency_key.clone().unwrap_or_else(|| new_key().to_string());
        let mut parameters = vec![("conversationId", self.conversation.clone()), ("idempotencyKey", key)];
        parameters.extend(self.scheduled_at.clone().map(|at| ("scheduledAt", at)));
        parameters.extend(self.time_to_live.map(|seconds| ("timeToLiveSeconds", seconds.to_string())));
        parameters.extend(self.skip_invalid.then(|| ("skipInvalid", true.to_string())));
        parameters
    }
}

impl ListOptions {
    async fn open(&self) -> Result<List, Failure> {
        let (path, format) = match (&self.csv, &self.ndjson) {
            (Some(path), _) => (path, Format::Csv),
            (None, Some(path)) => (path, Format::Ndjson),
            (None, None) => return Err(Failure::wrong_call("--csv or --ndjson is required")),
        };
        let list = List::open(path, format).await;
        list.map_err(|error| Failure::wrong_call(format!("cannot read {}: {error}", path.display())))
    }
}

fn conversation(text: &str) -> Result<String, &'static str> {
    match AnyId::parse(text) {
        Ok(AnyId::Conversation(id)) => Ok(id.to_string()),
        _ => Err("not the id of a conversation: it looks like \"conv_\" followed by 32 hexadecimal digits"),
    }
}

fn time(text: &str) -> Result<String, &'static str> {
    let time = Timestamp::parse(text).ok_or("not a time in RFC 3339, such as 2026-11-22T12:00:00Z")?;
    Ok(time.to_string())
}

fn time_to_live(text: &str) -> Result<u64, String> {
    let (least, most) = (TIMES_TO_LIVE.start().as_secs(), TIMES_TO_LIVE.end().as_secs());
    let seconds = text.parse().ok().filter(|seconds| (least..=most).contains(seconds));
    seconds.ok_or_else(|| format!("must be between {least} and {most}"))
}
