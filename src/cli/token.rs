//! `bluetick token`.

use std::process::ExitCode;

use super::failure::Failure;
use super::say;
use crate::config::Settings;
use crate::domain::clock::SystemClock;
use crate::domain::id::TokenId;
use crate::storage::tokens::{self, Token};
use crate::{app, auth};

/// What to do with tokens.
#[derive(clap::Subcommand)]
pub(super) enum Command {
    /// Creates a token and prints it, alone. It is shown only this once.
    Create {
        /// The workspace it gives access to; created if it does not exist.
        #[arg(long)]
        workspace: String,
        /// What it allows: read, write, admin, each with the ones before it, and personal, to see personal data; separated by
        /// commas.
        #[arg(long, default_value = "read")]
        scopes: auth::Scopes,
    },
    /// Lists all tokens, but not their secrets.
    List,
    /// Revokes a token. It stops working within seconds.
    Revoke {
        /// The token's id, as shown by `bluetick token list`.
        #[arg(value_parser = |text: &str| auth::parse_token_id(text).ok_or("not a token id: see `bluetick token list`"))]
        id: TokenId,
    },
}

/// Makes, lists or revokes tokens.
pub(super) async fn run(command: Command, settings: &Settings) -> Result<ExitCode, Failure> {
    let database = app::open_database(settings).await?;
    match command {
        Command::Create { workspace, scopes } => {
            crate::domain::input::check_name(&workspace, crate::domain::input::MAX_NAME_BYTES)
                .map_err(|fault| Failure::wrong_call(format!("the workspace's name {fault}")))?;
            let new = auth::create_token(&database, &SystemClock, &workspace, scopes).await?;
            say(new.token.expose());
        }
        Command::List => tokens::list(&database).await?.iter().for_each(|token| say(line(token))),
        Command::Revoke { id } => {
            if !auth::revoke_token(&database, &SystemClock, id).await? {
                return Err(Failure::failed(format!("there is no token {id}")));
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn line(token: &Token) -> String {
    let scopes = auth::Scopes::from_bits(token.scopes);
    let state = token.revoked_at.map_or_else(String::new, |at| format!("  revoked {at}"));
    format!("{}  {}  {scopes}  created {}{state}", token.id, token.workspace_name, token.created_at)
}
