//! A PostgreSQL server of the test's own, which can be restarted.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

/// A running server, which ends when this is dropped.
pub(crate) struct Cluster {
    folder: TempDir,
    programs: PathBuf,
    port: u16,
}

impl Cluster {
    /// Why none can be started, if so.
    pub(crate) fn missing() -> Option<&'static str> {
        let reason = "needs PostgreSQL's server programs: run scripts/test, or install the package postgresql";
        programs().is_none().then_some(reason)
    }

    /// Starts a server.
    pub(crate) fn start() -> Self {
        let programs = programs().expect("PostgreSQL's server programs are installed");
        let folder = TempDir::new().unwrap();
        // PostgreSQL refuses to run as root, so the folder belongs to its own user.
        if is_root() {
            assert!(Command::new("chown").arg("postgres").arg(folder.path()).status().unwrap().success());
        }
        // Another program may take the port before PostgreSQL does, so several are tried.
        let free = || std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut cluster = Self { folder, programs, port: 0 };
        cluster.run("initdb", &["--username=bluetick", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"]);
        for _ in 0..5 {
            cluster.port = free();
            if cluster.try_start() {
                return cluster;
            }
        }
        panic!("PostgreSQL does not start");
    }

    /// The URL of its database.
    pub(crate) fn url(&self) -> String {
        format!("postgres://bluetick@127.0.0.1:{}/postgres", self.port)
    }

    /// Stops the server as a crash does: connections break, and what was not committed is undone.
    pub(crate) fn crash(&self) {
        self.run("pg_ctl", &["stop", "--mode=immediate", "--silent", "--wait"]);
    }

    /// Starts it again where it was.
    pub(crate) fn start_again(&self) {
        assert!(self.try_start(), "PostgreSQL does not start again");
    }

    fn try_start(&self) -> bool {
        let options = format!("-p {} -c listen_addresses=127.0.0.1 -c unix_socket_directories=", self.port);
        let log = self.folder.path().join("log");
        let arguments =
            ["start", "--silent", "--wait", &format!("--log={}", log.display()), &format!("--options={options}")];
        self.output("pg_ctl", &arguments).status.success()
    }

    fn run(&self, program: &str, arguments: &[&str]) {
        let output = self.output(program, arguments);
        assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
    }

    fn output(&self, program: &str, arguments: &[&str]) -> Output {
        let program = self.programs.join(program);
        let mut command = if is_root() {
            let mut command = Command::new("setpriv");
            command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups"]).arg(program);
            command
        } else {
            Command::new(program)
        };
        let data = format!("--pgdata={}", self.folder.path().join("data").display());
        command.current_dir("/").args(arguments).arg(data).output().unwrap()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // It may be stopped already.
        self.output("pg_ctl", &["stop", "--mode=immediate", "--silent"]);
    }
}

/// Where the newest server's programs are. Debian and its kin keep them out of the path.
fn programs() -> Option<PathBuf> {
    let installed = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let version = |folder: &Path| folder.file_name()?.to_str()?.parse::<u32>().ok();
    let newest = installed.map(|entry| entry.path()).max_by_key(|folder| version(folder));
    let in_path = std::env::split_paths(&super::database::variable("PATH")?).collect::<Vec<_>>();
    let folders = newest.map(|folder| folder.join("bin")).into_iter().chain(in_path);
    folders.into_iter().find(|folder| folder.join("initdb").exists())
}

fn is_root() -> bool {
    let output = Command::new("id").arg("-u").output().unwrap();
    output.stdout.starts_with(b"0\n")
}
