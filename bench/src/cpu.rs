//! CPU time of processes, as Linux counts it.

use std::fs;
use std::time::Duration;

/// Linux counts a process's time in hundredths of a second, on every architecture that matters.
const TICK: Duration = Duration::from_millis(10);

/// What a server has cost so far.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Cpu {
    /// Its own process.
    pub(crate) server: Duration,
    /// PostgreSQL's processes for the database. The other server's stand among them, but idle.
    pub(crate) database: Duration,
}

impl Cpu {
    /// The time spent until now by a process and by the backends of a database.
    pub(crate) fn now(server: u32, database: Option<&str>) -> Self {
        Self { server: of_process(server), database: database.map(of_backends).unwrap_or_default() }
    }

    /// What was spent since.
    pub(crate) fn since(self, before: Self) -> Self {
        Self {
            server: self.server.saturating_sub(before.server),
            database: self.database.saturating_sub(before.database),
        }
    }

    /// Both together.
    pub(crate) fn total(self) -> Duration {
        self.server + self.database
    }
}

/// A process with all its threads, those that have ended included.
fn of_process(id: u32) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
    // The second field is the name, in parentheses, and may hold blanks. User and system time are fields 14 and 15.
    let after_name = stat.rsplit(')').next().unwrap_or_default();
    let ticks: u32 = after_name.split_whitespace().skip(11).take(2).filter_map(|field| field.parse::<u32>().ok()).sum();
    TICK * ticks
}

/// The backends of a database: each has one thread, of which the scheduler tells nanoseconds.
fn of_backends(database: &str) -> Duration {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let backends = processes.filter(|process| {
        let title = fs::read(process.path().join("cmdline")).unwrap_or_default();
        let title = String::from_utf8_lossy(&title).into_owned();
        title.starts_with("postgres:") && title.contains(&format!(" {database} "))
    });
    let times = backends.filter_map(|backend| {
        let told = fs::read_to_string(backend.path().join("schedstat")).ok()?;
        told.split_whitespace().next()?.parse::<u64>().ok()
    });
    Duration::from_nanos(times.sum())
}
