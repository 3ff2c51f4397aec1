//! The very binary, as its users run it.

use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::thread;

use reqwest::StatusCode;
use serde_json::Value;
use tempfile::TempDir;

use super::client::{Client, http};
use super::database::Database;
use super::server::VERIFY_TOKEN;
use super::wait::until;
use super::webhook::{APP_SECRET, body, signature};

/// `bluetick` with a database and secrets, in a folder of its own.
pub(crate) struct Binary {
    database: Database,
    folder: TempDir,
    /// The port that it listens on, the same at every start.
    port: u16,
}

/// A server that runs as a process of its own, and is killed when this goes.
pub(crate) struct Process {
    child: Child,
    /// Where it is: `http://127.0.0.1:1234`.
    pub(crate) url: String,
    http: reqwest::Client,
}

impl Binary {
    /// The binary on a database.
    pub(crate) async fn on(database: Database) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        Self { database, folder: TempDir::new().unwrap(), port }
    }

    /// A command, with nothing of the environment but what is needed.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = bare(arguments);
        command
            .current_dir(self.folder.path())
            .env("DATABASE_URL", self.database.url())
            .env("BLUETICK_LISTEN", format!("127.0.0.1:{}", self.port))
            .env("BLUETICK_WHATSAPP_APP_SECRET", APP_SECRET)
            .env("BLUETICK_WHATSAPP_VERIFY_TOKEN", VERIFY_TOKEN);
        command
    }

    /// Runs a command to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// Starts the server, and returns once it is ready.
    pub(crate) async fn serve(&self) -> Process {
        let child = self.command(&["serve"]).stderr(Stdio::piped()).spawn().unwrap();
        let mut process = Process { child, url: format!("http://127.0.0.1:{}", self.port), http: http() };
        let ready = format!("{}/health/ready", process.url);
        until("the server is ready", async || {
            if let Some(status) = process.child.try_wait().unwrap() {
                panic!("the server ended with {status}: {}", process.errors());
            }
            let answer = process.http.get(&ready).send().await.ok()?;
            (answer.status() == StatusCode::OK).then_some(())
        })
        .await;
        process.drain();
        process
    }

    /// A client with a new token.
    pub(crate) fn client(&self, scopes: &str) -> Client {
        let made = self.run(&["token", "create", "--workspace", "acme", "--scopes", scopes]);
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let token = String::from_utf8(made.stdout).unwrap();
        Client::new(&format!("http://127.0.0.1:{}", self.port), token.trim())
    }

    /// A path in its folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

/// The binary without any setting.
pub(crate) fn bare(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bluetick"));
    command.args(arguments).env_clear().stdin(Stdio::null());
    command
}

impl Process {
    /// Posts a webhook; none where the server went away meanwhile.
    pub(crate) async fn post(&self, payload: &Value) -> Option<StatusCode> {
        let body = body(payload);
        let request = self.http.post(format!("{}/webhooks/whatsapp", self.url));
        let request = request.header("x-hub-signature-256", signature(APP_SECRET, &body)).body(body);
        request.send().await.ok().map(|response| response.status())
    }

    /// Ends the process as a power cut would.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Asks the process to end.
    pub(crate) fn terminate(&self) {
        let sent = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status().unwrap();
        assert!(sent.success());
    }

    /// How the process ended.
    pub(crate) async fn ended(&mut self) -> ExitStatus {
        until("the process has ended", async || self.child.try_wait().unwrap()).await
    }

    fn errors(&mut self) -> String {
        let mut text = String::new();
        if let Some(mut stderr) = self.child.stderr.take() {
            stderr.read_to_string(&mut text).unwrap();
        }
        text
    }

    /// Passes what it logs on to whoever looks at the test, so that a full pipe never stops it.
    fn drain(&mut self) {
        let Some(stderr) = self.child.stderr.take() else { return };
        thread::spawn(move || {
            BufReader::new(stderr).lines().map_while(Result::ok).for_each(|line| eprintln!("{line}"));
        });
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Where it has ended already, there is nothing to kill.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
