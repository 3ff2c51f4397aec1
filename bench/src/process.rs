//! The two servers, each a process of its own, so that their CPU time is told apart.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::Result;
use crate::cpu::Cpu;

/// What webhooks are signed with.
pub(crate) const APP_SECRET: &str = "bench-app-secret";

/// How long a server may take to start, in steps of a tenth of a second.
const PATIENCE: u32 = 600;

/// A server that runs until this is dropped.
pub(crate) struct Server {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    database: Option<String>,
    child: Child,
}

impl Server {
    /// Starts Bluetick.
    pub(crate) async fn bluetick(url: &str, database: Option<&str>) -> Result<Self> {
        Self::start(database, |command, address| {
            command
                .arg("serve")
                .env("DATABASE_URL", url)
                .env("BLUETICK_LISTEN", address.to_string())
                .env("BLUETICK_WHATSAPP_APP_SECRET", APP_SECRET)
                .env("BLUETICK_LOG_LEVEL", "error");
        })
        .await
    }

    /// Starts Bluetick with a provider to send to.
    pub(crate) async fn sending(url: &str, database: Option<&str>, provider: &str) -> Result<Self> {
        Self::start(database, |command, address| {
            command
                .arg("serve")
                .env("DATABASE_URL", url)
                .env("BLUETICK_LISTEN", address.to_string())
                .env("BLUETICK_WHATSAPP_APP_SECRET", APP_SECRET)
                .env("BLUETICK_WHATSAPP_BASE_URL", provider)
                .env("BLUETICK_WHATSAPP_ACCESS_TOKEN", "token")
                .env("BLUETICK_LOG_LEVEL", "error");
        })
        .await
    }

    /// Starts the limit.
    pub(crate) async fn limit(url: &str, database: Option<&str>) -> Result<Self> {
        Self::start(database, |command, address| {
            command.arg("limit").arg(url).arg(address.to_string());
        })
        .await
    }

    async fn start(database: Option<&str>, arrange: impl FnOnce(&mut Command, SocketAddr)) -> Result<Self> {
        let address = free_address()?;
        let mut command = Command::new(std::env::current_exe()?);
        arrange(&mut command, address);
        // What a server has to say goes where errors go.
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn()?;
        let mut server = Self { address, database: database.map(str::to_owned), child };
        server.ready().await?;
        Ok(server)
    }

    async fn ready(&mut self) -> Result<()> {
        for _ in 0..PATIENCE {
            if TcpStream::connect(self.address).is_ok() {
                return Ok(());
            }
            if let Some(status) = self.child.try_wait()? {
                return Err(format!("a server ended at its start: {status}").into());
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        Err("a server did not start".into())
    }

    /// Its process id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it has cost so far.
    pub(crate) fn cpu(&self) -> Cpu {
        Cpu::now(self.child.id(), self.database.as_deref())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself, which is as well.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}
