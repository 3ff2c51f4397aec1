//! The binary, run as users run it.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

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
    /// The port on which it listens, the same at every start.
    port: u16,
    /// Additional settings, by the names of their environment variables.
    settings: Vec<(&'static str, String)>,
    http: reqwest::Client,
}

/// A running command, which is killed when this is dropped.
pub(crate) struct Process {
    child: Child,
    printed: Arc<Mutex<String>>,
    readers: Vec<JoinHandle<()>>,
}

impl Binary {
    /// The binary on a database.
    pub(crate) async fn on(database: Database) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        Self { database, folder: TempDir::new().unwrap(), port, settings: Vec::new(), http: http() }
    }

    /// Gives it another setting from its next start on.
    pub(crate) fn set(&mut self, variable: &'static str, value: impl Into<String>) {
        self.settings.push((variable, value.into()));
    }

    /// The server's URL: `http://127.0.0.1:1234`.
    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// A command with a minimal environment.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = bare(arguments);
        command
            .current_dir(self.folder.path())
            .env("DATABASE_URL", self.database.url())
            .env("BLUETICK_LISTEN", format!("127.0.0.1:{}", self.port))
            .env("BLUETICK_WHATSAPP_APP_SECRET", APP_SECRET)
            .env("BLUETICK_WHATSAPP_VERIFY_TOKEN", VERIFY_TOKEN)
            .envs(self.settings.iter().cloned());
        command
    }

    /// Runs a command to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// Starts the server, and returns once it is ready.
    pub(crate) async fn serve(&self) -> Process {
        let mut process = Process::start(self.command(&["serve"]));
        let ready = format!("{}/health/ready", self.url());
        until("the server is ready", async || {
            if let Some(status) = process.child.try_wait().unwrap() {
                panic!("the server ended with {status}: {}", process.printed());
            }
            let answer = self.http.get(&ready).send().await.ok()?;
            (answer.status() == StatusCode::OK).then_some(())
        })
        .await;
        process
    }

    /// A client with a new token.
    pub(crate) fn client(&self, scopes: &str) -> Client {
        let made = self.run(&["token", "create", "--workspace", "acme", "--scopes", scopes]);
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let token = String::from_utf8(made.stdout).unwrap();
        Client::new(&self.url(), token.trim())
    }

    /// Posts a webhook; `None` if there is no answer.
    pub(crate) async fn post(&self, payload: &Value) -> Option<StatusCode> {
        let body = body(payload);
        let request = self.http.post(format!("{}/webhooks/whatsapp", self.url()));
        let request = request.header("x-hub-signature-256", signature(APP_SECRET, &body)).body(body);
        request.send().await.ok().map(|response| response.status())
    }
}

/// The binary without any setting.
pub(crate) fn bare(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bluetick"));
    command.args(arguments).env_clear().stdin(Stdio::null());
    command
}

impl Process {
    /// Starts a command.
    pub(crate) fn start(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let printed: Arc<Mutex<String>> = Arc::default();
        let answer = keep(child.stdout.take().unwrap(), Arc::clone(&printed));
        let progress = keep(child.stderr.take().unwrap(), Arc::clone(&printed));
        Self { child, printed, readers: vec![answer, progress] }
    }

    /// Its output so far, on standard output and standard error.
    pub(crate) fn printed(&self) -> String {
        self.printed.lock().unwrap().clone()
    }

    /// Waits for a word with this beginning in the output.
    pub(crate) async fn prints(&self, beginning: &str) -> String {
        until(&format!("{beginning} is printed"), async || {
            let printed = self.printed();
            let word = printed.split_whitespace().find(|word| word.starts_with(beginning))?;
            Some(word.trim_end_matches(',').to_owned())
        })
        .await
    }

    /// How many bytes of memory the process holds.
    pub(crate) fn memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1_024
    }

    /// Kills the process, like a power failure.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Asks the process to end.
    pub(crate) fn terminate(&self) {
        self.signal("-TERM");
    }

    /// Suspends the process, or lets it go on.
    pub(crate) fn suspend(&self, suspended: bool) {
        self.signal(if suspended { "-STOP" } else { "-CONT" });
    }

    fn signal(&self, signal: &str) {
        let sent = Command::new("kill").args([signal, &self.child.id().to_string()]).status().unwrap();
        assert!(sent.success());
    }

    /// Waits for the process to end. Its output is complete then.
    pub(crate) async fn ended(&mut self) -> ExitStatus {
        let status = until("the process has ended", async || self.child.try_wait().unwrap()).await;
        self.readers.drain(..).for_each(|reader| reader.join().unwrap());
        status
    }
}

/// Collects the output and also prints it, so that a full pipe never blocks the process.
fn keep(from: impl Read + Send + 'static, printed: Arc<Mutex<String>>) -> JoinHandle<()> {
    thread::spawn(move || {
        for line in BufReader::new(from).lines().map_while(Result::ok) {
            eprintln!("{line}");
            let mut printed = printed.lock().unwrap();
            printed.push_str(&line);
            printed.push('\n');
        }
    })
}

impl Drop for Process {
    fn drop(&mut self) {
        // Where it has ended already, there is nothing to kill.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
